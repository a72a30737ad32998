/** Where the outputs of a task go: checked before it is asked for, stored before it is acknowledged. */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PlugpoolError } from '../errors.ts';
import type { CliContext } from './context.ts';

/** `FILE` of an only output; `FILE.0`, `FILE.1` … of several. */
export function outputPath(file: string, index: number, count: number): string {
  return count === 1 ? file : `${file}.${index}`;
}

/** Said before anything is asked: work whose output has no place would be done and charged for nothing. */
export async function checkOutputs(file: string, count = 1): Promise<void> {
  if (file === '-') return;
  for (let index = 0; index < count; index++) await checkOutput(outputPath(file, index, count));
}

async function checkOutput(file: string): Promise<void> {
  try {
    const known = await stat(file).catch(() => undefined);
    if (known?.isDirectory() === true) throw new Error('it is a directory');
    await access(known === undefined || known.isFile() ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    throw unwritable(file, 'give --output a file in a directory that exists and may be written to', error);
  }
}

/** Returns once the bytes are safe: synced in files that appear whole, or taken by whoever reads standard output. */
export async function writeOutputs(
  context: CliContext,
  file: string,
  { taskId, outputs }: { readonly taskId: string; readonly outputs: readonly Uint8Array[] },
): Promise<void> {
  const hint = `the pile keeps the result: "plugpool-vehicle result ${taskId}" fetches it, with another --output`;
  if (file === '-' && outputs.length > 1) {
    const why = new Error(`there are ${outputs.length} outputs, and nothing would tell them apart`);
    throw unwritable('standard output', `${hint}: FILE gives FILE.0, FILE.1 and so on`, why);
  }
  for (const [index, output] of outputs.entries()) {
    const path = outputPath(file, index, outputs.length);
    try {
      if (path === '-') await writeTo(context.stdout, output);
      else await writeFileWhole(path, output);
    } catch (error) {
      throw unwritable(path, hint, error);
    }
  }
}

/** What the JSON says of one output; without a file it holds the bytes. */
export function outputJson(bytes: Uint8Array, file: string | undefined): object {
  return {
    outputBytes: bytes.length,
    outputSha256: createHash('sha256').update(bytes).digest('hex'),
    ...(file === undefined ? { outputBase64: Buffer.from(bytes).toString('base64') } : { outputFile: file }),
  };
}

function unwritable(file: string, hint: string, cause: unknown): PlugpoolError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new PlugpoolError({
    code: 'output_unwritable',
    message: `the output cannot be written to ${file}: ${why}`,
    hint,
    retryable: true,
    cause,
  });
}

function writeTo(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.write(bytes, (error) => {
      stream.removeListener('error', reject);
      if (error) reject(error);
      else resolve();
    });
  });
}

async function writeFileWhole(path: string, bytes: Uint8Array): Promise<void> {
  if (await isSpecial(path)) return writeFile(path, bytes);
  const partial = `${path}.${randomBytes(4).toString('hex')}.part`;
  try {
    const file = await open(partial, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** A device or a pipe is written to, never replaced by a file. */
async function isSpecial(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isFile();
  } catch {
    return false;
  }
}
