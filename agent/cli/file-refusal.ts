/** What commands say that work on a store's file themselves, with no agent to ask, where that cannot be done. */
import { CliError } from './context.ts';

/** An error that says what to do is an answer; any other is a fault of the program. */
export function fileRefusalOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('hint' in error) || !('code' in error)) return error;
  // What an agent is told that finds another one is of no use to who only wants to put a backup back.
  if (error.name === 'StoreError' && error.code === 'held')
    return new CliError('storage_held', error.message, HINT_HELD, error);
  const code = error.name === 'StoreError' ? `storage_${String(error.code)}` : String(error.code);
  const hint = String(error.hint);
  return new CliError(code, error.message, hint.charAt(0).toLowerCase() + hint.slice(1), error);
}

const HINT_HELD =
  'stop that agent first ("plugpool drain" before it loses no work), or name another directory with --data-dir';
