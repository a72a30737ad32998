/**
 * Nobody is passed over for ever. Who has waited for the bound is due; from then on each grant to another, on a donor that could
 * have run it, is counted with the one who is due and whose turn is first there; and after `dueEvery` − 1 of them it is owed
 * the next. So with d others due before it, a request sees at most (d + 1) × `dueEvery` − 1 such grants, whatever comes.
 *
 * The count is the request's own. One of the donor would begin again with each vehicle, and one of the pile would be used up
 * where others who are due always find a donor.
 */
import type { Now } from '@plugpool/proto';
import type { Instance, State } from '../state.ts';

export function isDue(instance: Instance, now: Now): boolean {
  return instance.turnMonoMs <= now.monoMs;
}

/** The next grant that could be its is. */
export function isOwed({ settings }: State, instance: Instance, now: Now): boolean {
  return isDue(instance, now) && instance.passedOver + 1 >= settings.dueEvery;
}
