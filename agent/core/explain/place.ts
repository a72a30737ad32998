/**
 * Where an instance stands in the order of those who wait: by priority, then whose class is within its sub-pool, then what goes on
 * from a checkpoint, then whose payer is less above its fair share, then by turn. What depends on the donor that chooses (by whose
 * start there more is gained, what fills it better) is left out. Looks at queues, not at who stands in them.
 */
import type { Now } from '@plugpool/proto';
import type { Need } from '../waiting/need.ts';
import { standing } from '../pools/pools.ts';
import type { Instance, State } from '../state.ts';
import { compareTurns, type TurnQueue } from '../waiting/turn-queue.ts';

interface Rank {
  readonly priority: number;
  readonly borrows: boolean;
  readonly resumes: boolean;
  /** How far its payer is above what is tolerated. */
  readonly excess: number;
}

/** How many stand before it, of those whose need `counts`. */
export function countAhead(
  state: State,
  instance: Instance,
  need: Need,
  now: Now,
  counts: (need: Need) => boolean = () => true,
): number {
  const excesses = new Map<string, number>();
  const excess = (payer: string): number => {
    let known = excesses.get(payer);
    if (known === undefined) excesses.set(payer, (known = state.usage.excess(payer, now)));
    return known;
  };
  const rankOf = (first: Instance, { priority }: Need, borrows: boolean): Rank => ({
    priority,
    borrows,
    resumes: first.checkpoint !== undefined,
    excess: excess(first.task.payer),
  });
  const own = rankOf(instance, need, isPoolFull(state, need));
  let ahead = 0;
  for (const group of state.waiting.groups()) {
    if (group.need.priority < own.priority || !counts(group.need)) continue;
    const borrows = isPoolFull(state, group.need);
    // Those who need the same have all run before, or none has.
    for (const queue of group.queues.values())
      ahead += aheadIn(queue, rankOf(queue.first(), group.need, borrows), own, instance);
  }
  return ahead;
}

/** Of its preferred way. */
export function isPoolFull({ pools }: State, { ways: [way] }: Need): boolean {
  return way !== undefined && standing(pools, way.class, way.demand) === 'borrowing';
}

function aheadIn(queue: TurnQueue, theirs: Rank, own: Rank, instance: Instance): number {
  const order =
    own.priority - theirs.priority ||
    Number(theirs.borrows) - Number(own.borrows) ||
    Number(own.resumes) - Number(theirs.resumes) ||
    theirs.excess - own.excess;
  if (order > 0) return 0;
  if (order < 0) return queue.size;
  // Most queues are wholly before it or behind.
  return compareTurns(queue.first(), instance) >= 0 ? 0 : queue.countBefore(instance);
}
