/** What a run had done when its state was last kept: the next attempt goes on from there. */
import type { Checkpoint, ClientId, LeaseId, Reason } from '@plugpool/proto';
import { awaitBlob, TOO_MANY_UPLOADS } from '../payloads/blobs.ts';
import { bookCheckpoint } from '../ledger/bookings.ts';
import { workDoneMncs } from '../ledger/claim.ts';
import { CHECKPOINT_BYTES_MAX } from '../limits.ts';
import { askedMncs } from '../waiting/need.ts';
import type { Heard } from '../events.ts';
import { isReplicated } from '../replicas/replicas-of.ts';
import { spend } from './checkpoint-budget.ts';
import { holdingOf, type Holding } from './results.ts';
import type { Client, Instance, Lease } from '../state.ts';
import { log, refuse, send, type Turn } from '../turn.ts';

export function onCheckpoint(turn: Turn, client: Client, heard: Heard<Checkpoint>): void {
  const { state } = turn;
  const { body, correlationId } = heard.envelope;
  const to = { clientId: client.name.clientId, correlationId };
  const holding = holdingOf(state, client.name.vehicleId, body.lease);
  if (holding === undefined) {
    state.counters.staleMessages += 1;
    return answer(turn, to, body.lease, 'lease_void');
  }
  const { instance, lease } = holding;
  if (lease.checkpointEveryMs === undefined)
    return refuse(turn, to, [
      {
        code: 'not_supported',
        detail: 'this pile keeps no checkpoints of that program',
        hint: 'go on without',
      },
    ]);
  if (body.state.sizeBytes > CHECKPOINT_BYTES_MAX) return answer(turn, to, body.lease, 'too_large');
  if (!heard.blobHeld) return pull(turn, client, holding, heard);
  keep(turn, instance, lease, body);
  // Also of one that was told to stop: what it had in hand when it heard of it may still come, and its `revoked` after that.
  answer(turn, to, body.lease);
}

/** Counted when its bytes are asked for, so that it is counted once. */
function pull(
  turn: Turn,
  client: Client,
  { instance, lease }: Holding,
  { envelope, bodyHash }: Heard<Checkpoint>,
): void {
  const { body, correlationId } = envelope;
  const to = { clientId: client.name.clientId, correlationId };
  const verdict = spend(lease, body.state.sizeBytes, turn.now.monoMs);
  if (!verdict.ok) return refuse(turn, to, [TOO_OFTEN], { afterMs: verdict.retryAfterMs });
  if (!awaitBlob(turn, client, body.state, { envelope, bodyHash }, instance.task.record.vehicleId))
    return refuse(turn, to, [TOO_MANY_UPLOADS], true);
  lease.checkpointBudget = verdict.budget;
}

const TOO_OFTEN: Reason = {
  code: 'rate_limited',
  detail: 'this lease has sent as many bytes of checkpoints as it may for now',
  hint: 'send the newest when the time to try again has passed',
};

/** Leaves the pile once the state is on its disk. */
function answer(
  turn: Turn,
  to: { readonly clientId: ClientId; readonly correlationId: number },
  lease: LeaseId,
  why?: 'lease_void' | 'too_large',
): void {
  const ack = { kind: 'checkpointAck', lease, accepted: why === undefined, reason: why ?? '' } as const;
  send(turn, to.clientId, ack, to.correlationId);
  if (why !== undefined)
    log(turn, 'warn', 'checkpoint refused', { clientId: to.clientId, ...lease, reason: why });
}

/** A replica's is acknowledged like any other, and is nothing: each begins where the others did, and is paid when they agree. */
function keep(turn: Turn, instance: Instance, lease: Lease, { state: blob, used }: Checkpoint): void {
  if (isReplicated(instance)) return;
  const didMncs = workDoneMncs(turn, lease, used);
  instance.checkpoint = { state: blob, doneMncs: doneMncs(instance, lease, didMncs) };
  instance.keptBy = lease.vehicleId;
  turn.state.counters.checkpoints += 1;
  turn.changedInstances.set(instance.instanceId, instance);
  bookCheckpoint(turn, instance, lease, used);
}

/** Never less than before, and never all of it: the rest of the run has still to give a result. */
function doneMncs({ task, checkpoint }: Instance, lease: Lease, didMncs: number): number {
  const mostMncs = Math.floor(askedMncs(task, lease.algorithm)) - 1;
  return Math.max(checkpoint?.doneMncs ?? 0, Math.min(mostMncs, lease.beganAtMncs + didMncs));
}
