/** What `plugpool restore` does where no agent runs: the store is put back, and what of its bytes is not here is listed. */
import type { Digest, TaskId } from '@plugpool/proto';
import { statSync } from 'node:fs';
import { blobLayout } from './adapters/blob-files/blob-layout.ts';
import { restoreStore } from './adapters/store-sqlite/restore.ts';
import type { StoredState } from './core/records.ts';

export interface Restored {
  readonly replaced: string | null;
  readonly generation: number;
  readonly openTasks: number;
  readonly closedTasks: number;
  readonly algorithms: number;
  /** Of all that somebody is owed: what was acknowledged may have given way before. */
  readonly missingBlobs: readonly Digest[];
  /** Of open tasks whose input is among them: they end as soon as the agent starts. */
  readonly tasksWithoutInput: readonly TaskId[];
  /** Catalogued programs (`id@version`) whose image is among them: what asks for them waits until it is added again. */
  readonly algorithmsWithoutImage: readonly string[];
}

/** Throws a `BackupError` or a `StoreError`. */
export function restoreAgentStore(dataDir: string, file: string): Restored {
  const { state, owedBlobs, replaced, generation } = restoreStore(dataDir, file);
  const layout = blobLayout(dataDir);
  const isHere = (digest: Digest): boolean =>
    statSync(layout.pathOf(digest), { throwIfNoEntry: false })?.isFile() === true;
  const missing = new Set(owedBlobs.filter((digest) => !isHere(digest)));
  return {
    replaced: replaced ?? null,
    generation,
    openTasks: state.openTasks.length,
    closedTasks: state.closedTasks.length,
    algorithms: state.algorithms.length,
    missingBlobs: [...missing],
    tasksWithoutInput: tasksWithout(missing, state),
    algorithmsWithoutImage: state.algorithms
      .filter(({ image }) => missing.has(image.digest))
      .map(({ id, version }) => `${id}@${version}`),
  };
}

function tasksWithout(missing: ReadonlySet<Digest>, { openTasks }: StoredState): TaskId[] {
  return openTasks
    .filter(
      ({ end, task }) =>
        end === undefined && task.input.where === 'blob' && missing.has(task.input.blob.digest),
    )
    .map(({ task }) => task.taskId);
}
