/**
 * One child process for one job: warming → ready → running → done | died; then it is killed, whatever it did.
 * `ready` when the child says so; `running` by `send`; `done` when it reported; `died` when it ended without.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { constants, setPriority } from 'node:os';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { readAccounting } from './accounting.ts';
import type { Accounting } from './accounting.ts';
import { CHECKPOINT_BYTES_MAX } from './checkpoint-archive.ts';
import {
  DONE_HEADER_BYTES_MAX,
  FRAME_DONE,
  FRAME_HEADER_BYTES,
  FRAME_KEPT,
  FRAME_READY,
  TailBuffer,
} from './child-protocol.ts';
import type { ChildDone, ChildJob } from './child-protocol.ts';
import type { ChildCommand } from './sandbox.ts';

export type ChildEnd =
  | { readonly kind: 'done'; readonly done: ChildDone; readonly output: Uint8Array }
  /** It sent more than its job may. */
  | { readonly kind: 'flooded' }
  | { readonly kind: 'died'; readonly how: string; readonly stderrTail: string };

/** A child that does not die of the first signal gets a second one, to its launcher, after this. */
const KILL_AGAIN_MS = 1000;
const INFO_BYTES_MAX = 4096;

export class SandboxedChild {
  readonly #command: ChildCommand;
  readonly #ready = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<ChildEnd>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #stderr = new TailBuffer();
  #process: ChildProcess | undefined;
  #computingPid: number | undefined;
  #baseline: Accounting | undefined;
  #isReady = false;
  /** It reported its end, or what it sent is looked at no more. */
  #isEnded = false;
  #isClosed = false;
  #killed = false;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #outputBytesMax = 0;
  #kept: ((archive: Uint8Array) => void) | undefined;

  constructor(command: ChildCommand) {
    this.#command = command;
    // A child that dies while nobody waits for it is no unhandled rejection: whoever takes it sees the error.
    this.#ready.promise.catch(() => undefined);
  }

  /** Resolves when the child waits for its job; rejects with why it never will. */
  start(): Promise<void> {
    const { file, args, env, cwd, infoFd } = this.#command;
    const child = spawn(file, args, {
      env,
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', ...(infoFd === undefined ? [] : (['pipe'] as const))],
    });
    this.#process = child;
    if (child.pid !== undefined) yieldToOwner(child.pid);
    if (infoFd === undefined) this.#computingPid = child.pid;
    else readInfo(child.stdio[infoFd] as Readable, (pid) => this.#learnPid(pid));
    child.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    child.stderr.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // A child that died while we wrote to it is reported by its end, not by our pipe.
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => this.#die(`could not be started: ${error.message}`));
    child.once('close', (code, signal) => this.#die(describeExit(code, signal)));
    return this.#ready.promise;
  }

  get whenReady(): Promise<void> {
    return this.#ready.promise;
  }

  /** What its start cost, which is not the job's to pay; undefined where the kernel does not show it. */
  get baseline(): Accounting | undefined {
    return this.#baseline;
  }

  get end(): Promise<ChildEnd> {
    return this.#end.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** The process that computes; undefined until it is known and once it is gone. */
  get computingPid(): number | undefined {
    return this.#isClosed ? undefined : this.#computingPid;
  }

  pids(): number[] {
    if (this.#isClosed) return [];
    return [...new Set([this.#process?.pid, this.#computingPid])].filter((pid) => pid !== undefined);
  }

  /** Called before `send` where somebody wants to hear of each state that the program keeps; without, none is accepted. */
  onKept(kept: (archive: Uint8Array) => void): void {
    this.#kept = kept;
  }

  /** `parts`: image, input and state, as long as the job says. */
  send(job: ChildJob, parts: readonly Uint8Array[]): void {
    assert(this.#isReady, 'a job goes only to a child that is ready');
    this.#outputBytesMax = job.limits.outputBytes;
    const header = Buffer.from(JSON.stringify(job));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(header.byteLength);
    const stdin = this.#process!.stdin as Writable;
    stdin.cork();
    for (const part of [length, header, ...parts]) if (part.byteLength > 0) stdin.write(part);
    stdin.uncork();
  }

  suspend(): void {
    if (!this.#killed) this.#signal('SIGSTOP');
  }

  resume(): void {
    if (!this.#killed) this.#signal('SIGCONT');
  }

  /**
   * Ends every process of the child. In bubblewrap the computing process is the first of its pid namespace, so its death ends
   * all others there, and the launcher ends itself once it has seen it: when that closed, nothing is left.
   */
  kill(): void {
    if (this.#killed || this.#isClosed || !this.#process) return;
    this.#killed = true;
    this.#signal('SIGKILL');
    const again = setTimeout(() => signalGroup(this.#process?.pid, 'SIGKILL'), KILL_AGAIN_MS);
    again.unref();
    void this.closed.then(() => clearTimeout(again));
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#isClosed) return;
    // Before its pid is known the launcher is all there is, and takes the child with it.
    const target = this.#computingPid ?? this.#process?.pid;
    signalGroup(target, signal);
  }

  #readBaseline(): void {
    if (this.#computingPid === undefined || this.#baseline) return;
    this.#baseline = readAccounting(this.#computingPid);
    preferAsVictim(this.#computingPid);
  }

  #learnPid(pid: number): void {
    this.#computingPid = pid;
    yieldToOwner(pid);
    if (this.#isReady) this.#readBaseline();
    if (this.#killed) this.#signal('SIGKILL');
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.byteLength;
    if (!this.#isReady) this.#readReady();
    while (this.#isReady && this.#readFrame());
  }

  #flood(): false {
    this.#received = [];
    this.#isEnded = true;
    this.#end.resolve({ kind: 'flooded' });
    this.kill();
    return false;
  }

  #readReady(): void {
    if (this.#receivedBytes < FRAME_HEADER_BYTES) return;
    const bytes = Buffer.concat(this.#received);
    if (bytes[0] !== FRAME_READY) return this.#die('did not speak the protocol of this version');
    this.#received = [bytes.subarray(FRAME_HEADER_BYTES)];
    this.#receivedBytes -= FRAME_HEADER_BYTES;
    this.#isReady = true;
    // Read now, not when a job comes: an idle child only waits, so nothing is added, and the job starts sooner.
    this.#readBaseline();
    this.#ready.resolve();
  }

  /** True where there may be another. */
  #readFrame(): boolean {
    if (this.#receivedBytes < FRAME_HEADER_BYTES || this.#isEnded) return false;
    if (this.#received[0]!.byteLength < FRAME_HEADER_BYTES) this.#received = [Buffer.concat(this.#received)];
    const head = this.#received[0]!;
    const type = head[0];
    const frameBytes = FRAME_HEADER_BYTES + head.readUInt32LE(1);
    const bytesMax =
      type === FRAME_KEPT ? CHECKPOINT_BYTES_MAX : this.#outputBytesMax + DONE_HEADER_BYTES_MAX;
    if (Math.max(frameBytes, type === FRAME_KEPT ? 0 : this.#receivedBytes) > FRAME_HEADER_BYTES + bytesMax)
      return this.#flood();
    if (this.#receivedBytes < frameBytes) return false;
    const bytes = Buffer.concat(this.#received);
    this.#received = [bytes.subarray(frameBytes)];
    this.#receivedBytes -= frameBytes;
    return this.#heard(type, bytes.subarray(FRAME_HEADER_BYTES, frameBytes));
  }

  #heard(type: number | undefined, payload: Buffer): boolean {
    if (type === FRAME_KEPT && this.#kept !== undefined) {
      this.#kept(payload);
      return true;
    }
    this.#isEnded = true;
    const done = type === FRAME_DONE ? parseDone(payload) : undefined;
    if (done) this.#end.resolve(done);
    else this.#die('reported its end in a form that nobody knows');
    return false;
  }

  #die(how: string): void {
    const stderrTail = this.#stderr.text();
    this.#end.resolve({ kind: 'died', how, stderrTail });
    this.#ready.reject(
      new Error(`the child ${how}${stderrTail === '' ? '' : `; it said: ${stderrTail.trim()}`}`),
    );
    if (this.#process?.exitCode === null && this.#process.signalCode === null && this.#process.pid)
      return this.kill();
    this.#isClosed = true;
    this.#closed.resolve();
  }
}

function parseDone(frame: Buffer): ChildEnd | undefined {
  try {
    const headerEnd = 4 + frame.readUInt32LE(0);
    const done = JSON.parse(frame.subarray(4, headerEnd).toString('utf8')) as ChildDone;
    return { kind: 'done', done, output: frame.subarray(headerEnd) };
  } catch {
    return undefined;
  }
}

/** What is lent is idle time: the owner's programs, and the client that must renew the lease, go first. */
function yieldToOwner(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or the system has no such notion.
  }
}

function readInfo(stream: Readable, learnPid: (pid: number) => void): void {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  stream.on('data', (chunk: string) => {
    text = (text + chunk).slice(0, INFO_BYTES_MAX);
    const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
    // The closing brace: the number may arrive in two pieces.
    if (pid !== undefined && text.includes('}')) learnPid(Number(pid));
  });
}

/** Where the vehicle itself runs out of memory, a stranger's program ends before anything of the owner's. */
function preferAsVictim(pid: number): void {
  try {
    fs.writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // Another system than Linux, or a child that is gone.
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already, or it is not yet the leader of a group of its own.
    killOne(pid, signal);
  }
}

function killOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone: that is what a signal was to achieve, or there is nobody left to stop.
  }
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `was ended by ${signal}`;
  // Launchers report the signal that ended their child as shells do.
  if (code !== null && code > 128) return `was ended by signal ${code - 128}`;
  return `ended by itself with exit code ${code}`;
}
