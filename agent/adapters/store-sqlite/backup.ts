/** `plugpool backup`: a copy of the store as it is now, in one file that is there whole or not at all. */
import { closeSync, linkSync, lstatSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { BackupError } from '../../backup-error.ts';
import type { BackupFile, CopyProgress } from '../../ports.ts';
import { storeErrorOfFile } from '../../store-error.ts';
import { syncPath } from './directory.ts';
import { readInThread } from './reading-thread.ts';

/**
 * Written under another name beside it, checked, synced, and only then given its name. Rejects with a `BackupError` where the
 * target cannot be, with a `StoreError` where the disk fails.
 */
export async function backUp(
  dataDir: string,
  file: string,
  signal: AbortSignal,
  report: (progress: CopyProgress) => void,
): Promise<BackupFile> {
  try {
    refuseTarget(dataDir, file);
    return await copyTo(join(dataDir, 'agent.db'), file, signal, report);
  } catch (error) {
    throw error instanceof BackupError ? error : storeErrorOfFile(error, `write the backup ${file}`);
  }
}

async function copyTo(
  path: string,
  file: string,
  signal: AbortSignal,
  report: (progress: CopyProgress) => void,
): Promise<BackupFile> {
  const unfinished = join(dirname(file), `.${basename(file)}.unfinished-${process.pid}`);
  try {
    makePrivate(unfinished);
    await readInThread({ job: 'copy', path, target: unfinished }, signal, report);
    syncPath(unfinished);
    giveName(unfinished, file);
    syncPath(dirname(file));
    return { file, sizeBytes: statSync(file).size };
  } finally {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true });
  }
}

function refuseTarget(dataDir: string, file: string): void {
  const within = relative(resolve(dataDir), resolve(file));
  if (!within.startsWith('..'))
    throw new BackupError(
      'target_unusable',
      `${file} is in the data directory of the agent`,
      'choose a place outside of it, best on another disk',
    );
  const folder = statSync(dirname(file), { throwIfNoEntry: false });
  if (folder?.isDirectory() !== true)
    throw new BackupError(
      'target_unusable',
      `the folder ${dirname(file)} does not exist`,
      'make it first, or name another file',
    );
  refuseExisting(file);
}

/** A link that leads nowhere is something too. */
function refuseExisting(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return;
  throw new BackupError(
    'target_exists',
    found.isDirectory() ? `${file} is a directory` : `${file} exists already`,
    'name a file that does not exist yet; nothing is ever written over',
  );
}

/** For its user only, before anything is in it. */
function makePrivate(path: string): void {
  try {
    rmSync(path, { force: true });
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
    const hint = 'choose a place where the user of the agent may write';
    throw new BackupError('target_unusable', `nothing can be written there: ${message}`, hint, error);
  }
}

/** A link fails where the name was taken meanwhile; a file system without links leaves a moment in which it is not seen. */
function giveName(unfinished: string, file: string): void {
  try {
    linkSync(unfinished, file);
  } catch (error) {
    refuseExisting(file);
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
    renameSync(unfinished, file);
  }
}
