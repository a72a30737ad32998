/** Requests and results whose bytes are not on the pile yet: they wait, bounded in number and time, for the upload. */
import type {
  BlobRef,
  Checkpoint,
  Digest,
  Envelope,
  Reason,
  RequestId,
  Result,
  TaskRequest,
  VehicleId,
} from '@plugpool/proto';
import { mayTake } from '../clients/share.ts';
import type { BlobFailure } from '../events.ts';
import {
  AWAITED_BLOBS_MAX,
  AWAITED_BLOBS_PER_VEHICLE_MAX,
  AWAITING_MESSAGES_MAX,
  AWAITING_MESSAGES_PER_VEHICLE_MAX,
} from '../limits.ts';
import type { AwaitedBlob, Client, State } from '../state.ts';
import { refuse, type Turn } from '../turn.ts';

interface Waiting {
  readonly envelope: Envelope<TaskRequest | Result | Checkpoint>;
  readonly bodyHash: string;
}

export const TOO_MANY_UPLOADS: Reason = {
  code: 'rate_limited',
  detail: 'too many uploads are under way at this pile',
  hint: 'send it again in some seconds',
};

/** False: too many wait already. */
export function awaitBlob(
  turn: Turn,
  client: Client,
  blob: BlobRef,
  message: Waiting,
  requester: VehicleId,
): boolean {
  const { state, now } = turn;
  const entry = { client: client.name, connection: client.connection, ...message };
  if (!hasRoom(state, client.name.vehicleId, blob.digest)) return false;
  const awaited = state.awaitedBlobs.get(blob.digest);
  if (awaited !== undefined) awaited.waiting.push(entry);
  else {
    const untilMonoMs = now.monoMs + state.settings.blobWaitMs;
    state.awaitedBlobs.set(blob.digest, { digest: blob.digest, untilMonoMs, waiting: [entry] });
    state.timers.set(`blob:${blob.digest}`, untilMonoMs);
  }
  turn.effects.fetches.push({ clientId: client.name.clientId, blob, requester });
  return true;
}

function hasRoom(state: State, vehicleId: VehicleId, digest: Digest): boolean {
  const messages = { max: AWAITING_MESSAGES_MAX, used: 0, own: 0 };
  const blobs = { max: AWAITED_BLOBS_MAX, used: state.awaitedBlobs.size, own: 0 };
  for (const { waiting } of state.awaitedBlobs.values()) {
    const own = waiting.filter(({ client }) => client.vehicleId === vehicleId).length;
    messages.used += waiting.length;
    messages.own += own;
    if (own > 0) blobs.own += 1;
  }
  if (messages.own >= AWAITING_MESSAGES_PER_VEHICLE_MAX || !mayTake(state, vehicleId, messages)) return false;
  const awaited = state.awaitedBlobs.get(digest);
  if (awaited === undefined && !mayTake(state, vehicleId, blobs)) return false;
  const isOwn = awaited?.waiting.some(({ client }) => client.vehicleId === vehicleId) ?? false;
  return isOwn || blobs.own < AWAITED_BLOBS_PER_VEHICLE_MAX;
}

/** Takes those of a vehicle that waited for a blob; the caller hears them again, or refuses them. */
export function takeAwaited(turn: Turn, digest: Digest, vehicleId: VehicleId): AwaitedBlob['waiting'] {
  const awaited = turn.state.awaitedBlobs.get(digest);
  if (awaited === undefined) return [];
  const taken = awaited.waiting.filter(({ client }) => client.vehicleId === vehicleId);
  const others = awaited.waiting.filter(({ client }) => client.vehicleId !== vehicleId);
  if (others.length > 0) turn.state.awaitedBlobs.set(digest, { ...awaited, waiting: others });
  else forgetAwaited(turn, digest);
  return taken;
}

function forgetAwaited({ state }: Turn, digest: Digest): void {
  state.awaitedBlobs.delete(digest);
  state.timers.clear(`blob:${digest}`);
}

export function vehiclesWaitingFor(state: State, digest: Digest): ReadonlySet<VehicleId> {
  return new Set(state.awaitedBlobs.get(digest)?.waiting.map(({ client }) => client.vehicleId));
}

/** A request that was taken back while its input was on the way. */
export function dropAwaited(turn: Turn, vehicleId: VehicleId, requestId: RequestId): void {
  for (const { digest, waiting } of turn.state.awaitedBlobs.values()) {
    const index = waiting.findIndex(
      ({ client, envelope: { body } }) =>
        body.kind === 'request' && body.requestId === requestId && client.vehicleId === vehicleId,
    );
    if (index < 0) continue;
    waiting.splice(index, 1);
    if (vehiclesWaitingFor(turn.state, digest).has(vehicleId)) continue;
    if (waiting.length === 0) forgetAwaited(turn, digest);
    turn.effects.abandons.push({ digest, vehicleId, keep: false });
  }
}

const HINTS: Readonly<Record<BlobFailure['code'], string>> = {
  input_unavailable: 'send it again, and answer the pulls of its bytes',
  digest_mismatch: 'send it again, with the bytes that its digest names',
  rate_limited: 'send it again in some seconds',
  storage_full: 'send it again later; the pile kept nothing of it',
  storage_unavailable: 'send it again later; the pile kept nothing of it',
};

export function refuseAwaited(turn: Turn, digest: Digest, vehicleId: VehicleId, why: BlobFailure): void {
  const reason: Reason = { ...why, hint: HINTS[why.code] };
  for (const { client, connection, envelope } of takeAwaited(turn, digest, vehicleId)) {
    const { clientId } = client;
    if (turn.state.clients.get(clientId)?.connection !== connection) continue;
    const { body, correlationId } = envelope;
    const about = body.kind === 'request' ? { requestId: body.requestId } : {};
    refuse(turn, { clientId, correlationId, ...about }, [reason], true);
  }
}
