/**
 * Asks a donor that is believed something whose answer is known, as an offer like any other: drawn by lot at a grant, asked a
 * random while later, so that neither the one nor the other tells when. It takes only what is left when everybody who waits was
 * served, and waits for nothing.
 */
import type { RequestId, Slot, TaskId, VehicleId } from '@plugpool/proto';
import type { Judged } from '../constraint/facts.ts';
import { choose } from '../feasible/feasible.ts';
import { CHECK_TRIES_MAX, CHECK_WITHIN_MS } from '../limits.ts';
import { isPossible } from '../matching/donor-search.ts';
import { Plan } from '../matching/plan.ts';
import { countInline } from '../payloads/inline-bytes.ts';
import { nextUint32 } from '../random.ts';
import type { AlgorithmRecord, TaskRecord } from '../records.ts';
import { ownerOf } from '../replicas/owner.ts';
import type { CheckDue, Donor, Task } from '../state.ts';
import { nextTaskId } from '../tasks/next-task-id.ts';
import { newInstance, newTask, registerTask } from '../tasks/open-task.ts';
import { log, write, type Turn } from '../turn.ts';
import { countAsking } from '../waiting/asked.ts';
import { neededBy } from '../waiting/line.ts';
import type { Way } from '../waiting/need.ts';
import { CHECKER } from './checker.ts';
import type { KnownAnswer } from './known-answers.ts';

/** At a grant to one whose results are believed. */
export function drawCheck(turn: Turn, { vehicleId }: Donor, { key }: Way, { record }: Task): void {
  const { state } = turn;
  const { spotCheckMillis, trustAfter } = state.settings;
  if (spotCheckMillis === 0 || trustAfter === 0 || state.checksDue.has(vehicleId)) return;
  if (share(nextUint32(state.random)) * 1000 >= spotCheckMillis) return;
  askLater(turn, vehicleId, { algorithmKey: key, triesLeft: CHECK_TRIES_MAX, like: likenessOf(record) });
}

/** Without its input, which may be large. */
function likenessOf({ vehicleId, wants, acceptedWallMs, deadlineWallMs }: TaskRecord): Judged {
  return { vehicleId, acceptedWallMs, deadlineWallMs, ...(wants === undefined ? {} : { wants }) };
}

function askLater({ state, now }: Turn, vehicleId: VehicleId, due: CheckDue): void {
  state.checksDue.set(vehicleId, due);
  const delayMs = share(nextUint32(state.random)) * CHECK_WITHIN_MS;
  state.timers.set(`check:${vehicleId}`, now.monoMs + delayMs);
}

function share(uint32: number): number {
  return uint32 / 2 ** 32;
}

/** When everything else of the step is granted. A donor that has no room is asked later, and not for ever. */
export function issueChecks(turn: Turn): void {
  const { state, checks } = turn;
  for (const vehicleId of checks) {
    const due = state.checksDue.get(vehicleId);
    state.checksDue.delete(vehicleId);
    const algorithm = state.algorithms.get(due?.algorithmKey ?? '');
    const donor = state.donors.get(vehicleId);
    if (state.stopping || due === undefined || donor === undefined || algorithm?.state !== 'active') continue;
    const isAsked = state.index.has(donor) && issue(turn, donor, algorithm, due.like);
    if (!isAsked && due.triesLeft > 0) askLater(turn, vehicleId, { ...due, triesLeft: due.triesLeft - 1 });
  }
}

/** False: it is not possible now. */
function issue(turn: Turn, donor: Donor, algorithm: AlgorithmRecord, like: Judged): boolean {
  const { state, now } = turn;
  const owner = ownerOf(state.settings, donor.vehicleId);
  const answer = state.answers.pick(`${algorithm.id}@${algorithm.version}`, owner, state.random);
  if (answer === undefined) return false;
  const { deadlineMs, record } = checkRecord(turn, algorithm, answer);
  const task = newTask(record, now.monoMs + deadlineMs);
  task.check = answer;
  task.judgedAs = like;
  const instance = newInstance(state, task, { index: 0, number: 0, replica: 0 }, now.monoMs);
  task.instances = [instance];
  const need = neededBy(state, instance);
  const choice = choose(state, need, donor, now);
  if (choice === undefined || !isPossible(turn, instance, donor, choice)) return false;
  accept(turn, task);
  state.answers.asked(answer, owner);
  const plan = new Plan(turn);
  plan.place({ instance, need, donor, choice });
  plan.carryOut();
  return true;
}

function accept(turn: Turn, task: Task): void {
  const { state } = turn;
  registerTask(state, task);
  countInline(state, task.record, 1);
  countAsking(state, task.record, 1);
  state.counters.accepted += 1;
  write(turn, { change: 'insertTask', task: task.record });
  log(turn, 'debug', 'spot check', { taskId: task.record.taskId });
}

function checkRecord(
  turn: Turn,
  algorithm: AlgorithmRecord,
  { args, input }: KnownAnswer,
): { readonly record: TaskRecord; readonly deadlineMs: number } {
  const { state, now } = turn;
  const taskId: TaskId = nextTaskId(state);
  // As of a request that states none: by a shorter one the limits of the offer would tell what it is.
  const deadlineMs = state.settings.deadlineDefaultMs;
  const record: TaskRecord = {
    taskId,
    vehicleId: CHECKER,
    slot: 'ask-1' as Slot,
    requestId: taskId as string as RequestId,
    bodyHash: '',
    selector: { by: 'algorithm', algorithmId: algorithm.id, version: algorithm.version },
    args,
    input: { where: 'inline', bytes: input },
    acceptedWallMs: now.wallMs,
    deadlineWallMs: now.wallMs + deadlineMs,
  };
  return { record, deadlineMs };
}

/** A timer of a donor's check fell due: it is asked at the end of the step. */
export function onCheckDue(turn: Turn, vehicleId: VehicleId): void {
  if (turn.state.checksDue.has(vehicleId)) turn.checks.push(vehicleId);
}
