/**
 * Makes room for the latency priority by taking a lease back: of a lower priority, held for a minimum time, and never twice from
 * the same instance. What is freed goes to the one that waits, since its priority comes first.
 */
import type { Now } from '@plugpool/proto';
import { freeOf } from '../donors/capacity.ts';
import { choiceFor, choose, pairObstacle } from '../feasible/feasible.ts';
import { leasesOf, revoke } from '../leases/lease.ts';
import { PREEMPTION_DONORS_MAX, PREEMPTIONS_PER_STEP_MAX } from '../limits.ts';
import type { Need } from '../waiting/need.ts';
import type { Matching } from './plan.ts';
import type { Donor, Instance, Lease } from '../state.ts';
import type { Turn } from '../turn.ts';

interface Held {
  readonly instance: Instance;
  readonly lease: Lease;
}

interface Eviction {
  readonly donor: Donor;
  readonly victims: readonly Held[];
  readonly lostMs: number;
}

export function preempt({ turn }: Matching): void {
  const { state } = turn;
  let left = PREEMPTIONS_PER_STEP_MAX;
  for (const { need, queues } of state.waiting.groups()) {
    if (need.priority !== 3 || need.isForGangs) continue;
    for (const queue of queues.values())
      for (const instance of queue) {
        if (state.roomMadeFor.has(instance)) continue;
        if (left-- <= 0) return;
        evictFor(turn, instance, need);
      }
  }
}

function evictFor(turn: Turn, instance: Instance, need: Need): void {
  const { state } = turn;
  let best: Eviction | undefined;
  let looked = 0;
  for (const donor of state.index.donors()) {
    if (looked++ >= PREEMPTION_DONORS_MAX) break;
    const eviction = evictionOn(turn, donor, instance, need);
    if (eviction !== undefined && (best === undefined || eviction.lostMs < best.lostMs)) best = eviction;
  }
  if (best === undefined) return;
  state.roomMadeFor.set(instance, best.victims.length);
  for (const { instance: victim, lease } of best.victims) {
    revoke(turn, victim, 'preempted');
    // On disk at once: a start while the lease is taken back must not forget that it was.
    victim.preempted = true;
    turn.changedInstances.set(victim.instanceId, victim);
    lease.revokedFor = instance;
  }
}

/** As few as must go, those first that lose the least. */
function evictionOn(turn: Turn, donor: Donor, instance: Instance, need: Need): Eviction | undefined {
  if (pairObstacle(turn.state, instance, donor, turn.now) !== undefined) return undefined;
  const victims: Held[] = [];
  for (const held of mayGo(turn, donor, need)) {
    victims.push(held);
    if (fitsWithout(turn, donor, victims, instance, need))
      return sparing(turn, donor, victims, instance, need);
  }
  return undefined;
}

/** Keeps whoever need not go after all, those first that would lose the most. */
function sparing(turn: Turn, donor: Donor, found: readonly Held[], instance: Instance, need: Need): Eviction {
  let victims = found;
  for (const spared of [...found].reverse()) {
    const others = victims.filter((held) => held !== spared);
    if (fitsWithout(turn, donor, others, instance, need)) victims = others;
  }
  return { donor, victims, lostMs: victims.reduce((sum, { lease }) => sum + lostBy(lease, turn.now), 0) };
}

function fitsWithout(
  { state, now }: Turn,
  donor: Donor,
  gone: readonly Held[],
  instance: Instance,
  need: Need,
): boolean {
  const freeNow = donor.free;
  const leases = leasesOf(donor).filter((lease) => gone.every((held) => held.lease !== lease));
  donor.free = freeOf(donor.lendable, leases);
  const choice = choose(state, need, donor, now);
  const own = choice && choiceFor(state, instance, need, donor, choice, now);
  donor.free = freeNow;
  return own !== undefined;
}

function lostBy({ checkpointEveryMs, grantedMonoMs }: Lease, now: Now): number {
  return checkpointEveryMs === undefined ? now.monoMs - grantedMonoMs : 0;
}

function mayGo({ state, now }: Turn, donor: Donor, need: Need): Held[] {
  const held: Held[] = [];
  for (const instance of donor.leased.values()) {
    const { lease } = instance;
    if (lease === undefined || lease.phase === 'revoking' || instance.preempted) continue;
    if (lease.priority >= need.priority) continue;
    if (now.monoMs - lease.grantedMonoMs < state.settings.preemptAfterMs) continue;
    held.push({ instance, lease });
  }
  return held.sort((a, b) => lostBy(a.lease, now) - lostBy(b.lease, now));
}
