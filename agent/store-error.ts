/** What can go wrong with the disk, as one error class; anything else that a store throws is a broken promise of our own code. */
import type { StoreErrorCode } from './ports.ts';

/**
 * A failure of the world: no space, a damaged file, another agent. `hint` says what a person can do about it, `retryable`
 * whether the same call can succeed later without that. An error of any other class that leaves a store (an `AssertionError`,
 * mostly) means that the caller broke a rule of the records: crash, and start again from what is on disk.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: { readonly hint: string; readonly retryable: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable;
  }
}

export const HINT_FULL =
  'Free space on the disk of the data directory, or raise its limit; the agent goes on by itself.';

/** The `StoreError` of a failed file operation; `doing` completes "could not …". */
export function storeErrorOfFile(error: unknown, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = `could not ${doing}: ${error instanceof Error ? error.message : String(error)}`;
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError('full', message, { hint: HINT_FULL, retryable: true, cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StoreError('unavailable', message, {
        hint: 'Give the user of the agent the right to write there, or choose another directory with --data-dir.',
        retryable: false,
        cause: error,
      });
    default:
      return new StoreError('unavailable', message, {
        hint: 'Check the disk of the data directory (dmesg, smartctl) and that it is mounted.',
        retryable: true,
        cause: error,
      });
  }
}
