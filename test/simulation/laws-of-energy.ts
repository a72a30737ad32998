/**
 * Law 5, of energy: no more is booked of an attempt than the meter of its connector saw flow since the last reading before its grant,
 * and what may have flowed since the last reading; nor of all attempts of a stay together. It is said of what really flowed, and of
 * what the agent was told of it and believed: wherever it was told before the grant and, by the process that books, after it.
 *
 *   unplugged ──► a stretch: plugged, read, read, read …            a reading that is not believed ──► another stretch
 *                    └── something that the agent cannot see: lost, until it hears that nobody is there
 */
import assert from 'node:assert/strict';
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import type { Effects } from '../../agent/core/effects.ts';
import { ENERGY } from '../../agent/core/ledger/units.ts';
import type { BookingRecord, InstanceRecord, LeaseRecord } from '../../agent/core/records.ts';

/** Clocks of the pile and of the world may be this far apart. */
const CLOCK_SLACK = 1.025;
/** Registers are added up in fractions. */
const SLACK_MWH = 1;
const MS_PER_HOUR = 3_600_000;

interface Reading {
  readonly trueMwh: number;
  readonly atMs: number;
  /** Of the agent's processes, which one heard it. */
  readonly life: number;
  readonly era: number;
}

/** What had flowed, at the last reading before a grant, and when that was. */
interface Beginning {
  readonly trueMwh: number;
  readonly grantedMs: number;
}

interface Stretch {
  readonly connectorId: ConnectorId;
  /** The process that saw it begin; undefined: something happened that the agent cannot know of. */
  readonly life: number | undefined;
  /** The last that a step before knew, and those that came since. */
  readings: Reading[];
  first?: Beginning;
  /** The process that made its first grant. */
  begunLife?: number;
  countedMwh: number;
}

interface Grant {
  readonly stretch: Stretch;
  /** Absent: no meter had told anything. */
  readonly from: Beginning | undefined;
  bookedMwh: number;
  /** Claimed, and believed. */
  claimedMwh: number;
}

interface Bounds {
  readonly ownMwh: number;
  readonly stayMwh: number;
}

interface Rise {
  readonly grant: Grant;
  readonly what: 'bookedMwh' | 'claimedMwh';
  readonly name: string;
  readonly mwh: number;
  readonly bounds: Bounds | undefined;
}

interface Decided {
  readonly life: number;
  readonly grants: ReadonlyMap<number, Grant>;
  readonly rises: readonly Rise[];
}

/** What the world tells of one meter. */
export interface Told {
  readonly connectorId: ConnectorId;
  readonly trueMwh: number;
  readonly life: number;
  readonly era: number;
}

export class LawOfEnergy {
  readonly #powerMaxMw: number;
  readonly #nowMs: () => number;
  readonly #stretches = new Map<ConnectorId, Stretch>();
  readonly #grants = new Map<number, Grant>();
  /** Of steps whose commit is under way. */
  readonly #decided = new WeakMap<Effects, Decided>();

  constructor(powerMaxMw: number, nowMs: () => number) {
    this.#powerMaxMw = powerMaxMw;
    this.#nowMs = nowMs;
  }

  #begin(connectorId: ConnectorId, life: number | undefined): Stretch {
    const stretch: Stretch = { connectorId, life, readings: [], countedMwh: 0 };
    this.#stretches.set(connectorId, stretch);
    return stretch;
  }

  #stretchOf(connectorId: ConnectorId): Stretch {
    return this.#stretches.get(connectorId) ?? this.#begin(connectorId, undefined);
  }

  /** Somebody came, left or was taken for another, and the agent does not know it. */
  lost(connectorId: ConnectorId): void {
    this.#begin(connectorId, undefined);
  }

  /** The agent heard that nobody is there. */
  emptied(connectorId: ConnectorId, life: number): void {
    this.#begin(connectorId, life);
  }

  /** The agent heard `said` of a meter, after it was looked at whether it can be true. */
  heard(said: FirmwareEvent, { connectorId, ...reading }: Told): void {
    const stretch = this.#stretchOf(connectorId);
    if (stretch.life === undefined || said.kind !== 'meter') return;
    if (said.energyMwh === undefined) return void this.#begin(connectorId, reading.life);
    const last = stretch.readings.at(-1);
    // A register that was believed although it is not the one of before.
    if (last !== undefined && last.era !== reading.era) return this.lost(connectorId);
    stretch.readings.push({ ...reading, atMs: this.#nowMs() });
  }

  /** Whether the meter was heard in this stretch by the process that runs. */
  isRead(connectorId: ConnectorId, life: number): boolean {
    return this.#stretchOf(connectorId).readings.at(-1)?.life === life;
  }

  stepped(effects: Effects, life: number): void {
    const grants = new Map<number, Grant>();
    const rises: Rise[] = [];
    for (const change of effects.changes) {
      if (change.change === 'putInstance') {
        const { lease } = change.instance;
        if (lease !== undefined && !this.#grants.has(lease.fencingToken))
          grants.set(lease.fencingToken, this.#granted(lease, life));
        for (const [token, mwh] of claimsIn(change.instance))
          this.#rise(rises, { token, what: 'claimedMwh', mwh, life });
      }
      if (change.change === 'book') {
        const { fencingToken: token } = change.booking;
        this.#rise(rises, { token, what: 'bookedMwh', mwh: energyIn(change.booking), life });
      }
    }
    if (grants.size + rises.length > 0) this.#decided.set(effects, { life, grants, rises });
    for (const stretch of this.#stretches.values()) stretch.readings = stretch.readings.slice(-1);
  }

  #granted({ connectorId }: LeaseRecord, life: number): Grant {
    const stretch = this.#stretchOf(connectorId);
    const last = stretch.readings.at(-1);
    const from = last?.life === life ? { trueMwh: last.trueMwh, grantedMs: this.#nowMs() } : undefined;
    return { stretch, from, bookedMwh: 0, claimedMwh: 0 };
  }

  #rise(
    rises: Rise[],
    { token, life, ...rise }: Pick<Rise, 'what' | 'mwh'> & { readonly token: number; readonly life: number },
  ): void {
    const grant = this.#grants.get(token);
    if (grant === undefined || rise.mwh === 0) return;
    rises.push({ ...rise, grant, name: `attempt ${token}`, bounds: this.#boundsOf(grant, life) });
  }

  /** Undefined: nothing is known of what flowed. */
  #boundsOf({ stretch, from }: Grant, life: number): Bounds | undefined {
    if (this.#stretches.get(stretch.connectorId) !== stretch) return undefined;
    const [before] = stretch.readings;
    if (stretch.life === undefined || from === undefined || before?.life !== life) return undefined;
    const ownMwh = this.#mostMwh(stretch, from);
    const isBegunInTime = stretch.begunLife === stretch.life && stretch.first !== undefined;
    const stayMwh = isBegunInTime ? this.#mostMwh(stretch, stretch.first ?? from) : Infinity;
    return { ownMwh, stayMwh };
  }

  /** By whichever reading was the last when it was claimed: what came at the same time is told in some order. */
  #mostMwh({ readings }: Stretch, from: Beginning): number {
    const nowMs = this.#nowMs();
    let mostMwh = 0;
    for (const { trueMwh, atMs } of readings) {
      const unreadMs = (nowMs - Math.max(atMs, from.grantedMs)) * CLOCK_SLACK;
      mostMwh = Math.max(mostMwh, trueMwh - from.trueMwh + (unreadMs * this.#powerMaxMw) / MS_PER_HOUR);
    }
    return mostMwh + SLACK_MWH;
  }

  /** What was decided in that step is on disk. */
  published(effects: Effects): void {
    const decided = this.#decided.get(effects);
    if (decided === undefined) return;
    for (const [token, grant] of decided.grants) {
      this.#grants.set(token, grant);
      if (grant.from === undefined) continue;
      grant.stretch.first ??= grant.from;
      grant.stretch.begunLife ??= decided.life;
    }
    for (const rise of decided.rises) apply(rise);
  }
}

/** What is counted once stays: it was no more than could have flowed when it was claimed. */
function apply({ grant, what, mwh, name, bounds }: Rise): void {
  const before = countedMwh(grant);
  grant[what] = what === 'bookedMwh' ? grant.bookedMwh + mwh : Math.max(grant.claimedMwh, mwh);
  const after = countedMwh(grant);
  const { stretch, from } = grant;
  if (after <= before || from === undefined) return;
  stretch.countedMwh += after - before;
  if (bounds === undefined) return;
  const { ownMwh, stayMwh } = bounds;
  const { connectorId } = stretch;
  assert.ok(
    after <= ownMwh,
    `law 5: ${name} took ${after} mWh where the meter of ${connectorId} saw ${ownMwh}`,
  );
  assert.ok(
    stretch.countedMwh <= stayMwh,
    `law 5: with ${name} a stay took ${stretch.countedMwh} mWh where the meter of ${connectorId} saw ${stayMwh}`,
  );
}

function countedMwh({ bookedMwh, claimedMwh }: Grant): number {
  return Math.max(bookedMwh, claimedMwh);
}

/** Of its checkpoints, and of a replica's result that waits for others. */
function claimsIn({ lease, result }: InstanceRecord): [token: number, mwh: number][] {
  const claims: [number, number][] = [];
  const keptMwh = (lease?.booked?.energyMwh ?? 0) + (lease?.unbooked?.energyMwh ?? 0);
  if (lease !== undefined) claims.push([lease.fencingToken, keptMwh]);
  if (result?.run !== undefined) claims.push([result.run.fencingToken, result.run.claim.energyMwh]);
  return claims;
}

function energyIn({ entries }: BookingRecord): number {
  let mwh = 0;
  for (const { account, unit, amount } of entries)
    if (unit === ENERGY && account.startsWith('vehicle:')) mwh += amount;
  return mwh;
}
