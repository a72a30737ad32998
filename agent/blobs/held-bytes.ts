/**
 * What an event says of bytes on the disk, as it is when it is decided. Behind a slow commit it may have waited for minutes, in which
 * nobody is owed the bytes yet: they may have given way. Asked for here they are young, until the commit that needs them is on disk.
 */
import type { BlobRef, ClientName, Digest, Payload, UpBody } from '@plugpool/proto';
import type { Event } from '../core/events.ts';

export interface HeldBytes {
  /** The pile has them, and that client may have them. */
  holdsFor(client: ClientName, blob: BlobRef): boolean;
  has(digest: Digest): boolean;
}

export function asHeldNow(event: Event, held: HeldBytes): Event {
  if (event.kind === 'blobArrived' && !held.has(event.digest)) {
    const { digest, vehicleId } = event;
    const detail = 'the bytes gave way while the store did not answer';
    return { kind: 'blobFailed', digest, vehicleId, why: { code: 'storage_unavailable', detail } };
  }
  if (event.kind !== 'message' || event.blobHeld !== true) return event;
  const payload = payloadOf(event.envelope.body);
  if (payload?.where !== 'blob' || held.holdsFor(event.client, payload.blob)) return event;
  return { ...event, blobHeld: false };
}

function payloadOf(body: UpBody): Payload | undefined {
  if (body.kind === 'request') return body.input;
  return body.kind === 'result' && body.outcome.ok ? body.outcome.output : undefined;
}
