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
  /** How far the pile's wall clock had jumped by then: a lease that is loaded again is as old as that clock says. */
  readonly jumpedMs: number;
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
  /** Of all its attempts. */
  countedMwh: number;
  /** A commit of it is told to have failed, and may be on disk. */
  isUnsure: boolean;
}

/** Of an attempt: booked, and claimed and believed, which is booked later, if ever. */
interface Count {
  readonly bookedMwh: number;
  readonly claimedMwh: number;
}

interface Grant {
  readonly token: number;
  readonly stretch: Stretch;
  /** Absent: no meter had told anything. */
  readonly from: Beginning | undefined;
  count: Count;
  /** The most that was right when it was decided, on disk or not. */
  rightMwh: number;
}

interface Bounds {
  readonly ownMwh: number;
  readonly stayMwh: number;
}

/** In one step. */
interface Decided {
  readonly life: number;
  readonly grants: Grant[];
  readonly counts: Map<Grant, Count>;
  readonly stays: Map<Stretch, number>;
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
  /** Those too of which it is not known whether they are on disk: of them nothing is said. */
  readonly #seen = new Set<number>();
  /** What the last step decided, until it is known to be on disk. */
  #underWay: Decided | undefined;
  #jumpedMs = 0;

  constructor(powerMaxMw: number, nowMs: () => number) {
    this.#powerMaxMw = powerMaxMw;
    this.#nowMs = nowMs;
  }

  #begin(connectorId: ConnectorId, life: number | undefined): Stretch {
    const stretch: Stretch = { connectorId, life, readings: [], countedMwh: 0, isUnsure: false };
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

  /** `jumpedMs`: how far the pile's wall clock jumped until now. */
  stepped(effects: Effects, life: number, jumpedMs: number): void {
    this.#jumpedMs = jumpedMs;
    for (const stretch of this.#underWay?.stays.keys() ?? []) stretch.isUnsure = true;
    const decided: Decided = { life, grants: [], counts: new Map(), stays: new Map() };
    for (const change of effects.changes) {
      if (change.change === 'book')
        this.#count(decided, change.booking.fencingToken, { bookedMwh: energyIn(change.booking) });
      if (change.change !== 'putInstance') continue;
      const { lease } = change.instance;
      if (lease !== undefined && !this.#seen.has(lease.fencingToken))
        decided.grants.push(this.#granted(lease, life));
      for (const [token, claimedMwh] of claimsIn(change.instance))
        this.#count(decided, token, { claimedMwh });
    }
    this.#underWay = decided;
    for (const stretch of this.#stretches.values()) stretch.readings = stretch.readings.slice(-1);
  }

  #granted({ connectorId, fencingToken }: LeaseRecord, life: number): Grant {
    this.#seen.add(fencingToken);
    const stretch = this.#stretchOf(connectorId);
    const last = stretch.readings.at(-1);
    const now = { grantedMs: this.#nowMs(), jumpedMs: this.#jumpedMs };
    const from = last?.life === life ? { trueMwh: last.trueMwh, ...now } : undefined;
    if (from !== undefined) stretch.first ??= from;
    return { token: fencingToken, stretch, from, count: NOTHING, rightMwh: 0 };
  }

  /** Whatever is counted more was right when it was decided. */
  #count(decided: Decided, token: number, more: Partial<Count>): void {
    const grant = this.#grants.get(token);
    if (grant?.from === undefined) return;
    const { stretch } = grant;
    const before = decided.counts.get(grant) ?? grant.count;
    const after = {
      bookedMwh: before.bookedMwh + (more.bookedMwh ?? 0),
      claimedMwh: Math.max(before.claimedMwh, more.claimedMwh ?? 0),
    };
    decided.counts.set(grant, after);
    const roseMwh = mostOf(after) - mostOf(before);
    if (roseMwh === 0) return;
    const inStayMwh = (decided.stays.get(stretch) ?? stretch.countedMwh) + roseMwh;
    decided.stays.set(stretch, inStayMwh);
    const bounds = this.#boundsOf(grant, decided.life);
    if (bounds !== undefined) isWithin(grant, { ownMwh: mostOf(after), stayMwh: inStayMwh }, bounds);
    grant.rightMwh = Math.max(grant.rightMwh, mostOf(after));
  }

  /** Undefined: nothing is known of what flowed. */
  #boundsOf({ stretch, from }: Grant, life: number): Bounds | undefined {
    if (this.#stretches.get(stretch.connectorId) !== stretch) return undefined;
    const [before] = stretch.readings;
    if (stretch.life === undefined || from === undefined || before?.life !== life) return undefined;
    const ownMwh = this.#mostMwh(stretch, from);
    const isKnown = stretch.begunLife === stretch.life && !stretch.isUnsure;
    const stayMwh = isKnown ? this.#mostMwh(stretch, stretch.first ?? from) : Infinity;
    return { ownMwh, stayMwh };
  }

  /** By whichever reading was the last when it was claimed: what came at the same time is told in some order. */
  #mostMwh({ readings }: Stretch, from: Beginning): number {
    const nowMs = this.#nowMs();
    const jumpedMs = this.#jumpedMs - from.jumpedMs;
    let mostMwh = 0;
    for (const { trueMwh, atMs } of readings) {
      const unreadMs = (nowMs - Math.max(atMs, from.grantedMs)) * CLOCK_SLACK + jumpedMs;
      mostMwh = Math.max(mostMwh, trueMwh - from.trueMwh + (unreadMs * this.#powerMaxMw) / MS_PER_HOUR);
    }
    return mostMwh + SLACK_MWH;
  }

  /** What was decided in that step is on disk. */
  published(): void {
    const decided = this.#underWay;
    this.#underWay = undefined;
    if (decided === undefined) return;
    for (const grant of decided.grants) {
      this.#grants.set(grant.token, grant);
      if (grant.from !== undefined) grant.stretch.begunLife ??= decided.life;
    }
    for (const [grant, count] of decided.counts) grant.count = count;
    for (const [stretch, mwh] of decided.stays) stretch.countedMwh = mwh;
  }
}

const NOTHING: Count = { bookedMwh: 0, claimedMwh: 0 };

function mostOf({ bookedMwh, claimedMwh }: Count): number {
  return Math.max(bookedMwh, claimedMwh);
}

function isWithin({ token, stretch, rightMwh }: Grant, took: Bounds, saw: Bounds): void {
  const { connectorId } = stretch;
  assert.ok(
    took.ownMwh <= Math.max(saw.ownMwh, rightMwh),
    `law 5: attempt ${token} took ${took.ownMwh} mWh where the meter of ${connectorId} saw ${saw.ownMwh}`,
  );
  assert.ok(
    took.stayMwh <= saw.stayMwh,
    `law 5: with attempt ${token} a stay took ${took.stayMwh} mWh where the meter of ${connectorId} saw ${saw.stayMwh}`,
  );
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
