/**
 * How a running job gives way: a ladder that it climbs rung by rung, each with its grace.
 *
 *   running ⇄ finishing ──► suspended ──► checkpointing ──► stopping ──► killed
 *      ▲            └──────────┤ ▲
 *      └─── the cause clears ──┘ └── running, where the processor is needed at once
 *
 * `running` nothing presses it; `finishing` it computes on, and may end by itself; `suspended` its processes are stopped where
 * they are: the owner's processor is free, its memory is not; `checkpointing` it is still stopped, and what it kept is on its
 * way to the pile; `stopping` it is asked to end; `killed` its processes are ended. What moves it: a cause, a rung's grace that
 * is over, the pile having what was kept, and the cause clearing, which takes it back to `running` from the first three rungs
 * with nothing lost. From `checkpointing` on, and from a revocation at any rung, there is no way back: the pile was told.
 * No later notice gives a job more time than an earlier one. Pure: the times come in, what is to be done comes out.
 */
import type { RevokeReason } from '@plugpool/proto';
import type { NotLendingCause } from './policy.ts';

export type EvictionCause = NotLendingCause | RevokeReason;

/** No pile may make a job linger for longer than this after it was revoked. */
export const GRACE_MAX_MS = 10 * 60 * 1000;

/** How long a job may stay on each rung. */
export interface Graces {
  readonly finishMs: number;
  readonly suspendMs: number;
  readonly checkpointMs: number;
  readonly stopMs: number;
}

/** Why a job must give way now. */
export interface Pressure {
  readonly cause: EvictionCause;
  readonly graces: Graces;
  /** Of a revocation: it does not clear. */
  readonly isFinal: boolean;
  /** When it must be gone at latest. */
  readonly endMonoMs: number;
}

interface Climbing {
  readonly cause: EvictionCause;
  readonly isFinal: boolean;
  readonly graces: Graces;
  /** When the next rung is due. */
  readonly untilMonoMs: number;
  readonly endMonoMs: number;
}

export type Rung =
  | { readonly rung: 'running' }
  | ({ readonly rung: 'finishing' | 'suspended' | 'checkpointing' | 'stopping' } & Climbing)
  | { readonly rung: 'killed' };

export type Act = 'suspend' | 'resume' | 'ship' | 'stop' | 'kill';

export interface Climb {
  readonly at: Rung;
  /** To be done in this order. */
  readonly acts: readonly Act[];
}

export interface Look {
  readonly pressure: Pressure | undefined;
  /** What the job kept is newer than what the pile has. */
  readonly hasNews: boolean;
  readonly nowMonoMs: number;
}

export const RUNNING: Rung = { rung: 'running' };

const CHECKPOINT_MS = 10_000;
const STOP_MS = 1_000;

/** What the vehicle itself grants a running job once its owner's policy stops lending. */
export function ownGraces(cause: NotLendingCause): Graces {
  const climbing = { checkpointMs: CHECKPOINT_MS, stopMs: STOP_MS };
  switch (cause) {
    // The owner needs the processor this instant, or the machine does; both may pass.
    case 'ignition_on':
    case 'not_charging':
    case 'ready_by':
    case 'settling':
      return { finishMs: 0, suspendMs: 30_000, ...climbing };
    case 'too_hot':
      return { finishMs: 0, suspendMs: 60_000, ...climbing };
    case 'battery_low':
      return { finishMs: 0, suspendMs: 10_000, ...climbing };
    case 'paused':
      return { finishMs: 0, suspendMs: 3_000, ...climbing };
    case 'leaving':
      return { finishMs: 10_000, suspendMs: 0, ...climbing };
    // Nobody needs the processor back this minute: what runs may end.
    case 'outside_hours':
    case 'no_sample':
      return { finishMs: 60_000, suspendMs: 0, ...climbing };
  }
}

export function ownPressure(cause: NotLendingCause, nowMonoMs: number): Pressure {
  const graces = ownGraces(cause);
  const { finishMs, suspendMs, checkpointMs, stopMs } = graces;
  const endMonoMs = nowMonoMs + finishMs + suspendMs + checkpointMs + stopMs;
  return { cause, graces, isFinal: false, endMonoMs };
}

/** One that keeps its state is stopped and shipped at once; one that does not has only its end to hope for, and computes on. */
export function revocation(
  { reason, graceMs }: { readonly reason: RevokeReason; readonly graceMs: number },
  keepsState: boolean,
  nowMonoMs: number,
): Pressure {
  const graceBoundMs = Math.min(Math.max(0, graceMs), GRACE_MAX_MS);
  const graces = {
    finishMs: keepsState ? 0 : graceBoundMs,
    suspendMs: 0,
    checkpointMs: keepsState ? graceBoundMs : 0,
    stopMs: Math.min(STOP_MS, graceBoundMs),
  };
  return { cause: reason, graces, isFinal: true, endMonoMs: nowMonoMs + graceBoundMs };
}

/** Where the job stands now, and what is to be done about it. Called whenever anything of the look changed, and when a grace is over. */
export function climb(from: Rung, look: Look): Climb {
  const acts: Act[] = [];
  let at = from;
  // Each rung is left at most once, but for the way back.
  for (let moves = 0; moves < RUNGS; moves++) {
    const next = move(at, look);
    if (next === undefined) break;
    acts.push(...actsBetween(at, next));
    at = next;
  }
  return { at, acts };
}

const RUNGS = 6;

/** When `climb` is to be asked again though nothing else happened. */
export function nextClimbMonoMs(at: Rung): number | undefined {
  return at.rung === 'running' || at.rung === 'killed' ? undefined : Math.min(at.untilMonoMs, at.endMonoMs);
}

/** Until then the cause may pass and the job go on. */
export function mayGoOn(at: Rung): boolean {
  return (at.rung === 'finishing' || at.rung === 'suspended') && !at.isFinal;
}

/** Its processes are stopped. */
export function isStill({ rung }: Rung): boolean {
  return rung === 'suspended' || rung === 'checkpointing';
}

function move(at: Rung, look: Look): Rung | undefined {
  const { pressure, nowMonoMs } = look;
  if (at.rung === 'killed') return undefined;
  if (at.rung === 'running') return pressure === undefined ? undefined : entered(pressure, nowMonoMs);
  const pressed = pressedBy(at, pressure, nowMonoMs);
  if (nowMonoMs >= pressed.endMonoMs) return { rung: 'killed' };
  if (pressure === undefined && mayGoOn(pressed)) return RUNNING;
  const isOver = nowMonoMs >= pressed.untilMonoMs;
  switch (pressed.rung) {
    case 'finishing':
      return isOver || needsProcessor(pressed, pressure)
        ? stepTo('suspended', pressed, nowMonoMs)
        : same(at, pressed);
    case 'suspended':
      return isOver ? stepTo('checkpointing', pressed, nowMonoMs) : same(at, pressed);
    case 'checkpointing':
      return isOver || !look.hasNews ? stepTo('stopping', pressed, nowMonoMs) : same(at, pressed);
    case 'stopping':
      return isOver ? { rung: 'killed' } : same(at, pressed);
  }
}

function entered(pressure: Pressure, nowMonoMs: number): Rung {
  const { cause, isFinal, graces, endMonoMs } = pressure;
  const first = graces.finishMs > 0 ? 'finishing' : 'suspended';
  const untilMonoMs = nowMonoMs + (first === 'finishing' ? graces.finishMs : graces.suspendMs);
  return { rung: first, cause, isFinal, graces, endMonoMs, untilMonoMs };
}

type OnLadder = Exclude<Rung, { rung: 'running' } | { rung: 'killed' }>;

/** Another cause shortens what is left of every grace, and never prolongs it. */
function pressedBy(at: OnLadder, pressure: Pressure | undefined, nowMonoMs: number): OnLadder {
  if (pressure === undefined || pressure.cause === at.cause || (at.isFinal && !pressure.isFinal)) return at;
  const graces = {
    finishMs: Math.min(at.graces.finishMs, pressure.graces.finishMs),
    suspendMs: Math.min(at.graces.suspendMs, pressure.graces.suspendMs),
    checkpointMs: Math.min(at.graces.checkpointMs, pressure.graces.checkpointMs),
    stopMs: Math.min(at.graces.stopMs, pressure.graces.stopMs),
  };
  return {
    ...at,
    cause: pressure.cause,
    isFinal: pressure.isFinal,
    graces,
    untilMonoMs: Math.min(at.untilMonoMs, nowMonoMs + graceOf(at.rung, graces)),
    endMonoMs: Math.min(at.endMonoMs, pressure.endMonoMs),
  };
}

function needsProcessor({ graces }: OnLadder, pressure: Pressure | undefined): boolean {
  return graces.finishMs === 0 && pressure !== undefined;
}

function stepTo(rung: OnLadder['rung'], at: OnLadder, nowMonoMs: number): OnLadder {
  return { ...at, rung, untilMonoMs: Math.min(at.endMonoMs, nowMonoMs + graceOf(rung, at.graces)) };
}

function graceOf(rung: OnLadder['rung'], graces: Graces): number {
  switch (rung) {
    case 'finishing':
      return graces.finishMs;
    case 'suspended':
      return graces.suspendMs;
    case 'checkpointing':
      return graces.checkpointMs;
    case 'stopping':
      return graces.stopMs;
  }
}

/** Undefined where nothing moved. */
function same(before: Rung, after: OnLadder): Rung | undefined {
  return before === after ? undefined : after;
}

function actsBetween(from: Rung, to: Rung): Act[] {
  if (from.rung === to.rung) return [];
  switch (to.rung) {
    case 'running':
      return from.rung === 'suspended' ? ['resume'] : [];
    case 'finishing':
      return [];
    case 'suspended':
      return ['suspend'];
    case 'checkpointing':
      return ['ship'];
    case 'stopping':
      return ['stop'];
    case 'killed':
      return ['kill'];
  }
}
