/** What the commands share that talk to a pile as a requester. */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
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

/** Returns once the bytes are safe: synced in a file that appears whole, or taken by whoever reads standard output. */
export async function writeOutput(context: CliContext, file: string, bytes: Uint8Array): Promise<void> {
  try {
    if (file === '-') await writeTo(context.stdout, bytes);
    else await writeFileWhole(file, bytes);
  } catch (error) {
    throw new PlugpoolError({
      code: 'output_unwritable',
      message: `the output cannot be written to ${file}: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'the pile keeps the result: fetch it with "plugpool-vehicle result" and another --output',
      retryable: true,
      cause: error,
    });
  }
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
  if (await isSpecial(path)) return writeTo(createWriteStream(path), bytes);
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
  const { stat } = await import('node:fs/promises');
  try {
    return !(await stat(path)).isFile();
  } catch {
    return false;
  }
}
