/** What a start finds of plan, forecast and learned use; what is damaged is left out and said in the first step. */
import type { Now } from '@plugpool/proto';
import { loadProfile, profileName } from '../algorithms/profile.ts';
import type { State } from '../state.ts';
import { poolsFromJson, POOLS_NAME, useFromJson } from './pools-json.ts';

export function loadPools(state: State, learned: ReadonlyMap<string, unknown>, now: Now): void {
  for (const algorithm of state.algorithms.values()) {
    const name = profileName(algorithm);
    const value = learned.get(name);
    // Of an algorithm that was removed and is catalogued again, nothing is known.
    if (value === undefined || value === null) continue;
    const kept = useFromJson(value);
    if (kept === undefined) state.damaged.push(name);
    else loadProfile(state, algorithm, kept);
  }
  const value = learned.get(POOLS_NAME);
  if (value === undefined || !state.settings.subPools) return;
  if (!poolsFromJson(state.pools, value, now)) state.damaged.push(POOLS_NAME);
}
