/** A replica's result: kept, acknowledged, and held against the others of its part. */
import type { Payload, Result } from '@plugpool/proto';
import { runMsOf } from '../learned/learn.ts';
import { claimOf } from '../ledger/claim.ts';
import { closeLease } from '../leases/lease.ts';
import type { Instance, Lease } from '../state.ts';
import { tellRequester } from '../tasks/task-news.ts';
import type { Turn } from '../turn.ts';
import { decidePart } from './decide.ts';
import { firstOf } from './replicas-of.ts';

const NO_OUTPUT: Payload = { where: 'inline', bytes: new Uint8Array(0) };

export function takeReplicaResult(
  turn: Turn,
  { instance, lease }: { readonly instance: Instance; readonly lease: Lease },
  { outcome, used }: Result,
): void {
  const { algorithm, demand, fencingToken, vehicleId, connectorId } = lease;
  const claim = claimOf(turn, lease, used);
  const runMs = runMsOf(turn, lease, used);
  closeLease(turn, instance, outcome.ok ? 'completed' : 'failed', outcome.ok ? '' : outcome.failure.code);
  instance.result = {
    output: outcome.ok ? outcome.output : NO_OUTPUT,
    donor: vehicleId,
    used,
    // Of a failure nobody is charged; else what the agreeing say together, once they do.
    chargedMncs: 0,
    run: {
      algorithmId: algorithm.id,
      algorithmVersion: algorithm.version,
      demand,
      fencingToken,
      connectorId,
      claim,
      runMs,
      ...(outcome.ok ? {} : { failure: outcome.failure }),
    },
  };
  decidePart(turn, firstOf(instance));
  if (!instance.settled)
    tellRequester(turn, instance.task, {
      state: 'running',
      attempt: instance.attempts,
      progressPermille: 1000,
    });
}
