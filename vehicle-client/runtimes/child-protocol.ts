/**
 * What parent and child say to each other; both sides import it, so it holds no code that only one of them needs.
 *
 * Parent to child, once, on standard input: u32 length of a JSON header, the header, the image, the input, the kept state.
 * Child to parent, on standard output: frames of u8 type, u32 length, payload. `ready` has none; that of `kept`, which may come
 * any number of times, is the program's state (checkpoint-archive.ts); the payload of `done` is a u32 length of a JSON header,
 * the header, and the output. Numbers are little-endian. Standard error is the program's own.
 */
import type { FailureCode, RunLimits } from '@plugpool/proto';

export const FRAME_READY = 1;
export const FRAME_DONE = 2;
export const FRAME_KEPT = 3;
/** u8 type and u32 length. */
export const FRAME_HEADER_BYTES = 5;
/** Header and framing of `done`, without the output: what the parent accepts beyond the output limit. */
export const DONE_HEADER_BYTES_MAX = 64 * 1024;
export const STDERR_TAIL_BYTES = 4 * 1024;
/** A program's standard error that reaches the parent at once; beyond it only the tail is kept, inside the child. */
export const STDERR_FORWARDED_BYTES_MAX = 256 * 1024;
/** A reason for a person; longer ones are cut. */
export const DETAIL_CHARACTERS_MAX = 512;

export interface ChildJob {
  readonly imageBytes: number;
  readonly inputBytes: number;
  /** Of the state that it goes on from; 0: it starts anew. */
  readonly stateBytes: number;
  /** Whether what it keeps is of use to anybody. */
  readonly keepsState: boolean;
  readonly args: readonly string[];
  /** `NAME=value` each; empty for onnx. */
  readonly env: readonly string[];
  /** 32 hex digits. */
  readonly seedHex: string;
  readonly limits: RunLimits;
  readonly threads: number;
  readonly gpu: boolean;
  /** ONNX Runtime's execution providers, best first; empty for wasm. */
  readonly executionProviders: readonly string[];
}

interface DoneBase {
  /** CLOCK_MONOTONIC in ns when the program was entered (the same clock for parent and child); 0: it never was. */
  readonly startedMonoNs: string;
  readonly stderrTail: string;
  /** Time that a device other than the CPU was busy, at most. */
  readonly gpuMs: number;
  /** CPU time by the child's own count; used only where the kernel's accounting cannot be read. */
  readonly ownCpuMs: number;
}

export type ChildDone =
  | (DoneBase & { readonly ok: true })
  | (DoneBase & { readonly ok: false; readonly code: FailureCode; readonly detail: string });

/** The last `STDERR_TAIL_BYTES` as text, that is still no longer when encoded again (a broken byte grows to three). */
export function tailText(bytes: Uint8Array): string {
  const kept = bytes.subarray(Math.max(0, bytes.byteLength - STDERR_TAIL_BYTES));
  let text = Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength).toString('utf8');
  while (Buffer.byteLength(text) > STDERR_TAIL_BYTES) {
    text = text.slice(Math.ceil((Buffer.byteLength(text) - STDERR_TAIL_BYTES) / 4));
  }
  return text;
}

/** Keeps the last bytes of a stream in a bounded buffer. */
export class TailBuffer {
  #bytes: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): void {
    const kept = chunk.subarray(Math.max(0, chunk.byteLength - STDERR_TAIL_BYTES));
    const old = this.#bytes.subarray(
      Math.max(0, this.#bytes.byteLength + kept.byteLength - STDERR_TAIL_BYTES),
    );
    this.#bytes = Buffer.concat([old, kept]);
  }

  text(): string {
    return tailText(this.#bytes);
  }
}
