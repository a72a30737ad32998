/**
 * A pile's weeks in a simulated clock: vehicles come and go as a sessions file says, tasks are asked for, and a policy decides.
 *
 * The world is the truth that no policy sees: when a vehicle leaves, how long a task really takes. It holds every policy to the
 * same rules, and counts goodput and badput itself.
 */
import { Moments } from './moments.ts';
import type { Attempt, AttemptEnd, Decision, Donor, OpenTask, Policy } from './policy.ts';
import { countTask, newTally, type Tally } from './tally.ts';
import { fits, minus, plus, type HarvestTask, type Stay, type Vector } from './work.ts';

interface Scene {
  readonly stays: readonly Stay[];
  readonly tasks: readonly HarvestTask[];
  /** What every vehicle lends. */
  readonly whole: Vector;
  /** Every driver tells the truth: what the clairvoyant knows. */
  readonly told: boolean;
}

type Due =
  | { readonly kind: 'end'; readonly attempt: Attempt }
  | { readonly kind: 'deadline'; readonly open: OpenTask }
  | { readonly kind: 'leave'; readonly stay: Stay }
  | { readonly kind: 'chargingEnd'; readonly stay: Stay }
  | { readonly kind: 'arrive'; readonly stay: Stay }
  | { readonly kind: 'submit'; readonly task: HarvestTask }
  | { readonly kind: 'wake' };

/** In the same moment: what ends comes first, so that a result of the last millisecond counts and room is there for what arrives. */
const RANK: Readonly<Record<Due['kind'], number>> = {
  end: 0,
  deadline: 1,
  leave: 2,
  chargingEnd: 3,
  arrive: 4,
  submit: 5,
  wake: 6,
};

export function runWorld(scene: Scene, policy: Policy): Tally {
  return new World(scene, policy).run();
}

class World {
  readonly #scene: Scene;
  readonly #policy: Policy;
  readonly #moments = new Moments<Due>();
  readonly #donors = new Map<Stay, Donor>();
  readonly #stays = new Map<Donor, Stay>();
  readonly #open = new Set<OpenTask>();
  readonly #tally = newTally();
  #unsubmitted: number;
  #wakeMs = Infinity;
  #arrivals = 0;

  constructor(scene: Scene, policy: Policy) {
    this.#scene = scene;
    this.#policy = policy;
    this.#unsubmitted = scene.tasks.length;
    for (const stay of scene.stays) this.#add(stay.pluggedMs, { kind: 'arrive', stay });
    for (const task of scene.tasks) this.#add(task.submittedMs, { kind: 'submit', task });
  }

  /** Until every task has ended: vehicles go on coming after the last was asked for. */
  run(): Tally {
    while (this.#unsubmitted > 0 || this.#open.size > 0) {
      const nowMs = this.#moments.nextMs;
      if (nowMs === Infinity) throw new Error('tasks are open and nothing is due');
      while (this.#moments.nextMs === nowMs)
        this.#happen((this.#moments.take() as { what: Due }).what, nowMs);
      this.#policy.decide(nowMs, (decision) => this.#carryOut(decision, nowMs));
      this.#planWake(nowMs);
    }
    return this.#tally;
  }

  #add(atMs: number, due: Due): void {
    this.#moments.add(atMs, RANK[due.kind], due);
  }

  #planWake(nowMs: number): void {
    const wakeMs = this.#policy.nextWakeMs(nowMs);
    if (wakeMs === undefined || (wakeMs >= this.#wakeMs && this.#wakeMs > nowMs)) return;
    this.#wakeMs = Math.max(wakeMs, nowMs + 1);
    this.#add(this.#wakeMs, { kind: 'wake' });
  }

  #happen(due: Due, nowMs: number): void {
    switch (due.kind) {
      case 'end':
        if (due.attempt.open.attempt === due.attempt) this.#complete(due.attempt, nowMs);
        return;
      case 'deadline':
        if (this.#open.has(due.open)) this.#expire(due.open, nowMs);
        return;
      case 'leave':
        return this.#leave(due.stay, nowMs);
      case 'chargingEnd':
        return this.#endCharging(due.stay, nowMs);
      case 'arrive':
        return this.#arrive(due.stay, nowMs);
      case 'submit':
        return this.#submit(due.task, nowMs);
      case 'wake':
        return;
    }
  }

  #arrive(stay: Stay, nowMs: number): void {
    if (stay.lendsUntilMs <= nowMs) return;
    const donor: Donor = {
      number: this.#arrivals++,
      vehicle: stay.vehicle,
      connector: stay.connector,
      pluggedMs: stay.pluggedMs,
      whole: this.#scene.whole,
      free: this.#scene.whole,
      chargingEndedMs: undefined,
      statedDepartureMs: this.#scene.told ? stay.lendsUntilMs : stay.statedDepartureMs,
      running: new Set(),
    };
    this.#donors.set(stay, donor);
    this.#stays.set(donor, stay);
    this.#add(stay.lendsUntilMs, { kind: 'leave', stay });
    if (stay.chargingEndMs < stay.lendsUntilMs) this.#add(stay.chargingEndMs, { kind: 'chargingEnd', stay });
    this.#policy.arrived(donor, nowMs);
  }

  #endCharging(stay: Stay, nowMs: number): void {
    const donor = this.#donors.get(stay);
    if (donor === undefined) return;
    donor.chargingEndedMs = nowMs;
    this.#policy.chargingEnded(donor, nowMs);
  }

  #leave(stay: Stay, nowMs: number): void {
    const donor = this.#donors.get(stay) as Donor;
    for (const attempt of donor.running) {
      this.#keepWhatIsDone(attempt, nowMs, stay.graceful);
      this.#tally.lostAttempts += 1;
      this.#end(attempt, 'lost', nowMs);
    }
    this.#donors.delete(stay);
    this.#stays.delete(donor);
    this.#policy.left(donor, nowMs);
  }

  #submit(task: HarvestTask, nowMs: number): void {
    this.#unsubmitted -= 1;
    const open: OpenTask = { task, doneMs: 0, firstStartMs: undefined, attempt: undefined };
    this.#open.add(open);
    this.#policy.submitted(open, nowMs);
    this.#watchDeadline(open, nowMs);
  }

  /** The last moment to start, by what the scheduler is told, or to end. */
  #watchDeadline(open: OpenTask, nowMs: number): void {
    const { deadlineMs, estimateMs } = open.task;
    const latestMs = open.attempt === undefined ? deadlineMs - (estimateMs - open.doneMs) + 1 : deadlineMs;
    this.#add(Math.max(nowMs, Math.ceil(latestMs)), { kind: 'deadline', open });
  }

  #expire(open: OpenTask, nowMs: number): void {
    const { deadlineMs, estimateMs } = open.task;
    if (open.attempt === undefined) {
      // It may have been started and lost meanwhile with more done, and so have more time left.
      if (nowMs <= deadlineMs - (estimateMs - open.doneMs)) return;
      this.#close(open, nowMs, false);
      this.#policy.withdrawn(open, nowMs);
    } else if (nowMs >= deadlineMs) {
      const { attempt } = open;
      this.#end(attempt, 'deadline', nowMs);
      this.#close(open, nowMs, false);
    }
  }

  #complete(attempt: Attempt, nowMs: number): void {
    this.#end(attempt, 'completed', nowMs);
    this.#close(attempt.open, nowMs, true);
  }

  #close(open: OpenTask, nowMs: number, completed: boolean): void {
    this.#open.delete(open);
    const { task, firstStartMs } = open;
    countTask(this.#tally, task, (firstStartMs ?? nowMs) - task.submittedMs, completed);
  }

  #carryOut(decision: Decision, nowMs: number): void {
    if (decision.kind === 'stop') {
      this.#keepWhatIsDone(decision.attempt, nowMs, true);
      return this.#end(decision.attempt, 'stopped', nowMs);
    }
    const { open, donor, checkpointEveryMs = Infinity } = decision;
    const { task } = open;
    if (!this.#open.has(open) || open.attempt !== undefined) throw new Error(`${task.id} does not wait`);
    if (!this.#stays.has(donor)) throw new Error(`${donor.vehicle} does not lend`);
    if (!fits(task.demand, donor.free)) throw new Error(`${task.id} does not fit ${donor.vehicle}`);
    const attempt: Attempt = { open, donor, startedMs: nowMs, fromMs: open.doneMs, checkpointEveryMs };
    open.attempt = attempt;
    open.firstStartMs ??= nowMs;
    donor.running.add(attempt);
    donor.free = minus(donor.free, task.demand);
    const endsMs = nowMs + Math.ceil(task.durationMs - open.doneMs);
    if (endsMs <= task.deadlineMs) this.#add(endsMs, { kind: 'end', attempt });
    else this.#watchDeadline(open, nowMs);
  }

  /** What a later attempt goes on from: all of it where there was a grace, else the last checkpoint that was made as it ran. */
  #keepWhatIsDone(attempt: Attempt, nowMs: number, grace: boolean): void {
    const { open, startedMs, fromMs, checkpointEveryMs } = attempt;
    if (!open.task.checkpoints) return;
    const ranMs = nowMs - startedMs;
    if (grace) open.doneMs = fromMs + ranMs;
    else if (Number.isFinite(checkpointEveryMs)) open.doneMs = fromMs + ranMs - (ranMs % checkpointEveryMs);
  }

  #end(attempt: Attempt, how: AttemptEnd, nowMs: number): void {
    const { open, donor, startedMs } = attempt;
    this.#tally.held += open.task.dominant * (nowMs - startedMs);
    donor.running.delete(attempt);
    donor.free = plus(donor.free, open.task.demand);
    open.attempt = undefined;
    this.#policy.ended(attempt, how, nowMs);
    if (how === 'lost' || how === 'stopped') this.#watchDeadline(open, nowMs);
  }
}
