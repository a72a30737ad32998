/** A requester beside a pile that follows a script, and what the pile says to it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Accepted, Delivery, RequestId, TaskId, TaskState } from '@plugpool/proto';
import { PlugpoolError } from '../../vehicle-client/errors.ts';
import type { Requester } from '../../vehicle-client/requester.ts';
import { connectRequester, type ConnectOptions } from '../../vehicle-client/sdk.ts';
import { ScriptedPile, type Heard, type PileOptions } from './vehicle-scripted-pile.ts';

export interface RequesterScene {
  readonly pile: ScriptedPile;
  readonly client: Requester;
}

/** A requester that is welcome at a pile that follows a script. */
export async function requesterScene(
  t: TestContext,
  over: Partial<ConnectOptions> = {},
  pileOptions: PileOptions = {},
): Promise<RequesterScene> {
  const pile = await ScriptedPile.start(pileOptions);
  const client = await connectRequester({
    agent: pile.url,
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
    ...over,
  });
  t.after(() => client.close());
  t.after(() => pile.stop());
  return { pile, client };
}

export function accepted(request: Heard<'request'>): Accepted {
  const { requestId } = request.body;
  return { kind: 'accepted', requestId, taskId: `task-${requestId}` as TaskId, deadlineMs: 60_000 };
}

export function delivered(
  requestId: RequestId,
  output: Delivery['output'],
  state: TaskState = 'completed',
): Delivery {
  return {
    kind: 'delivery',
    requestId,
    taskId: `task-${requestId}` as TaskId,
    state,
    ...(output === undefined ? {} : { output }),
    attempts: 1,
    donor: 'lender',
    chargedMncs: 12,
    agreeing: 1,
    algorithmId: 'echo',
    algorithmVersion: '1',
  };
}

/** For `assert.rejects`: an error of the client, with that code and a hint. */
export function codeOf(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PlugpoolError, String(error));
    assert.equal(error.code, code);
    assert.notEqual(error.hint, '');
    return true;
  };
}
