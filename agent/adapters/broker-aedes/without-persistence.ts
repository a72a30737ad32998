/**
 * What Aedes asks of a persistence, for a broker that keeps nothing: every session is clean, nothing is retained, no will
 * is taken, nothing is at QoS 2. The store on disk is the only memory of a pile, so there is nothing here that a client
 * could fill.
 */
import { Readable } from 'node:stream';

const done = Promise.resolve();
const nothing = (): Readable => Readable.from([]);
const resolved = (): Promise<void> => done;

/** Only what Aedes calls for such sessions; anything else would be a defect and should fail loudly. */
export const withoutPersistence = {
  // Aedes checks that this is an `async` function.
  async setup(): Promise<void> {},
  cleanSubscriptions: resolved,
  cleanIncoming: resolved,
  delWill: resolved,
  streamWill: nothing,
  outgoingStream: nothing,
  outgoingClearMessageId: resolved,
  createRetainedStreamCombi: nothing,
};
