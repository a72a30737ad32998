/**
 * Whether energy flows in a session, and who stopped it where it does not.
 *
 * What flows is believed before what is announced: CCS with a current is charging, whatever the flags say. Without one, the
 * charger's pause (CCS) is `suspendedEVSE`; the battery's ban (BSM) is `suspendedEV`; and where neither is said, a vehicle that
 * still asks for current (BCL) gets none from the charger, and one that asks for none has stopped itself. A charger that is
 * silent supplies nothing that anybody could know of.
 */
import type { ChargerStatus, ErrorReport, Message, StopReasons } from './message.ts';
import type { Stage } from './stage.ts';
import { CHARGING_SILENCE_MS_MAX, NO_CURRENT_MS_MIN } from './timeouts.ts';
import type { Told } from '../told.ts';

/** Below this a current is noise of the measurement: 0.1 A is the unit. */
const CURRENT_A_MIN = 0.5;

type Flow = 'none' | 'charging' | 'suspendedEV' | 'suspendedEVSE' | 'stopped';

export class ChargingState {
  #flow: Flow = 'none';
  #hasCharged = false;
  #faultTold = '';
  /** Of the charger in the charging stage: its last CCS, or when it was first due. */
  #chargerHeardMs: number | undefined;
  #currentSeenMs = 0;
  #demandA: number | undefined;
  #demandHeardMs = -Infinity;
  #batteryForbids = false;

  *follow(stage: Stage, message: Message, nowMs: number): Generator<Told> {
    if (stage !== 'charging') this.#chargerHeardMs = undefined;
    else this.#chargerHeardMs ??= nowMs;
    switch (message.kind) {
      case 'BCL':
        this.#demandA = message.currentA;
        this.#demandHeardMs = nowMs;
        break;
      case 'BSM':
        this.#batteryForbids = message.charging === 'forbidden';
        break;
      case 'CCS':
        // What still flows while an error breaks the charging off is its end.
        if (stage !== 'charging') break;
        this.#chargerHeardMs = nowMs;
        yield* this.#become(this.#judge(message, nowMs));
        break;
      case 'BST':
      case 'CST':
        yield* this.#stop(message);
        break;
      case 'BSD':
      case 'CSD':
        yield* this.#become('stopped');
        break;
      case 'BEM':
      case 'CEM':
        yield* this.#breakOff(message);
        break;
      default:
    }
  }

  *pass(stage: Stage, vehicleHeardMs: number, nowMs: number): Generator<Told> {
    if (nowMs >= this.nextDueMs(stage, vehicleHeardMs)) yield* this.#become('suspendedEVSE');
  }

  /**
   * When the charger's silence means that it supplies nothing; `Infinity`: not as things are. Where the vehicle stopped
   * speaking with it, the bus is silent, and that is not for here to judge.
   */
  nextDueMs(stage: Stage, vehicleHeardMs: number): number {
    const heardMs = this.#chargerHeardMs;
    const isPast = this.#flow === 'suspendedEVSE' || this.#flow === 'stopped';
    if (stage !== 'charging' || heardMs === undefined || isPast) return Infinity;
    const isAlone = vehicleHeardMs - heardMs >= CHARGING_SILENCE_MS_MAX / 2;
    return isAlone ? heardMs + CHARGING_SILENCE_MS_MAX : Infinity;
  }

  /** After `plugged` was said anew: what ended has ended; what flows is said by the next CCS. */
  *restate(): Generator<Told> {
    this.#faultTold = '';
    if (this.#flow === 'stopped') yield { kind: 'chargingStopped' };
    else this.#flow = 'none';
    this.#chargerHeardMs = undefined;
  }

  #judge({ currentA, output }: ChargerStatus, nowMs: number): Flow {
    if (currentA !== undefined && currentA >= CURRENT_A_MIN) {
      this.#currentSeenMs = nowMs;
      this.#hasCharged = true;
      return 'charging';
    }
    if (output === 'paused') return 'suspendedEVSE';
    if (this.#batteryForbids) return 'suspendedEV';
    // Insulation test and pre-charging come first, and are no pause.
    if (!this.#hasCharged || nowMs - this.#currentSeenMs < NO_CURRENT_MS_MIN) return this.#flow;
    return this.#asksForCurrent(nowMs) ? 'suspendedEVSE' : 'suspendedEV';
  }

  /** A demand that is too old to hold is taken for one: supply is what we must not assume. */
  #asksForCurrent(nowMs: number): boolean {
    if (nowMs - this.#demandHeardMs > CHARGING_SILENCE_MS_MAX) return true;
    return this.#demandA === undefined || this.#demandA >= CURRENT_A_MIN;
  }

  *#become(flow: Flow): Generator<Told> {
    if (flow === this.#flow || this.#flow === 'stopped') return;
    this.#flow = flow;
    if (flow === 'charging') yield { kind: 'chargingStarted' };
    else if (flow === 'suspendedEV') yield { kind: 'suspended', by: 'EV' };
    else if (flow === 'suspendedEVSE') yield { kind: 'suspended', by: 'EVSE' };
    else if (flow === 'stopped') yield { kind: 'chargingStopped' };
  }

  *#stop({ kind, faults }: StopReasons): Generator<Told> {
    yield* this.#become('stopped');
    if (faults.length > 0) yield* this.#fault(`${kind}: ${faults.join(', ')}`);
  }

  *#breakOff({ kind, timedOut }: ErrorReport): Generator<Told> {
    if (timedOut.length === 0) return;
    if (this.#flow !== 'stopped') this.#flow = 'none';
    yield* this.#fault(`${kind}: waited in vain for ${timedOut.join(', ')}`);
  }

  /** Each is repeated every 250 ms until it is answered, and told once. */
  *#fault(reason: string): Generator<Told> {
    if (reason === this.#faultTold) return;
    this.#faultTold = reason;
    yield { kind: 'faulted', reason };
  }
}
