/**
 * What the images gave when they were recorded: the sha256 of each input and of the output of each algorithm for it.
 * `record.ts` writes the file anew after an image or an input has changed on purpose.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

export interface RecordedInput {
  readonly inputSha256: string;
  /** By algorithm id. */
  readonly outputSha256: Readonly<Record<string, string>>;
}

export type Recorded = Readonly<Record<string, RecordedInput>>;

const file = new URL('./recorded.json', import.meta.url);

export async function readRecorded(): Promise<Recorded> {
  return JSON.parse(await readFile(file, 'utf8')) as Recorded;
}

export async function writeRecorded(recorded: Recorded): Promise<void> {
  await writeFile(file, JSON.stringify(recorded, undefined, 2) + '\n');
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
