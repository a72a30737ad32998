/** What commands say of a file that was named and cannot be read. */
import { CliError } from './context.ts';

export function unreadableFile(path: string, cause: unknown, hint = HINT): CliError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CliError('file_unreadable', `cannot read ${path}: ${why}`, hint, cause);
}

const HINT = 'check the path and who may read it';
