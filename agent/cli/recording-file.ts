/** The file that a recording is written to: new, bounded, and gone again where nothing came in. */
import { closeSync, existsSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { RecordSink } from '@plugpool/firmware-bridge';
import { CliError } from './context.ts';

export class RecordingFile implements RecordSink {
  lines = 0;
  bytes = 0;
  /** What could not be written down. */
  leftOut = 0;
  lastProblem: string | null = null;
  readonly #path: string;
  readonly #linksPath: string;
  readonly #bytesMax: number;
  #file: number | undefined;
  #links: number | undefined;
  #stop: () => void = () => undefined;
  #failure: CliError | undefined;

  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#linksPath = path.replace(/\.jsonl$/, '.links.jsonl');
    this.#bytesMax = bytesMax;
  }

  /** Throws where it is there already. `stop` is called once: a line has no room here, or on the disk. */
  open(stop: () => void): void {
    // First the one that was named: of a recording both are there.
    for (const path of [this.#path, this.#linksPath]) if (existsSync(path)) throw isThere(path);
    this.#file = openNew(this.#path);
    this.#stop = stop;
  }

  line(text: string): void {
    if (this.#write(this.#file, text)) this.lines += 1;
  }

  link(text: string): void {
    // Without the ending that a reader looks for, there is nowhere to write it that it would be found.
    if (this.#linksPath === this.#path || this.#file === undefined) return;
    this.#links ??= openNew(this.#linksPath);
    this.#write(this.#links, text);
  }

  problem(why: string): void {
    this.leftOut += 1;
    this.lastProblem = why;
  }

  /** Throws where the disk refused a line; what was written before stays. */
  close(): void {
    this.#end();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.lines === 0) this.#remove();
  }

  discard(): void {
    const wasOpen = this.#file !== undefined;
    this.#end();
    if (wasOpen && this.lines === 0) this.#remove();
  }

  #write(file: number | undefined, text: string): boolean {
    if (file === undefined) return false;
    const line = Buffer.from(`${text}\n`);
    if (this.bytes + line.byteLength > this.#bytesMax) return this.#halt();
    try {
      writeSync(file, line);
    } catch (error) {
      this.#failure = unusable(this.#path, error);
      return this.#halt();
    }
    this.bytes += line.byteLength;
    return true;
  }

  #halt(): false {
    this.#end();
    this.#stop();
    return false;
  }

  #end(): void {
    const open = [this.#file, this.#links].filter((file) => file !== undefined);
    this.#file = undefined;
    this.#links = undefined;
    for (const file of open) {
      fsyncSync(file);
      closeSync(file);
    }
  }

  #remove(): void {
    for (const path of new Set([this.#path, this.#linksPath])) if (existsSync(path)) unlinkSync(path);
  }
}

function openNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw isThere(path);
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): CliError {
  const why = error instanceof Error ? error.message : String(error);
  return new CliError('target_unusable', `cannot write ${path}: ${why}`, 'name another file', error);
}

function isThere(path: string): CliError {
  return new CliError('target_exists', `${path} is there already`, 'name a file that does not exist yet');
}
