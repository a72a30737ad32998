/** What the trust book says on disk: a row a vehicle, so that one who lied is not believed again after a restart. */
import type { VehicleId } from '@plugpool/proto';
import type { State } from '../state.ts';
import type { Trial } from './trust-book.ts';
import { write, writeLazily, type Turn } from '../turn.ts';

const PREFIX = 'trust/';

export function loadTrust({ trust }: State, learned: ReadonlyMap<string, unknown>): void {
  for (const [name, json] of learned)
    if (name.startsWith(PREFIX)) trust.readJson(name.slice(PREFIX.length) as VehicleId, json);
}

/** What is lost of it makes somebody be believed later, and nothing wrong. */
export function learnAgreed(turn: Turn, vehicleId: VehicleId, algorithmKey: string, trial: Trial): void {
  forgetRow(turn, turn.state.trust.learnAgreed(vehicleId, algorithmKey, turn.now, trial));
  const value = turn.state.trust.toJson(vehicleId);
  writeLazily(turn, { change: 'putLearned', name: `${PREFIX}${vehicleId}`, value });
}

/** On disk at once: a start must not make it believed again. */
export function learnOutvoted(turn: Turn, vehicleId: VehicleId): void {
  forgetRow(turn, turn.state.trust.learnOutvoted(vehicleId, turn.now));
  const value = turn.state.trust.toJson(vehicleId);
  write(turn, { change: 'putLearned', name: `${PREFIX}${vehicleId}`, value });
}

/** On disk at once: a start must not begin the row anew. */
export function learnInconclusive(
  turn: Turn,
  vehicleId: VehicleId,
  algorithmKey: string,
  trial: Trial,
): void {
  if (!turn.state.trust.learnInconclusive(vehicleId, algorithmKey, trial)) return;
  const value = turn.state.trust.toJson(vehicleId);
  write(turn, { change: 'putLearned', name: `${PREFIX}${vehicleId}`, value });
}

/** True: something was known of it. */
export function resetTrust(turn: Turn, vehicleId: VehicleId): boolean {
  const wasKnown = turn.state.trust.forget(vehicleId);
  if (wasKnown) write(turn, { change: 'putLearned', name: `${PREFIX}${vehicleId}`, value: null });
  return wasKnown;
}

function forgetRow(turn: Turn, forgotten: VehicleId | undefined): void {
  if (forgotten !== undefined)
    writeLazily(turn, { change: 'putLearned', name: `${PREFIX}${forgotten}`, value: null });
}
