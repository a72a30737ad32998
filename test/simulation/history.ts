/**
 * Holds what every client said and heard against what the store says in the end: a list of what went over the wire and the tasks
 * on disk, in; every promise that was broken, out. Whoever recorded it, a simulation or real processes, it is plain data.
 */
import { CHECKER } from '../../agent/core/checks/checker.ts';
import { isDeepStrictEqual } from 'node:util';
import type { Delivery, DownBody, TaskId, UpBody } from '@plugpool/proto';
import type { AttemptRecord, TaskHistory } from '../../agent/core/records.ts';
import { deliveryOf } from '../../agent/core/tasks/task-end.ts';

/** One body at the client's end of its connection. `heard`: it arrived there; what was lost on the way is not in the list. */
export type HistoryEntry = {
  /** By the recorder's clock, which never goes back. */
  readonly atMs: number;
  /** `<vehicle>.<slot>`. */
  readonly client: string;
} & ({ readonly way: 'said'; readonly body: UpBody } | { readonly way: 'heard'; readonly body: DownBody });

/** What is on disk when it is over: every task that was not forgotten, with its history. */
export interface FinalStore {
  readonly tasks: readonly TaskHistory[];
}

export interface HistoryQuestion {
  readonly history: readonly HistoryEntry[];
  readonly store: FinalStore;
  /**
   * Faults have stopped long enough ago: every accepted task must have ended. Absent: it was cut short, and what is still on
   * its way is no violation.
   */
  readonly isOver?: boolean;
  /** Clients that were connected at the end, and stayed long enough to hear whatever is owed to them. */
  readonly present?: ReadonlySet<string>;
}

export interface HistoryViolation {
  /** What was promised, in few words: one of a closed list. */
  readonly promise: BrokenPromise;
  readonly detail: string;
  /** Where in the history it shows; absent where the store alone tells. */
  readonly atMs?: number;
}

export type BrokenPromise =
  | 'an accepted request is on disk'
  | 'a request becomes one task'
  | 'an accepted task ends'
  | 'a delivery is what the store says'
  | 'what was told once is told again'
  | 'whoever is there hears the end'
  | 'what was acknowledged is closed'
  | 'after the end there is no other news'
  | 'only what was delivered counts as delivered'
  | 'an acknowledged result counts'
  | 'a result has one answer'
  | 'an instance has one accepted result'
  | 'fencing tokens only grow'
  | 'only work that was handed in is credited'
  | 'debits equal credits';

type Found = HistoryViolation[];
/** Of one task, as its requester and its donors lived it. */
interface Told {
  readonly deliveries: { readonly atMs: number; readonly client: string; readonly delivery: Delivery }[];
  acknowledged: boolean;
}

export function checkHistory(question: HistoryQuestion): HistoryViolation[] {
  const found: Found = [];
  const tasks = new Map(question.store.tasks.map((each) => [each.task.taskId, each]));
  const told = toldOf(question.history);
  acceptedIsOnDisk(question, tasks, found);
  oneTaskEach(question, found);
  deliveriesAgree(told, tasks, found);
  noNewsAfterTheEnd(question.history, found);
  deliveredWasHeard(question, told, found);
  if (question.isOver === true) everythingEnded(question, told, found);
  resultsCount(question, found);
  resultsHaveOneAnswer(question, found);
  tokensGrow(question.history, found);
  creditsWereEarned(question, found);
  return found;
}

function toldOf(history: readonly HistoryEntry[]): Map<TaskId, Told> {
  const told = new Map<TaskId, Told>();
  const of = (taskId: TaskId): Told => {
    const known = told.get(taskId) ?? { deliveries: [], acknowledged: false };
    told.set(taskId, known);
    return known;
  };
  for (const { atMs, client, body } of history) {
    if (body.kind === 'delivery') of(body.taskId).deliveries.push({ atMs, client, delivery: body });
    if (body.kind === 'deliveryAck') of(body.taskId).acknowledged = true;
  }
  return told;
}

function vehicleOf(client: string): string {
  return client.slice(0, client.lastIndexOf('.'));
}

/** A promise of acceptance: the task that was named is there, and it is this request's. */
function acceptedIsOnDisk(
  { history }: HistoryQuestion,
  tasks: ReadonlyMap<TaskId, TaskHistory>,
  found: Found,
) {
  for (const { atMs, client, body } of history) {
    if (body.kind !== 'accepted') continue;
    const kept = tasks.get(body.taskId)?.task;
    if (kept?.requestId === body.requestId && kept.vehicleId === vehicleOf(client)) continue;
    const detail =
      kept === undefined
        ? `${client} was told that ${body.requestId} is ${body.taskId}, which is not on disk`
        : `${client} was told that ${body.requestId} is ${body.taskId}, which is ${kept.vehicleId}'s ${kept.requestId}`;
    found.push({ promise: 'an accepted request is on disk', detail, atMs });
  }
}

function oneTaskEach({ history, store }: HistoryQuestion, found: Found): void {
  const taskOf = new Map<string, TaskId>();
  const claim = (request: string, taskId: TaskId, atMs?: number): void => {
    const known = taskOf.get(request) ?? taskId;
    taskOf.set(request, known);
    if (known === taskId) return;
    const detail = `${request} is both ${known} and ${taskId}`;
    found.push({ promise: 'a request becomes one task', detail, ...(atMs === undefined ? {} : { atMs }) });
  };
  for (const { task } of store.tasks) claim(`${task.vehicleId}/${task.requestId}`, task.taskId);
  for (const { atMs, client, body } of history)
    if (body.kind === 'accepted' || body.kind === 'delivery')
      claim(`${vehicleOf(client)}/${body.requestId}`, body.taskId, atMs);
}

/** What a requester hears of an end is what is on disk, to the byte, however often it is said. */
function deliveriesAgree(
  told: ReadonlyMap<TaskId, Told>,
  tasks: ReadonlyMap<TaskId, TaskHistory>,
  found: Found,
): void {
  for (const [taskId, { deliveries }] of told) {
    const kept = tasks.get(taskId);
    const expected = kept?.end === undefined ? undefined : deliveryOf(kept.task, kept.end);
    const [first] = deliveries;
    for (const { atMs, client, delivery } of deliveries) {
      if (first !== undefined && !isDeepStrictEqual(delivery, first.delivery))
        found.push({
          promise: 'what was told once is told again',
          detail: `${client} heard another end of ${taskId} than before: ${differenceOf(first.delivery, delivery)}`,
          atMs,
        });
      if (expected !== undefined && isDeepStrictEqual(expected, delivery)) continue;
      const detail =
        expected === undefined
          ? `${client} heard that ${taskId} is ${delivery.state}; the store does not say so`
          : `${client} heard another end of ${taskId} than the store says: ${differenceOf(expected, delivery)}`;
      found.push({ promise: 'a delivery is what the store says', detail, atMs });
    }
  }
}

function differenceOf(left: Delivery, right: Delivery): string {
  const [one, other] = [left, right].map((each) => each as unknown as Record<string, unknown>);
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  const differing = [...keys].filter((key) => !isDeepStrictEqual(one?.[key], other?.[key]));
  return differing
    .map((key) => `${key} ${JSON.stringify(one?.[key])} ≠ ${JSON.stringify(other?.[key])}`)
    .join(', ');
}

/** A message may come twice, and the second time after the end: only what was not heard before is news. */
function noNewsAfterTheEnd(history: readonly HistoryEntry[], found: Found): void {
  const ended = new Set<string>();
  const heard = new Set<string>();
  for (const { atMs, client, body } of history) {
    if (body.kind === 'delivery') ended.add(`${client} ${body.taskId}`);
    if (body.kind !== 'taskUpdate') continue;
    const news = `${client} ${JSON.stringify(body)}`;
    if (ended.has(`${client} ${body.taskId}`) && !heard.has(news)) {
      const detail = `${client} heard that ${body.taskId} is ${body.state} after it had heard its end`;
      found.push({ promise: 'after the end there is no other news', detail, atMs });
    }
    heard.add(news);
  }
}

function deliveredWasHeard({ store }: HistoryQuestion, told: ReadonlyMap<TaskId, Told>, found: Found): void {
  for (const { task, delivered } of store.tasks) {
    // Nobody is told of what the pile asked itself.
    if (task.vehicleId === CHECKER) continue;
    const { acknowledged = false, deliveries = [] } = told.get(task.taskId) ?? {};
    if (delivered && (!acknowledged || deliveries.length === 0))
      found.push({
        promise: 'only what was delivered counts as delivered',
        detail: `${task.taskId} counts as delivered, and ${task.vehicleId} never ${acknowledged ? 'heard' : 'acknowledged'} it`,
      });
  }
}

/** Told by the wire or by the disk that it was accepted, it has ended; and who is there has heard how. */
function everythingEnded({ store, present }: HistoryQuestion, told: ReadonlyMap<TaskId, Told>, found: Found) {
  for (const { task, end, delivered } of store.tasks) {
    const isPresent = present?.has(`${task.vehicleId}.${task.slot}`) === true;
    if (isPresent && !delivered && told.get(task.taskId)?.acknowledged === true)
      found.push({
        promise: 'what was acknowledged is closed',
        detail: `${task.vehicleId} acknowledged the end of ${task.taskId}, and it is still owed`,
      });
    if (end === undefined) {
      const detail = `${task.taskId} of ${task.vehicleId} has not ended`;
      found.push({ promise: 'an accepted task ends', detail });
    } else if (isPresent && !told.has(task.taskId)) {
      const detail = `${task.vehicleId}.${task.slot} is there and never heard that ${task.taskId} is ${end.state}`;
      found.push({ promise: 'whoever is there hears the end', detail });
    }
  }
}

/**
 * A donor that was told that its result is accepted finds it in the history of the task. Of a lease under which it handed in both a
 * good one and a failure, one is taken, and the answer is about that.
 */
function resultsCount({ history, store }: HistoryQuestion, found: Found): void {
  const attempts = attemptsOf(store);
  const good = new Set<string>();
  const bad = new Set<string>();
  const accepted = new Map<string, number>();
  for (const { atMs, client, body } of history) {
    if (body.kind === 'result') (body.outcome.ok ? good : bad).add(leaseName(client, body.lease));
    if (body.kind !== 'resultAck' || !body.accepted) continue;
    const { instanceId, fencingToken } = body.lease;
    const name = leaseName(client, body.lease);
    const attempt = attempts.get(`${instanceId}/${fencingToken}`);
    const counts = attempt?.outcome === 'completed' && attempt.vehicleId === vehicleOf(client);
    if (!good.has(name) || (!counts && bad.has(name))) continue;
    const other = accepted.get(instanceId) ?? fencingToken;
    accepted.set(instanceId, fencingToken);
    if (other !== fencingToken) {
      const detail = `results of ${instanceId} under ${other} and under ${fencingToken} were both accepted`;
      found.push({ promise: 'an instance has one accepted result', detail, atMs });
    }
    if (counts) continue;
    const detail = `${client} was told that its result of ${instanceId} counts; the store says ${attempt?.outcome ?? 'nothing'}`;
    found.push({ promise: 'an acknowledged result counts', detail, atMs });
  }
}

/**
 * What a donor was told of a result it is told again, in whatever order the answers come: one that counts is never called void, and one
 * that is void never counts. What it said before the lease was offered to it is no result of its.
 */
function resultsHaveOneAnswer({ history, store }: HistoryQuestion, found: Found): void {
  const offered = new Set<string>();
  const answers = new Map<string, boolean>();
  const attempts = attemptsOf(store);
  for (const { atMs, client, body } of history) {
    if (body.kind === 'offer') offered.add(leaseName(client, body.lease));
    if (body.kind !== 'resultAck') continue;
    const name = leaseName(client, body.lease);
    if (!offered.has(name)) continue;
    const { accepted, lease } = body;
    const first = answers.get(name) ?? accepted;
    answers.set(name, first);
    const attempt = attempts.get(`${lease.instanceId}/${lease.fencingToken}`);
    if (first === accepted && (accepted || attempt?.handedIn !== true)) continue;
    const before = first === accepted ? 'the store says' : 'it had heard before';
    const detail = `${client} heard that its result of ${lease.instanceId} ${accepted ? 'counts' : 'is void'}; ${before} the opposite`;
    found.push({ promise: 'a result has one answer', detail, atMs });
  }
}

function attemptsOf({ tasks }: FinalStore): Map<string, AttemptRecord> {
  const all = tasks.flatMap(({ attempts }) => attempts);
  return new Map(all.map((each) => [`${each.instanceId}/${each.fencingToken}`, each]));
}

function leaseName(
  client: string,
  { instanceId, fencingToken }: { instanceId: string; fencingToken: number },
) {
  return `${client} ${instanceId}/${fencingToken}`;
}

/** A later attempt has a higher token, whoever runs it, whatever was restarted between. */
function tokensGrow(history: readonly HistoryEntry[], found: Found): void {
  const tokens = new Map<string, Map<number, number>>();
  for (const { atMs, body } of history) {
    if (body.kind !== 'offer') continue;
    const { instanceId, fencingToken } = body.lease;
    const ofInstance = tokens.get(instanceId) ?? new Map<number, number>();
    tokens.set(instanceId, ofInstance);
    const known = ofInstance.get(body.attempt) ?? fencingToken;
    ofInstance.set(body.attempt, fencingToken);
    const isWrong = [...ofInstance].some(
      ([attempt, token]) => attempt < body.attempt !== token < fencingToken && attempt !== body.attempt,
    );
    if (known === fencingToken && !isWrong) continue;
    const detail = `attempt ${body.attempt} of ${instanceId} has the token ${fencingToken}, beside ${[...ofInstance].join(' ')}`;
    found.push({ promise: 'fencing tokens only grow', detail, atMs });
  }
}

/** Every booking adds up to nothing, and whom it credits had handed something in under that lease. */
function creditsWereEarned({ history, store }: HistoryQuestion, found: Found): void {
  const handedIn = new Set<string>();
  for (const { client, body } of history)
    if ((body.kind === 'result' && body.outcome.ok) || body.kind === 'checkpoint')
      handedIn.add(leaseName(vehicleOf(client), body.lease));
  for (const { bookings, task } of store.tasks)
    for (const { instanceId, fencingToken, entries } of bookings) {
      for (const [unit, those] of Map.groupBy(entries, (entry) => entry.unit)) {
        const sum = those.reduce((total, { amount }) => total + amount, 0);
        const detail = `a booking of ${task.taskId} adds up to ${sum} ${unit}`;
        if (sum !== 0) found.push({ promise: 'debits equal credits', detail });
      }
      for (const { account, amount } of entries) {
        if (amount <= 0 || !account.startsWith('vehicle:')) continue;
        const vehicleId = account.slice('vehicle:'.length);
        if (handedIn.has(leaseName(vehicleId, { instanceId, fencingToken }))) continue;
        const detail = `${vehicleId} is credited for ${instanceId}/${fencingToken} and handed nothing in`;
        found.push({ promise: 'only work that was handed in is credited', detail });
      }
    }
}
