/** The child's end of its two pipes: blocking reads and writes, because an idle child must load and cost next to nothing. */
import fs from 'node:fs';
import type { FailureCode } from '@plugpool/proto';
import {
  DETAIL_CHARACTERS_MAX,
  FRAME_DONE,
  FRAME_HEADER_BYTES,
  FRAME_KEPT,
  FRAME_READY,
  STDERR_FORWARDED_BYTES_MAX,
  TailBuffer,
} from './child-protocol.ts';
import type { ChildDone, ChildJob } from './child-protocol.ts';

const FROM_PARENT_FD = 0;
const TO_PARENT_FD = 1;
const STDERR_FD = 2;
const LENGTH_BYTES = 4;

export interface ReceivedJob {
  readonly job: ChildJob;
  readonly image: Uint8Array<ArrayBuffer>;
  readonly input: Uint8Array<ArrayBuffer>;
  readonly state: Uint8Array<ArrayBuffer>;
}

export type ProgramEnd =
  | { readonly ok: true; readonly output: readonly Uint8Array[] }
  | { readonly ok: false; readonly code: FailureCode; readonly detail: string };

const stderrTail = new TailBuffer();
let stderrForwardedBytes = 0;
let startedMonoNs = 0n;
let gpuMs = 0;

export function announceReady(): void {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  frame[0] = FRAME_READY;
  writeAll(TO_PARENT_FD, frame);
}

/** Waits for the one job of this child. A parent that closes the pipe instead ends the child. */
export function receiveJob(): ReceivedJob {
  const headerLength = readExact(LENGTH_BYTES).readUInt32LE(0);
  const job = JSON.parse(readExact(headerLength).toString('utf8')) as ChildJob;
  const image = readExact(job.imageBytes);
  const input = readExact(job.inputBytes);
  const state = readExact(job.stateBytes);
  return { job, image, input, state };
}

/** Marks the moment at which the stranger's program begins. */
export function noteStarted(): void {
  startedMonoNs = process.hrtime.bigint();
}

export function noteGpuMs(ms: number): void {
  gpuMs = ms;
}

/** The parent keeps the last that arrived whole, whatever becomes of this process. */
export function sendKept(archive: Uint8Array): void {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header[0] = FRAME_KEPT;
  header.writeUInt32LE(archive.byteLength, 1);
  writeAll(TO_PARENT_FD, header);
  writeAll(TO_PARENT_FD, archive);
}

/** The program's standard error: the first part is passed on as it comes (it outlives a kill), the rest only as a tail. */
export function writeStderr(bytes: Uint8Array): void {
  stderrTail.push(bytes);
  const room = STDERR_FORWARDED_BYTES_MAX - stderrForwardedBytes;
  if (room <= 0) return;
  const forwarded = bytes.subarray(0, room);
  stderrForwardedBytes += forwarded.byteLength;
  writeAll(STDERR_FD, forwarded);
}

/**
 * Reports the end and waits to be killed. It never returns, so that no exception handler of a wasm module can carry on after
 * its end was reported, and the parent can read the kernel's accounting of a process that still exists.
 */
export function finish(end: ProgramEnd): never {
  const header = Buffer.from(JSON.stringify(doneHeader(end)));
  const output = end.ok ? end.output : [];
  const outputBytes = output.reduce((sum, part) => sum + part.byteLength, 0);
  const start = Buffer.alloc(FRAME_HEADER_BYTES + LENGTH_BYTES);
  start[0] = FRAME_DONE;
  start.writeUInt32LE(LENGTH_BYTES + header.byteLength + outputBytes, 1);
  start.writeUInt32LE(header.byteLength, FRAME_HEADER_BYTES);
  writeAll(TO_PARENT_FD, Buffer.concat([start, header]));
  for (const part of output) writeAll(TO_PARENT_FD, part);
  readExact(1);
  process.exit(0);
}

function doneHeader(end: ProgramEnd): ChildDone {
  const cpu = process.cpuUsage();
  const base = {
    startedMonoNs: startedMonoNs.toString(),
    stderrTail: stderrTail.text(),
    gpuMs,
    ownCpuMs: (cpu.user + cpu.system) / 1000,
  };
  return end.ok
    ? { ...base, ok: true }
    : { ...base, ok: false, code: end.code, detail: end.detail.slice(0, DETAIL_CHARACTERS_MAX) };
}

function readExact(length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  let filled = 0;
  while (filled < length) {
    const count = retryWhileBusy(() => fs.readSync(FROM_PARENT_FD, bytes, filled, length - filled, null));
    // The parent is gone or has no use for this child.
    if (count === 0) process.exit(0);
    filled += count;
  }
  return bytes;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.byteLength) {
    written += retryWhileBusy(() => fs.writeSync(fd, bytes, written, bytes.byteLength - written));
  }
}

/** Pipes of a child block, but somebody who starts the child by hand may pass one that does not. */
function retryWhileBusy(operation: () => number): number {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
