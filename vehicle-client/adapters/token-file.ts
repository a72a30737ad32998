/** The secret that binds a vehicle id to this vehicle at a pile: made at first use, kept with mode 0600. */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PlugpoolError } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';

const TOKEN_BYTES = 32;
const TOKEN_PATTERN = /^[\x21-\x7e]{16,256}$/;

/** The token in the file; where there is no file, a new one that is written first. */
export function loadOrCreateToken(path: string): string {
  return readToken(path) ?? createToken(path);
}

/** The token in a file that must exist. */
export function loadToken(path: string): string {
  const token = readToken(path);
  if (token !== undefined) return token;
  throw new PlugpoolError({
    code: 'token_file_missing',
    message: `there is no token file at ${path}`,
    hint: 'check the path, or leave --token-file away to have one made in the data directory',
    retryable: false,
  });
}

function readToken(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PlugpoolError({
      code: 'token_file_unreadable',
      message: `the token file ${path} cannot be read: ${(error as Error).message}`,
      hint: 'it must belong to whoever runs this, with mode 0600',
      retryable: false,
      cause: error,
    });
  }
  if (TOKEN_PATTERN.test(text)) return text;
  throw new PlugpoolError({
    code: 'token_file_invalid',
    message: `the token file ${path} holds no token (16 to 256 printable characters without spaces)`,
    hint: 'put the right one back; a new token is refused by every pile that knows this vehicle id',
    retryable: false,
  });
}

function createToken(path: string): string {
  makeDirectory(dirname(path));
  const partial = `${path}.${process.pid}.part`;
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  writeFileSync(partial, `${token}\n`, { mode: 0o600, flush: true });
  try {
    // Unlike a rename, a link never replaces the token that another process of this vehicle made meanwhile.
    linkSync(partial, path);
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return loadToken(path);
  } finally {
    rmSync(partial, { force: true });
  }
}
