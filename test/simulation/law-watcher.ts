/**
 * Looks at every step of a simulated agent: at what changed in each, at everything from time to time. It keeps a model of the disk
 * beside whatever the agent writes to, knows what arrived and over which connection, and who computes what.
 */
import assert from 'node:assert/strict';
import { vehicleIdOf } from '@plugpool/proto';
import type { InstanceId, Now, Offer, TaskId, VehicleId } from '@plugpool/proto';
import type { Effects } from '../../agent/core/effects.ts';
import type { Event } from '../../agent/core/events.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import type { State } from '../../agent/core/state.ts';
import { checkStanding, checkStep } from './laws.ts';
import { LawOfEnergy } from './laws-of-energy.ts';
import type { Observed } from './observed.ts';
import type { AgentWatcher, SimulatedAgent } from './simulated-agent.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import type { SentBody } from './simulated-pile.ts';
import type { World } from './world.ts';

/** Clocks of the pile and of the world may be this far apart, of each 1,000. */
const CLOCK_SLACK_MILLIS = 25;
/** An offer that was longer on its way than this part of its lease begins too late for the donor's own count to help. */
const LATE_OFFER_MILLIS = 100;
const SPEED_MILLIS_MAX = 2_000;
/** The agent was away, or its disk refused what it had decided. */
const LATE_MAX_MS = 60_000;

interface Computing {
  readonly vehicleId: string;
  readonly offer: Offer;
  readonly lateMs: number;
}

export class LawWatcher implements AgentWatcher {
  readonly disk = new SimulatedDisk();
  /** Where the station has meters. */
  readonly energy: LawOfEnergy | undefined;
  steps = 0;
  readonly #world: World;
  readonly #preempted = new Set<string>();
  /** When each fencing token was granted, by the world's clock. */
  readonly #grantedMs = new Map<number, number>();
  /** Results of this step, and checkpoints of any, that came over the connection of the moment: `vehicle instance/token`. */
  readonly #results = new Set<string>();
  readonly #checkpoints = new Set<string>();
  /** Vehicles of whom something was heard since the last step. */
  readonly #heardOf = new Set<string>();
  readonly #computing = new Map<InstanceId, Computing[]>();
  readonly #steppedAt = new Map<SimulatedAgent, Now>();
  /** By the number of the operator's question. */
  readonly #drainsAsked = new Map<number, VehicleId | 'all'>();
  /** Of whom the operator was told that they are drained. */
  readonly #drained = new Set<string>();
  #sent = 0;

  constructor(world: World) {
    this.#world = world;
    const { metering, settings } = world.options;
    if (metering !== undefined)
      this.energy = new LawOfEnergy(settings.computingPowerMaxMw, () => world.agenda.nowMs);
  }

  /** By the world's clock, which nobody sets. */
  get nowMs(): number {
    return this.#world.agenda.nowMs;
  }

  pushed(_agent: SimulatedAgent, event: Event, isGhost: boolean): void {
    if (event.kind !== 'message') return;
    const { client, envelope } = event;
    this.#heardOf.add(client.vehicleId);
    const { body } = envelope;
    if (isGhost || (body.kind !== 'result' && body.kind !== 'checkpoint')) return;
    // A checkpoint waits for its bytes; what a result brings is in it.
    const handedIn = body.kind === 'result' ? this.#results : this.#checkpoints;
    handedIn.add(`${client.vehicleId} ${body.lease.instanceId}/${body.lease.fencingToken}`);
  }

  /** The operator asks for it; it counts from when he is told so. */
  drainAsked(question: number, vehicleId: VehicleId | 'all'): void {
    this.#drainsAsked.set(question, vehicleId);
  }

  resumeAsked(): void {
    this.#drainsAsked.clear();
    this.#drained.clear();
  }

  /** What an operator was told is drained is granted nothing. */
  #grantsNothingDrained(effects: Effects): void {
    for (const { clientId, envelope } of effects.sends) {
      if (envelope.body.kind !== 'offer') continue;
      const vehicleId = vehicleIdOf(clientId);
      assert.ok(
        !this.#drained.has(vehicleId) && !this.#drained.has('all'),
        `law 3: a grant to ${vehicleId}, which is drained`,
      );
    }
    for (const { question, answer } of effects.answers) {
      const vehicleId = this.#drainsAsked.get(question);
      if (vehicleId !== undefined && answer.ok) this.#drained.add(vehicleId);
    }
  }

  stepped(agent: SimulatedAgent, effects: Effects): void {
    this.steps += 1;
    this.#steppedAt.set(agent, agent.now());
    const nowMs = this.#world.agenda.nowMs;
    for (const { envelope } of effects.sends)
      if (envelope.body.kind === 'offer') this.#grantedMs.set(envelope.body.lease.fencingToken, nowMs);
    for (const change of effects.changes) {
      if (change.change === 'book') this.#wasEarned(change);
      if (change.change === 'putInstance') this.#wasHandedIn(change);
      if (change.change === 'endTask') this.#endsInTime(agent, change);
    }
    this.energy?.stepped(effects, agent.deaths, agent.wall.jumpedMs);
    this.#sent += effects.sends.length;
    checkStep(this.#observe(agent), leasesIn(effects), this.#heardOf);
    this.#heardOf.clear();
    this.#results.clear();
  }

  /** Law 4: what is booked came under the token that the disk says is live, from who holds it, over a connection that counts. */
  #wasEarned({ booking }: Extract<StoreChange, { change: 'book' }>): void {
    const { kind, instanceId, fencingToken } = booking;
    // Of no attempt: what was earned before is charged to somebody.
    if (kind === 'settlement') return;
    const { lease, result } = this.disk.instances.get(instanceId) ?? {};
    // A replica's result came in an earlier step, and waited for others that agree.
    if (result?.run?.fencingToken === fencingToken) return;
    assert.equal(
      lease?.fencingToken,
      fencingToken,
      `law 4: ${instanceId} is booked under the token ${fencingToken}`,
    );
    const name = `${lease.vehicleId} ${instanceId}/${fencingToken}`;
    const handedIn = kind === 'result' ? this.#results : this.#checkpoints;
    assert.ok(handedIn.has(name), `law 4: ${name} is booked and nobody handed it in`);
  }

  /** Law 8: at its deadline at the latest, as far as the pile's clocks were left alone and it was not away. */
  #endsInTime(agent: SimulatedAgent, { taskId, end }: Extract<StoreChange, { change: 'endTask' }>): void {
    const { task } = this.disk.tasks.get(taskId) ?? {};
    if (task === undefined || agent.wall.jumpedMs > 0) return;
    const lateMs = end.endedWallMs - task.deadlineWallMs;
    assert.ok(lateMs <= LATE_MAX_MS, `law 8: ${taskId} ends ${lateMs} ms after its deadline`);
  }

  /** Law 4, of a result that others must confirm before it is booked. */
  #wasHandedIn({ instance }: Extract<StoreChange, { change: 'putInstance' }>): void {
    const { instanceId, result } = instance;
    const before = this.disk.instances.get(instanceId);
    if (result?.run === undefined || before?.result?.run !== undefined) return;
    const { fencingToken } = result.run;
    assert.equal(before?.lease?.fencingToken, fencingToken, `law 4: ${instanceId} was returned too late`);
    const name = `${result.donor} ${instanceId}/${fencingToken}`;
    assert.ok(this.#results.has(name), `law 4: ${name} is kept and nobody handed it in`);
  }

  /** Rule 2: what is let out is on disk. */
  publishing(agent: SimulatedAgent, effects: Effects): void {
    this.energy?.published();
    this.#grantsNothingDrained(effects);
    for (const { envelope, clientId } of effects.sends) this.#isOnDisk(clientId, envelope.body);
    for (const control of effects.controls)
      if (control.kind === 'sendCredit')
        assert.ok(
          this.disk.credits.get(control.creditId)?.credit.madeWallMs !== undefined,
          `rule 2: the credit record ${control.creditId} is sent and not on disk`,
        );
    // As of its step: while the commit was under way a rest may have ended, of which the next step hears.
    if (this.steps % this.#world.options.fullCheckEvery === 0)
      checkStanding(this.#observe(agent, this.#steppedAt.get(agent)));
  }

  #isOnDisk(clientId: string, body: SentBody['body']): void {
    switch (body.kind) {
      case 'accepted':
        return assert.ok(
          this.disk.tasks.has(body.taskId),
          `rule 2: ${body.taskId} is accepted and not on disk`,
        );
      case 'offer': {
        const lease = this.disk.instances.get(body.lease.instanceId)?.lease;
        const isThere = lease?.fencingToken === body.lease.fencingToken;
        return assert.ok(isThere, `rule 2: the lease of ${body.lease.instanceId} is offered and not on disk`);
      }
      case 'delivery':
        return assert.equal(
          this.disk.tasks.get(body.taskId)?.end?.state,
          body.state,
          `rule 2: ${body.taskId} is delivered and has not ended on disk`,
        );
      case 'resultAck': {
        const { instanceId, fencingToken } = body.lease;
        if (!body.accepted) return;
        const attempts = this.disk.attempts.get(taskOf(instanceId)) ?? [];
        const isThere = attempts.some(
          (each) => each.instanceId === instanceId && each.fencingToken === fencingToken,
        );
        return assert.ok(
          isThere,
          `rule 2: ${clientId}'s result of ${instanceId} is acknowledged and not on disk`,
        );
      }
      default:
    }
  }

  broken(error: unknown): void {
    const text =
      error instanceof assert.AssertionError ? error.message : String((error as Error).stack ?? error);
    this.#world.violated(text);
  }

  /** Everything, at the end of a run. */
  checkAll(agent: SimulatedAgent): void {
    try {
      checkStanding(this.#observe(agent));
    } catch (error) {
      this.broken(error);
    }
  }

  #observe(agent: SimulatedAgent, now = agent.now()): Observed {
    const { state } = agent;
    return new ObservedAgent(state, now, {
      disk: this.disk,
      preempted: this.#preempted,
      sent: { length: this.#sent },
      heldMs: (token) => this.#heldMs(agent, token),
    });
  }

  #heldMs(agent: SimulatedAgent, fencingToken: number): number {
    const grantedMs = this.#grantedMs.get(fencingToken) ?? Infinity;
    const heldMs = this.#world.agenda.nowMs - grantedMs;
    return heldMs * (1 + CLOCK_SLACK_MILLIS / 1000) + agent.wall.jumpedMs + 1;
  }

  began(vehicleId: string, offer: Offer): void {
    const lateMs = this.#world.agenda.nowMs - (this.#grantedMs.get(offer.lease.fencingToken) ?? 0);
    const others = this.#computing.get(offer.lease.instanceId) ?? [];
    for (const other of others) this.#mustNotOverlap(other, offer);
    others.push({ vehicleId, offer, lateMs });
    this.#computing.set(offer.lease.instanceId, others);
  }

  /** A lease that only ran out: its donor stopped itself before anybody else began. */
  #mustNotOverlap({ vehicleId, offer, lateMs }: Computing, next: Offer): void {
    const { instanceId, fencingToken } = offer.lease;
    if (fencingToken >= next.lease.fencingToken) return;
    if (lateMs > (offer.leaseMs * LATE_OFFER_MILLIS) / 1000) return;
    const attempts = this.disk.attempts.get(offer.taskId) ?? [];
    const ended = attempts.find(
      (each) => each.instanceId === instanceId && each.fencingToken === fencingToken,
    );
    if (ended?.reason === 'lease_expired')
      this.#world.violated(
        `law 4: ${vehicleId} still computes ${instanceId} under ${fencingToken}, which ran out, when ${next.lease.fencingToken} begins`,
      );
  }

  ended(vehicleId: string, { lease: { instanceId, fencingToken } }: Offer): void {
    const others = this.#computing.get(instanceId) ?? [];
    const left = others.filter(
      (each) => each.vehicleId !== vehicleId || each.offer.lease.fencingToken !== fencingToken,
    );
    if (left.length === 0) this.#computing.delete(instanceId);
    else this.#computing.set(instanceId, left);
  }
}

class ObservedAgent implements Observed {
  readonly state: State;
  readonly settings: Settings;
  readonly disk: SimulatedDisk;
  readonly nowMs: number;
  readonly speedMillisMax = SPEED_MILLIS_MAX;
  readonly preempted: Set<string>;
  readonly sent: { readonly length: number };
  readonly heldMs: (fencingToken: number) => number;
  readonly #now: Now;

  constructor(state: State, now: Now, more: Pick<Observed, 'disk' | 'preempted' | 'sent' | 'heldMs'>) {
    this.state = state;
    this.settings = state.settings;
    this.nowMs = now.monoMs;
    this.#now = now;
    this.disk = more.disk;
    this.preempted = more.preempted;
    this.sent = more.sent;
    this.heldMs = more.heldMs;
  }

  now(): Now {
    return this.#now;
  }
}

const NOTHING_SENT: readonly SentBody[] = [];

/** What was sent that grants or takes back: what a step alone can break is in it. */
function leasesIn({ sends }: Effects): readonly SentBody[] {
  let sent: SentBody[] | undefined;
  for (const { clientId, envelope } of sends)
    if (envelope.body.kind === 'offer' || envelope.body.kind === 'revoke')
      (sent ??= []).push({ clientId, ...envelope });
  return sent ?? NOTHING_SENT;
}

function taskOf(instanceId: string): TaskId {
  return instanceId.slice(0, instanceId.indexOf('_')) as TaskId;
}
