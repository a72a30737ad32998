/** A file that a command makes: never one that is there already, and whole or not at all. */
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { CliError } from './context.ts';

/** Calls `write` with the open file; what it made is synced, or removed where it failed. */
export async function makeNewFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await openNew(path);
  try {
    await write(file);
    await file.sync();
  } catch (error) {
    await file.close();
    await unlink(path).catch(() => undefined);
    throw error instanceof CliError ? error : unusable(path, error);
  }
  await file.close();
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unusable(path, error);
    throw new CliError(
      'target_exists',
      `${path} is there already`,
      'name a file that does not exist yet',
      error,
    );
  }
}

function unusable(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === '' || !(error instanceof Error)) return error;
  return new CliError(
    'target_unusable',
    `cannot write ${path}: ${error.message}`,
    'name another file',
    error,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && /^E[A-Z]+$/.test(String(error.code))
    ? String(error.code)
    : '';
}
