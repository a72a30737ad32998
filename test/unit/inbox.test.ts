/** What becomes of the bytes of one publish before the decisions hear of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, parseClientId, type Digest, type TopicKind } from '@plugpool/proto';
import type { ConnectionNumber } from '../../agent/core/events.ts';
import { unpackFrame } from '../../agent/inbox.ts';

const name = parseClientId('asker.ask-1');
const QUERY = { correlationId: 7, body: { kind: 'statusQuery', deliver: false } } as const;
const PULL = {
  correlationId: 8,
  body: { kind: 'blobPull', digest: 'ab'.repeat(32) as Digest, offset: 0, length: 1 },
} as const;

for (const [topic, placed, misplaced] of [
  ['frame', QUERY, PULL],
  ['blob', PULL, QUERY],
] as const satisfies readonly (readonly [TopicKind, unknown, unknown])[])
  test(`on the topic ${topic} a ${misplaced.body.kind} is refused with its number, and its neighbour is heard`, () => {
    assert(name !== undefined);
    const sender = { name, connection: 1 as ConnectionNumber, topic };
    const { events, refusals } = unpackFrame(sender, encodeFrame([misplaced, placed]), () => false);
    assert.deepEqual(
      events.map((event) => event.kind === 'message' && event.envelope),
      [placed],
    );
    assert.deepEqual(
      refusals.map(({ correlationId, reason }) => [correlationId, reason.code, reason.hint]),
      [[misplaced.correlationId, 'malformed', `publish it on up/${topic === 'frame' ? 'blob' : 'frame'}`]],
    );
  });
