/** What an operator may change of the catalogue: add, retire and remove algorithms; whoever waits is looked at again. */
import type { AlgorithmId } from '@plugpool/proto';
import { algorithmKey } from './algorithm-key.ts';
import type { OperatorAnswer } from '../events.ts';
import { forgetProfile } from '../learned/learn-use.ts';
import { forgetAnswers } from '../checks/given-answers.ts';
import { ALGORITHMS_MAX } from '../limits.ts';
import { deployAnew } from '../pools/deploy.ts';
import { alignPools } from '../pools/replan.ts';
import type { AlgorithmRecord } from '../records.ts';
import type { State, Task } from '../state.ts';
import { shortagesInWords, shortagesOf } from '../tasks/never-feasible.ts';
import { endOrphan } from '../tasks/task-end.ts';
import { write, type Turn } from '../turn.ts';
import { rebuildLine } from '../waiting/line.ts';
import { programsOf } from '../waiting/need.ts';

function no(code: string, detail: string, hint: string): OperatorAnswer {
  return { ok: false, code, detail, hint };
}

export function addAlgorithm(
  turn: Turn,
  added: Omit<AlgorithmRecord, 'state' | 'addedWallMs'>,
): OperatorAnswer {
  const { state, now } = turn;
  const key = algorithmKey(added.id, added.version);
  const known = state.algorithms.get(key);
  if (known !== undefined && known.image.digest !== added.image.digest)
    return no(
      'version_taken',
      `${key} is another image (sha256 ${known.image.digest.slice(0, 12)}…)`,
      'give the new image a new --version: what ran under a version must stay what it was',
    );
  if (state.algorithms.size >= ALGORITHMS_MAX)
    return no(
      'too_many_algorithms',
      `${state.algorithms.size} are catalogued`,
      'remove some that are not used',
    );
  const tooLarge = added.demands.flatMap((demand) => shortagesOf(state, demand));
  if (tooLarge.length > 0)
    return no(
      'never_feasible',
      shortagesInWords(tooLarge),
      'lower the demand, or raise policy.largestDonor in the configuration',
    );
  const algorithm: AlgorithmRecord = { ...added, state: 'active', addedWallMs: now.wallMs };
  state.algorithms.set(key, algorithm);
  // Its demand may be another than the one that its runs were measured against.
  if (known !== undefined) forgetProfile(turn, algorithm);
  write(turn, { change: 'putAlgorithm', algorithm });
  lookAgain(turn);
  return { ok: true, value: algorithm };
}

export function retireAlgorithm(turn: Turn, id: AlgorithmId, version: string | undefined): OperatorAnswer {
  const found = versionsOf(turn.state, id, version);
  if (found.length === 0) return unknown(id, version);
  for (const algorithm of found) {
    const retired: AlgorithmRecord = { ...algorithm, state: 'retired' };
    turn.state.algorithms.set(algorithmKey(id, algorithm.version), retired);
    write(turn, { change: 'putAlgorithm', algorithm: retired });
  }
  lookAgain(turn);
  return { ok: true, value: found.map((a) => algorithmKey(a.id, a.version)) };
}

/** An algorithm that runs now, or may be asked for by one that waits, is retired first. */
export function removeAlgorithm(turn: Turn, id: AlgorithmId, version: string | undefined): OperatorAnswer {
  const found = versionsOf(turn.state, id, version);
  if (found.length === 0) return unknown(id, version);
  const running = new Set<string>();
  for (const donor of turn.state.donors.values())
    for (const { lease } of donor.leased.values())
      if (lease !== undefined) running.add(algorithmKey(lease.algorithm.id, lease.algorithm.version));
  for (const { instances, end } of turn.state.tasks.values())
    if (end === undefined)
      for (const { program } of instances) if (program !== undefined) running.add(program);
  const busy = found.find((a) => running.has(algorithmKey(a.id, a.version)));
  if (busy !== undefined)
    return no(
      'algorithm_running',
      `${algorithmKey(busy.id, busy.version)} runs on a donor now`,
      'retire it, and remove it when its tasks have ended',
    );
  for (const { version: each } of found) {
    turn.state.algorithms.delete(algorithmKey(id, each));
    forgetProfile(turn, { id, version: each });
    forgetAnswers(turn, algorithmKey(id, each));
    write(turn, { change: 'removeAlgorithm', id, version: each });
  }
  lookAgain(turn);
  return { ok: true, value: found.map((a) => algorithmKey(a.id, a.version)) };
}

function versionsOf(state: State, id: AlgorithmId, version: string | undefined): AlgorithmRecord[] {
  return [...state.algorithms.values()].filter(
    (a) => a.id === id && (version === undefined || a.version === version),
  );
}

function unknown(id: AlgorithmId, version: string | undefined): OperatorAnswer {
  const wanted = version === undefined ? id : algorithmKey(id, version);
  return no('algorithm_unknown', `no algorithm ${wanted}`, 'plugpool algorithms list shows them');
}

/** What a selector means is another program now, or none: who waits for none is told, the rest is tried everywhere again. */
function lookAgain(turn: Turn): void {
  // Several parts of one task may wait.
  const orphans = new Set<Task>();
  for (const instance of turn.state.waiting.instances())
    if (programsOf(turn.state, instance).length === 0) orphans.add(instance.task);
  for (const task of orphans) endOrphan(turn, task);
  rebuildLine(turn.state);
  alignPools(turn);
  deployAnew(turn.state);
  for (const donor of turn.state.index.donors()) turn.changedDonors.add(donor);
}
