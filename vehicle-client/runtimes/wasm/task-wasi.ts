/**
 * WASI preview 1 as one task sees it: the shim's calls, with those replaced that would let two replicas differ, sleep in a
 * busy loop, or take memory without bound.
 *
 * The clock measures calls, not time: it starts at a fixed instant and each reading moves it by 10 µs; a sleep moves it by what
 * was asked for. Real time, however coarse, would differ between two donors in the end, and replicas must agree byte for byte.
 * Randomness is AES-128 in counter mode over zeros, keyed with the job's seed, from a zero counter: any language has it.
 */
import { WASI, wasi } from '@bjorn3/browser_wasi_shim';
import type { Fd } from '@bjorn3/browser_wasi_shim';

/** 2020-01-01T00:00:00Z: plausible to programs that refuse a clock before their own build. */
export const EPOCH_NS = 1_577_836_800_000_000_000n;
export const CLOCK_STEP_NS = 10_000n;
/** What the program finds as its own name, the same on every donor. */
export const PROGRAM_NAME = 'plugpool-task';
const FDS_MAX = 1024;
const SUBSCRIPTIONS_MAX = 1024;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const SLEEP_MS_MAX = 2 ** 31 - 1;
const CLOCK_IDS = 4;
/** What is made at a time: a module may ask for all of its memory at once. */
const RANDOM_CHUNK_BYTES = 64 * 1024;

export type WasiCalls = Record<string, (...args: never[]) => unknown>;

export interface TaskWasiOptions {
  readonly args: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  /** 16 bytes. */
  readonly seed: Uint8Array;
  readonly fds: Fd[];
  /** Called before calls that come now and then; what it does no program sees. */
  readonly between: (() => void) | undefined;
  /** Ends the program; does not return. */
  readonly exit: (code: number) => never;
  readonly raise: (signal: number) => never;
}

/** The import object's calls, and the shim whose `inst` must be set before the first of them. */
export function taskWasi(options: TaskWasiOptions): { readonly shim: WASI; readonly calls: WasiCalls } {
  const shim = new WASI([], [], options.fds, { debug: false });
  const memory = () => new DataView(shim.inst.exports.memory.buffer);
  const clock = new CallClock();
  const calls = shim.wasiImport;
  const own: WasiCalls = {
    ...textCalls('args', [PROGRAM_NAME, ...options.args], memory),
    ...textCalls('environ', options.env, memory),
    ...clockCalls(clock, memory),
    poll_oneoff: (inPtr: number, outPtr: number, count: number, countPtr: number) =>
      poll({ inPtr, outPtr, count, countPtr }, memory(), clock),
    path_open: reusingDescriptors(calls['path_open'] as PathOpen, shim, memory),
    random_get: seededRandom(options.seed, memory),
    proc_exit: options.exit,
    proc_raise: options.raise,
    sock_accept: () => wasi.ERRNO_NOTSUP,
    sock_recv: () => wasi.ERRNO_NOTSUP,
    sock_send: () => wasi.ERRNO_NOTSUP,
    sock_shutdown: () => wasi.ERRNO_NOTSUP,
  };
  return { shim, calls: withBreaks({ ...calls, ...own }, options.between) };
}

/** Programs that keep their state make these calls for it; who makes none has changed nothing there. */
const BREAKS = ['path_open', 'fd_close', 'clock_time_get', 'poll_oneoff', 'sched_yield'];

function withBreaks(calls: WasiCalls, between: (() => void) | undefined): WasiCalls {
  if (between === undefined) return calls;
  const breaks = BREAKS.map((name) => {
    const call = calls[name] as (...args: never[]) => unknown;
    return [
      name,
      (...args: never[]) => {
        between();
        return call(...args);
      },
    ];
  });
  return { ...calls, ...(Object.fromEntries(breaks) as WasiCalls) };
}

class CallClock {
  #elapsedNs = 0n;

  read(clockId: number): bigint {
    this.#elapsedNs += CLOCK_STEP_NS;
    return clockId === wasi.CLOCKID_REALTIME ? EPOCH_NS + this.#elapsedNs : this.#elapsedNs;
  }

  advance(ns: bigint): void {
    this.#elapsedNs += ns;
  }
}

function clockCalls(clock: CallClock, memory: () => DataView): WasiCalls {
  return {
    clock_res_get: (id: number, resultPtr: number) => {
      if (id >>> 0 >= CLOCK_IDS) return wasi.ERRNO_INVAL;
      memory().setBigUint64(resultPtr, CLOCK_STEP_NS, true);
      return wasi.ERRNO_SUCCESS;
    },
    clock_time_get: (id: number, _precision: bigint, resultPtr: number) => {
      if (id >>> 0 >= CLOCK_IDS) return wasi.ERRNO_INVAL;
      memory().setBigUint64(resultPtr, clock.read(id), true);
      return wasi.ERRNO_SUCCESS;
    },
  };
}

/**
 * Arguments, and the environment, which WASI hands over in the same way. The shim counts characters where WASI wants bytes, so
 * that an argument with an umlaut ran into its neighbour.
 */
function textCalls(name: 'args' | 'environ', texts: readonly string[], memory: () => DataView): WasiCalls {
  const encoder = new TextEncoder();
  const encoded = texts.map((text) => encoder.encode(`${text}\0`));
  const totalBytes = encoded.reduce((sum, text) => sum + text.byteLength, 0);
  return {
    [`${name}_sizes_get`]: (countPtr: number, bytesPtr: number) => {
      memory().setUint32(countPtr, encoded.length, true);
      memory().setUint32(bytesPtr, totalBytes, true);
      return wasi.ERRNO_SUCCESS;
    },
    [`${name}_get`]: (listPtr: number, bufferPtr: number) => {
      const view = memory();
      const bytes = new Uint8Array(view.buffer);
      let at = bufferPtr;
      encoded.forEach((text, index) => {
        view.setUint32(listPtr + 4 * index, at, true);
        bytes.set(text, at);
        at += text.byteLength;
      });
      return wasi.ERRNO_SUCCESS;
    },
  };
}

function seededRandom(seed: Uint8Array, memory: () => DataView): (ptr: number, length: number) => number {
  let fill: ((target: Uint8Array) => void) | undefined;
  return (ptr, length) => {
    fill ??= aesKeystream(seed);
    fill(new Uint8Array(memory().buffer, ptr >>> 0, length >>> 0));
    return wasi.ERRNO_SUCCESS;
  };
}

/** Loaded at the first use only: most programs ask for no randomness, and an idle child shall stay small. */
function aesKeystream(seed: Uint8Array): (target: Uint8Array) => void {
  const { createCipheriv } = process.getBuiltinModule('node:crypto');
  const cipher = createCipheriv('aes-128-ctr', seed, Buffer.alloc(16));
  const zeros = new Uint8Array(RANDOM_CHUNK_BYTES);
  return (target) => {
    for (let at = 0; at < target.byteLength; at += RANDOM_CHUNK_BYTES) {
      const count = Math.min(RANDOM_CHUNK_BYTES, target.byteLength - at);
      target.set(cipher.update(zeros.subarray(0, count)), at);
    }
  };
}

type PathOpen = (...args: [number, number, number, number, number, bigint, bigint, number, number]) => number;

/** The shim only ever appends to its table of descriptors, which a program that opens files in a loop fills for ever. */
function reusingDescriptors(open: PathOpen, shim: WASI, memory: () => DataView): PathOpen {
  return (...args) => {
    const openedPtr = args[8];
    const error = open(...args);
    if (error !== wasi.ERRNO_SUCCESS) return error;
    const opened = shim.fds.pop();
    const free = firstFree(shim.fds);
    if (!opened || free >= FDS_MAX) return wasi.ERRNO_MFILE;
    shim.fds[free] = opened;
    memory().setUint32(openedPtr, free, true);
    return wasi.ERRNO_SUCCESS;
  };
}

function firstFree(fds: readonly (Fd | undefined)[]): number {
  const gap = fds.indexOf(undefined);
  return gap < 0 ? fds.length : gap;
}

interface PollCall {
  readonly inPtr: number;
  readonly outPtr: number;
  readonly count: number;
  readonly countPtr: number;
}

/** Descriptors are always ready (all content is in memory); where only clocks are asked for, the earliest is slept for. */
function poll(call: PollCall, view: DataView, clock: CallClock): number {
  if (call.count === 0) return wasi.ERRNO_INVAL;
  if (call.count >>> 0 > SUBSCRIPTIONS_MAX) return wasi.ERRNO_NOMEM;
  const subscriptions = Array.from({ length: call.count }, (_, index) =>
    wasi.Subscription.read_bytes(view, call.inPtr + SUBSCRIPTION_BYTES * index),
  );
  const ready = subscriptions.filter((one) => one.eventtype !== wasi.EVENTTYPE_CLOCK);
  writeEvents(call, view, ready.length > 0 ? ready : sleepForEarliest(subscriptions, clock));
  return wasi.ERRNO_SUCCESS;
}

function sleepForEarliest(
  subscriptions: readonly wasi.Subscription[],
  clock: CallClock,
): wasi.Subscription[] {
  const waits = subscriptions.map((subscription) => ({ subscription, waitNs: waitOf(subscription, clock) }));
  const shortestNs = waits.map((one) => one.waitNs).reduce((best, ns) => (ns < best ? ns : best));
  sleepNs(shortestNs);
  clock.advance(shortestNs);
  return waits.filter((one) => one.waitNs <= shortestNs).map((one) => one.subscription);
}

function waitOf(subscription: wasi.Subscription, clock: CallClock): bigint {
  const absolute = (subscription.flags & wasi.SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME) !== 0;
  const wait = absolute ? subscription.timeout - clock.read(subscription.clockid) : subscription.timeout;
  return wait > 0n ? wait : 0n;
}

/** A real sleep, without load: a program that waits for nothing then meets its wall-time limit, not the CPU's. */
function sleepNs(ns: bigint): void {
  const ms = Number(ns / 1_000_000n);
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let leftMs = ms; leftMs > 0; leftMs -= SLEEP_MS_MAX) {
    Atomics.wait(never, 0, 0, Math.min(leftMs, SLEEP_MS_MAX));
  }
}

function writeEvents(call: PollCall, view: DataView, ready: readonly wasi.Subscription[]): void {
  ready.forEach((subscription, index) => {
    const at = call.outPtr + EVENT_BYTES * index;
    new Uint8Array(view.buffer, at, EVENT_BYTES).fill(0);
    const event = new wasi.Event(subscription.userdata, wasi.ERRNO_SUCCESS, subscription.eventtype);
    event.write_bytes(view, at);
  });
  view.setUint32(call.countPtr, ready.length, true);
}
