/** What the commands share that talk to a pile as a requester. */
import { readFile } from 'node:fs/promises';
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
