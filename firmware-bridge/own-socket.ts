/** A Unix socket at a path of its own: for its user alone, in place of what a dead program left, never of a living one. */
import { chmodSync, unlinkSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';

/** `answered`: another program listens there. */
export type Listening =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: 'answered' }
  | { readonly ok: false; readonly why: 'failed'; readonly cause: unknown };

/** Of mode 0600. Whose path it is says what is wrong, and what to do. */
export async function listenAt(server: Server, path: string): Promise<Listening> {
  if (await isAnswered(path)) return { ok: false, why: 'answered' };
  try {
    removeLeftover(path);
    await listen(server, path);
    chmodSync(path, 0o600);
    return { ok: true };
  } catch (cause) {
    return { ok: false, why: 'failed', cause };
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

function removeLeftover(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.removeAllListeners('error');
  // Accepting can fail (no descriptors left); the socket goes on listening.
  server.on('error', () => undefined);
}
