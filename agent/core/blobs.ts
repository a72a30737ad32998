/** Requests and results whose bytes are not on the pile yet: they wait, bounded in number and time, for the upload. */
import type {
  BlobRef,
  Digest,
  Envelope,
  Reason,
  RequestId,
  Result,
  TaskRequest,
  VehicleId,
} from '@plugpool/proto';
import { AWAITED_BLOBS_MAX } from './limits.ts';
import type { AwaitedBlob, Client } from './state.ts';
import { refuse, type Turn } from './turn.ts';

interface Waiting {
  readonly envelope: Envelope<TaskRequest | Result>;
  readonly bodyHash: string;
}

export const TOO_MANY_UPLOADS: Reason = {
  code: 'rate_limited',
  detail: 'too many uploads are under way at this pile',
  hint: 'send it again in some seconds',
};

/** False: too many wait already. */
export function awaitBlob(turn: Turn, client: Client, blob: BlobRef, message: Waiting): boolean {
  const { state, now } = turn;
  const entry = { clientId: client.name.clientId, connection: client.connection, ...message };
  const awaited = state.awaitedBlobs.get(blob.digest);
  if (awaited !== undefined) {
    if (awaited.waiting.length >= AWAITED_BLOBS_MAX) return false;
    awaited.waiting.push(entry);
  } else {
    if (state.awaitedBlobs.size >= AWAITED_BLOBS_MAX) return false;
    const untilMonoMs = now.monoMs + state.settings.blobWaitMs;
    state.awaitedBlobs.set(blob.digest, { digest: blob.digest, untilMonoMs, waiting: [entry] });
    state.timers.set(`blob:${blob.digest}`, untilMonoMs);
  }
  turn.effects.fetches.push({ clientId: client.name.clientId, blob });
  return true;
}

/** Takes those that waited for a blob; the caller hears them again, or refuses them. */
export function takeAwaited(turn: Turn, digest: Digest): AwaitedBlob['waiting'] {
  const awaited = turn.state.awaitedBlobs.get(digest);
  turn.state.awaitedBlobs.delete(digest);
  turn.state.timers.clear(`blob:${digest}`);
  return awaited?.waiting ?? [];
}

/** A request that was taken back while its input was on the way. */
export function dropAwaited(turn: Turn, vehicleId: VehicleId, requestId: RequestId): void {
  for (const { waiting } of turn.state.awaitedBlobs.values()) {
    const index = waiting.findIndex(
      ({ clientId, envelope: { body } }) =>
        body.kind === 'request' && body.requestId === requestId && clientId.startsWith(`${vehicleId}.`),
    );
    if (index >= 0) waiting.splice(index, 1);
  }
}

export function refuseAwaited(turn: Turn, digest: Digest, detail: string): void {
  const reason: Reason = {
    code: detail.includes('digest') ? 'digest_mismatch' : 'input_unavailable',
    detail,
    hint: 'send the request again, with the bytes that its digest names',
  };
  for (const { clientId, connection, envelope } of takeAwaited(turn, digest)) {
    const client = turn.state.clients.get(clientId);
    if (client?.connection !== connection) continue;
    const { body, correlationId } = envelope;
    const about = body.kind === 'request' ? { requestId: body.requestId } : {};
    refuse(turn, { clientId, correlationId, ...about }, [reason], true);
  }
}
