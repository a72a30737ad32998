/**
 * The chain of bookings: the hash of each is over the hash of the one before and every column of its own, so that no booking can
 * be changed, removed or moved without every later hash giving it away. Anybody with a sha256 can check it.
 */
import { hash } from 'node:crypto';

/** What stands before the first booking. */
export const FIRST_HASH = '0'.repeat(64);

/** The columns of `booking` but its hash, as they lie in the file. */
export interface BookingColumns {
  readonly key: number;
  readonly kind: string;
  readonly taskId: string;
  readonly instanceId: string;
  readonly fencingToken: number;
  readonly segment: number;
  readonly wallMs: number;
  readonly tariff: string | null;
  readonly overstay: number;
  /** JSON text, taken as it is. */
  readonly entries: string;
}

/** Three lines: the hash before in hexadecimal, the columns as a JSON array, the entries. None of them can hold a line break. */
export function hashOf(before: string, row: BookingColumns): string {
  const { key, kind, taskId, instanceId, fencingToken, segment, wallMs, tariff, overstay } = row;
  const columns = JSON.stringify([
    key,
    kind,
    taskId,
    instanceId,
    fencingToken,
    segment,
    wallMs,
    tariff,
    overstay,
  ]);
  return hash('sha256', `${before}\n${columns}\n${row.entries}`);
}
