/** What the commands share that talk to a pile as a requester. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { BLOB_BYTES_MAX } from '@plugpool/proto';
import { PlugpoolError } from '../errors.ts';
import type { Requester } from '../requester.ts';
import type { CliContext } from './context.ts';
import { loggerTo, sourcesOf, type CommonFlags } from './options.ts';

/** Connected as the configuration says; results are acknowledged once they are stored. */
export async function connect(context: CliContext, flags: CommonFlags): Promise<Requester> {
  const [{ loadConfig }, { connectRequester }, { loadToken }] = await Promise.all([
    import('../config.ts'),
    import('../sdk.ts'),
    import('../adapters/token-file.ts'),
  ]);
  const config = loadConfig(sourcesOf(context, flags));
  return connectRequester({
    agent: config.agent,
    vehicleId: config.vehicle,
    dataDir: config.dataDir,
    ...(config.tokenFile === undefined ? {} : { token: loadToken(config.tokenFile) }),
    autoAck: false,
    log: await loggerTo(context, config.logLevel ?? 'warn'),
  });
}

/** A file's bytes; `-` is standard input. */
export async function readInput(context: CliContext, file: string): Promise<Uint8Array> {
  try {
    const bytes = file === '-' ? await buffer(context.stdin) : await readFile(file);
    if (bytes.length <= BLOB_BYTES_MAX) return bytes;
    throw new Error(`it has ${bytes.length} bytes, more than the ${BLOB_BYTES_MAX} that a task may take`);
  } catch (error) {
    throw new PlugpoolError({
      code: 'input_unreadable',
      message: `the input ${file} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'give --input a file that can be read, or "-" for standard input',
      retryable: false,
      cause: error,
    });
  }
}

/** Said before anything is asked: work whose output has no place would be done and charged for nothing. */
export async function checkOutput(file: string): Promise<void> {
  if (file === '-') return;
  try {
    const known = await stat(file).catch(() => undefined);
    if (known?.isDirectory() === true) throw new Error('it is a directory');
    await access(known === undefined || known.isFile() ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    throw unwritable(file, 'give --output a file in a directory that exists and may be written to', error);
  }
}

/** Returns once the bytes are safe: synced in a file that appears whole, or taken by whoever reads standard output. */
export async function writeOutput(
  context: CliContext,
  file: string,
  { taskId, output }: { readonly taskId: string; readonly output: Uint8Array },
): Promise<void> {
  try {
    if (file === '-') await writeTo(context.stdout, output);
    else await writeFileWhole(file, output);
  } catch (error) {
    const hint = `the pile keeps the result: "plugpool-vehicle result ${taskId}" fetches it, with another --output`;
    throw unwritable(file, hint, error);
  }
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
