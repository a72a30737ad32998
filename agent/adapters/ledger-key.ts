/** The pile's key, with which it signs the head of its ledger: Ed25519, made at first use, in a file that only its owner reads. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StoreError, storeErrorOfFile } from '../store-error.ts';

export interface LedgerKey {
  /** DER (SPKI) in base64. */
  readonly publicKey: string;
  /** In base64. */
  sign(bytes: Uint8Array): string;
}

/** Throws a `StoreError` where the file cannot be read, made, or is no key. */
export function openLedgerKey(dataDir: string): LedgerKey {
  const path = join(dataDir, 'ledger.key');
  const key = keyIn(readIfThere(path) ?? make(path), path);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  return { publicKey, sign: (bytes) => sign(null, bytes, key).toString('base64') };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw storeErrorOfFile(error, `read the key ${path}`);
  }
}

/** Synced with its directory before anything is signed with it: a key that is lost makes every head it signed a stranger's. */
function make(path: string): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  try {
    writeSynced(openSync(path, 'wx', 0o600), pem);
    writeSynced(openSync(dirname(path), 'r'), '');
    return pem;
  } catch (error) {
    throw storeErrorOfFile(error, `make the key ${path}`);
  }
}

function writeSynced(file: number, text: string): void {
  try {
    if (text !== '') writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function keyIn(pem: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below.
  }
  throw new StoreError('unavailable', `${path} is no Ed25519 key`, {
    hint: 'Put it back from a copy, or move it away: a new one is made, and heads that the old one signed are a stranger’s.',
    retryable: false,
  });
}
