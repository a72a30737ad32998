/** Turns stays into the events that a pile would have told, in the order of time; pure, so that simulators use it as well. */
import type { VehicleId } from '@plugpool/proto';
import type { FirmwareFact } from '../firmware-fact.ts';
import { byStart } from './session-row.ts';
import type { SessionRow } from './session-row.ts';

/** `fact` became true at `simulatedMs`, on the scale of the rows' times. Durations inside it are on that scale too. */
export interface TimedFirmwareEvent {
  readonly simulatedMs: number;
  readonly fact: FirmwareFact;
}

export interface PlanOptions {
  /** The power that estimates the end of charging where the file does not say it. W, above 0. */
  readonly chargingPowerW: number;
  /** One meter sample each. ms, above 0. */
  readonly meterEveryMs: number;
  /** Who is plugged in, by the connector's name in the file or by its id. */
  readonly vehicles?: ReadonlyMap<string, VehicleId> | undefined;
  /** Stays that were over by then are left out; of one under way, meter samples before it are (all but the last). */
  readonly fromMs?: number | undefined;
  /** Stands before the line number in transaction ids, so that a second round's differ from the first's. */
  readonly transactionPrefix?: string | undefined;
}

const HOUR_MS = 3_600_000;

/**
 * Events in the order of `simulatedMs`; at one connector in the order in which they happened.
 * Rows may come in any order; no two of one connector may overlap (`readSessions` sees to it).
 */
export function* planSessions(
  rows: readonly SessionRow[],
  options: PlanOptions,
): Generator<TimedFirmwareEvent> {
  const waiting = rows.filter((row) => row.unpluggedMs > (options.fromMs ?? -Infinity)).sort(byStart);
  const active = new StayQueue();
  let next = 0;
  for (;;) {
    for (
      let row = waiting[next];
      row !== undefined && row.pluggedMs <= active.nextMs;
      row = waiting[++next]
    ) {
      active.add(planStay(row, options), next);
    }
    const event = active.take();
    if (event === undefined) return;
    yield event;
  }
}

/** What one stay makes the pile say. */
function* planStay(row: SessionRow, options: PlanOptions): Generator<TimedFirmwareEvent> {
  const { connectorId, pluggedMs, unpluggedMs } = row;
  const transactionId = `${options.transactionPrefix ?? 'replay-'}${row.line}`;
  const charging = planCharging(row, options.chargingPowerW);
  const vehicleId = options.vehicles?.get(row.connector) ?? options.vehicles?.get(connectorId);
  const plugged = (fact: FirmwareFact): TimedFirmwareEvent => ({ simulatedMs: pluggedMs, fact });

  yield plugged({ kind: 'plugged', connectorId });
  if (vehicleId !== undefined) {
    yield plugged({ kind: 'identity', connectorId, vehicleId, assurance: 'operator' });
  }
  yield plugged({ kind: 'transactionStarted', connectorId, transactionId });
  if (charging.endMs > pluggedMs) yield plugged({ kind: 'chargingStarted', connectorId });
  if (row.statedDepartureMs !== undefined) {
    yield plugged({ kind: 'evInfo', connectorId, departureInMs: row.statedDepartureMs - pluggedMs });
  }
  yield* planMeter(row, charging, options);
  if (charging.endMs < unpluggedMs) {
    yield { simulatedMs: charging.endMs, fact: { kind: 'suspended', connectorId, by: 'EV' } };
  }
  yield { simulatedMs: unpluggedMs, fact: { kind: 'transactionEnded', connectorId, transactionId } };
  yield { simulatedMs: unpluggedMs, fact: { kind: 'unplugged', connectorId } };
}

interface Charging {
  readonly endMs: number;
  /** Undefined where the row does not tell the energy. */
  readonly delivered: { readonly energyMwh: number; readonly powerMw: number } | undefined;
}

/** Charging begins at once and goes on at even power: where the file has no more to say, no more is invented. */
function planCharging(row: SessionRow, chargingPowerW: number): Charging {
  const { pluggedMs, unpluggedMs, energyMwh, chargingEndedMs } = row;
  if (energyMwh === undefined) return { endMs: chargingEndedMs ?? unpluggedMs, delivered: undefined };
  const estimatedMs = pluggedMs + Math.ceil((energyMwh / (chargingPowerW * 1000)) * HOUR_MS);
  const endMs = chargingEndedMs ?? Math.min(unpluggedMs, estimatedMs);
  const hours = (endMs - pluggedMs) / HOUR_MS;
  return { endMs, delivered: { energyMwh, powerMw: hours === 0 ? 0 : Math.round(energyMwh / hours) } };
}

/** Samples while it charges, and one with the whole energy at its end. */
function* planMeter(
  row: SessionRow,
  charging: Charging,
  options: PlanOptions,
): Generator<TimedFirmwareEvent> {
  if (charging.delivered === undefined) return;
  const { connectorId, pluggedMs } = row;
  const { energyMwh, powerMw } = charging.delivered;
  const skipped = Math.max(0, Math.floor(((options.fromMs ?? pluggedMs) - pluggedMs) / options.meterEveryMs));
  for (let sample = skipped; ; sample++) {
    const simulatedMs = pluggedMs + sample * options.meterEveryMs;
    if (simulatedMs >= charging.endMs) break;
    const share = (simulatedMs - pluggedMs) / (charging.endMs - pluggedMs);
    yield {
      simulatedMs,
      fact: { kind: 'meter', connectorId, powerMw, energyMwh: Math.floor(energyMwh * share) },
    };
  }
  yield { simulatedMs: charging.endMs, fact: { kind: 'meter', connectorId, powerMw: 0, energyMwh } };
}

interface Stay {
  /** Its place among all stays: decides between events of one moment, so that a connector is left before it is taken. */
  readonly order: number;
  next: TimedFirmwareEvent;
  readonly rest: Generator<TimedFirmwareEvent>;
}

/** The stays under way, earliest next event first (a binary heap); as many as there are connectors at most. */
class StayQueue {
  readonly #heap: Stay[] = [];

  get nextMs(): number {
    return this.#heap[0]?.next.simulatedMs ?? Infinity;
  }

  add(rest: Generator<TimedFirmwareEvent>, order: number): void {
    const first = rest.next();
    if (first.done === true) return;
    this.#heap.push({ order, next: first.value, rest });
    this.#rise(this.#heap.length - 1);
  }

  take(): TimedFirmwareEvent | undefined {
    const stay = this.#heap[0];
    if (stay === undefined) return undefined;
    const event = stay.next;
    const following = stay.rest.next();
    if (following.done !== true) stay.next = following.value;
    else this.#removeFirst();
    this.#sink(0);
    return event;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#heap[0] = last;
  }

  #rise(from: number): void {
    for (let index = from; index > 0;) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfEarlier(index, parent)) return;
      index = parent;
    }
  }

  #sink(from: number): void {
    for (let index = from; ;) {
      const left = 2 * index + 1;
      const child = this.#isEarlier(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfEarlier(child, index)) return;
      index = child;
    }
  }

  #swapIfEarlier(index: number, than: number): boolean {
    const [a, b] = [this.#heap[index], this.#heap[than]];
    if (a === undefined || b === undefined || !this.#isEarlier(index, than)) return false;
    this.#heap[index] = b;
    this.#heap[than] = a;
    return true;
  }

  #isEarlier(index: number, than: number): boolean {
    const [a, b] = [this.#heap[index], this.#heap[than]];
    if (a === undefined) return false;
    if (b === undefined) return true;
    return (a.next.simulatedMs - b.next.simulatedMs || a.order - b.order) < 0;
  }
}
