/** What of the disk gets short: told once while there is still room, and again only after there was clearly more. */
import type { Logger } from 'pino';
import type { BlobUsage } from '../ports.ts';

/** What is needed of what may be held, from which on it is told: strangers are refused from three quarters on. */
const NEEDED_MILLIS_TOLD = 600;
/** Below it the next time is told again. */
const NEEDED_MILLIS_OVER = 500;
/** So many times what is kept free: then it is told. */
const FREE_TIMES_TOLD = 2;
const FREE_TIMES_OVER = 3;

export interface Shortage {
  readonly what: 'payloads' | 'disk';
  readonly hint: string;
}

type Short = Shortage['what'];

const HINTS: Readonly<Record<Short, string>> = {
  payloads:
    'raise storage.blobsMib where the disk has more, or let go of what is owed: plugpool tasks shows what waits and what nobody fetched (kept for policy.retention), plugpool algorithms list the images',
  disk: 'free space on the disk of the data directory, or move it to a larger one; a shorter policy.retention keeps the store from growing',
};

/** Whether it could be, however little of it may go. */
export function isMuchUsed({ usedBytes, maxBytes }: BlobUsage): boolean {
  return usedBytes * 1000 > maxBytes * NEEDED_MILLIS_OVER;
}

export class Shortages {
  readonly #told = new Set<Short>();

  /** `spareBytes`: what of the bytes may go. */
  of(usage: BlobUsage, spareBytes: number): Shortage[] {
    return this.#shortOf(usage, spareBytes).map((what) => ({ what, hint: HINTS[what] }));
  }

  tell(usage: BlobUsage, spareBytes: number, log: Pick<Logger, 'warn'>): void {
    const short = this.#shortOf(usage, spareBytes);
    for (const what of short) if (!this.#told.has(what)) warn(what, usage, spareBytes, log);
    this.#told.clear();
    for (const what of short) this.#told.add(what);
  }

  /** What was told goes on until there is clearly more room. */
  #shortOf({ usedBytes, maxBytes, disk }: BlobUsage, spareBytes: number): Short[] {
    const neededMillis = this.#told.has('payloads') ? NEEDED_MILLIS_OVER : NEEDED_MILLIS_TOLD;
    const times = this.#told.has('disk') ? FREE_TIMES_OVER : FREE_TIMES_TOLD;
    const short: Short[] = [];
    if ((usedBytes - spareBytes) * 1000 > maxBytes * neededMillis) short.push('payloads');
    if (disk !== undefined && disk.freeBytes < times * disk.keepBytes) short.push('disk');
    return short;
  }
}

function warn(what: Short, usage: BlobUsage, spareBytes: number, log: Pick<Logger, 'warn'>): void {
  const hint = HINTS[what];
  const { usedBytes, maxBytes, disk } = usage;
  if (what === 'disk') return log.warn({ ...disk, hint }, 'the disk of the data directory gets full');
  const neededBytes = usedBytes - spareBytes;
  log.warn({ neededBytes, maxBytes, hint }, 'images and payloads that are needed leave little room');
}
