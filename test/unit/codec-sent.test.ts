/** What the codec asserts of what is sent, where it splits, and what it cuts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ARGS_BYTES_MAX,
  ARG_BYTES_MAX,
  BODIES_PER_FRAME_MAX,
  DURATION_MS_MAX,
  FRAME_BYTES_MAX,
  INLINE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  decodeUpFrame,
  downTopic,
  encodeFrame,
  encodeFrames,
} from '@plugpool/proto';
import type { Digest, Result, Slot, TaskRequest, UpBody, VehicleId } from '@plugpool/proto';
import { downFrame, image, lease, offer, request, upFrame, used } from './codec-samples.ts';

describe('what is sent', () => {
  test('must be a safe integer of 0 or more', () => {
    const renewed = (leaseMs: number) => downFrame({ kind: 'renewed', held: [], leaseMs });
    for (const leaseMs of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      assert.throws(() => renewed(leaseMs), /Renewed\.lease_ms: .* cannot be sent/);
    }
    assert.throws(
      () => downFrame({ ...offer, attempt: 2 ** 32 }),
      /Offer\.attempt: 4294967296 cannot be sent/,
    );
    assert.throws(() => encodeFrame([{ correlationId: -1, body: request }]), /Body\.correlation_id/);
  });

  test('must have a seed of 16 bytes and digests of 32', () => {
    assert.throws(() => downFrame({ ...offer, seed: new Uint8Array(15) }), /Offer\.seed: 15 bytes/);
    assert.throws(() => downFrame({ ...offer, image: { ...image, digest: 'ab' as Digest } }), /not a sha256/);
  });

  test('is whole again after something that could not be sent', () => {
    const broken = { ...request, args: [null] } as unknown as TaskRequest;
    assert.throws(() => upFrame(broken));
    assert.throws(() => downFrame({ ...offer, attempt: -1 }));
    const decoded = decodeUpFrame(upFrame(request));
    assert.deepEqual(decoded, { ok: true, envelopes: [{ correlationId: 1, body: request }], rejected: [] });
  });

  test('is split where it is above one message', () => {
    const large: TaskRequest = {
      ...request,
      input: { where: 'inline', bytes: new Uint8Array(INLINE_BYTES_MAX).fill(1) },
    };
    const sent = Array.from({ length: 9 }, (_none, index) => ({ correlationId: index, body: large }));
    assert.throws(() => encodeFrame(sent), /9 bodies make 3 messages, not one/);
    const frames = encodeFrames(sent);
    assert.deepEqual(
      frames.map((frame) => frame.length <= FRAME_BYTES_MAX),
      [true, true, true],
    );
    const received = frames.flatMap((frame) => {
      const decoded = decodeUpFrame(frame);
      assert.ok(decoded.ok);
      return [...decoded.envelopes];
    });
    assert.deepEqual(received, sent);
  });

  test('leaves room in its message for the longest topic', () => {
    const name = { vehicleId: 'v'.repeat(64) as VehicleId, slot: `ask-${'s'.repeat(16)}` as Slot };
    // MQTT 3.1.1, 3.3: fixed header, length of the topic, topic, packet identifier.
    const headerBytes = 5 + 2 + downTopic(name, 'frame').length + 2;
    const body: UpBody = { kind: 'decline', lease, reason: 'x'.repeat(1024) };
    const sent = Array.from({ length: 300 }, () => ({ correlationId: 1, body }));
    const [fullest = Buffer.alloc(0)] = encodeFrames(sent);
    assert.ok(fullest.length > MESSAGE_BYTES_MAX - 2048);
    assert.ok(fullest.length + headerBytes <= MESSAGE_BYTES_MAX);
    assert.ok(FRAME_BYTES_MAX + headerBytes <= MESSAGE_BYTES_MAX);
  });

  test('is split where it has too many bodies', () => {
    const body: UpBody = { kind: 'statusQuery', deliver: false };
    const sent = Array.from({ length: BODIES_PER_FRAME_MAX + 1 }, (_none, correlationId) => ({
      correlationId,
      body,
    }));
    assert.equal(encodeFrames(sent).length, 2);
    assert.equal(encodeFrames(sent.slice(1)).length, 1);
    assert.deepEqual(encodeFrames([]), []);
    assert.throws(() => encodeFrame([]), /0 bodies make 0 messages/);
  });

  test('is cut where a text is too long, between characters, and the end of standard error is kept', () => {
    const failure = {
      code: 'trap',
      detail: 'ä'.repeat(600),
      stderrTail: `lost${'€'.repeat(2000)}end`,
    } as const;
    const result: Result = { kind: 'result', lease, used, outcome: { ok: false, failure } };
    const decoded = decodeUpFrame(upFrame(result));
    assert.ok(decoded.ok);
    const [first] = decoded.envelopes;
    assert.ok(first?.body.kind === 'result' && !first.body.outcome.ok);
    const { detail, stderrTail } = first.body.outcome.failure;
    assert.equal(detail, 'ä'.repeat(512));
    assert.equal(stderrTail, `${'€'.repeat(1364)}end`);
  });

  test('names a departure that is too far off as far off', () => {
    const lendable = { cpuMillicores: 1, memoryMib: 1, gpus: [] };
    const report = { kind: 'capacity', lendable, lending: true, reason: '', cachedImages: [] } as const;
    const decoded = decodeUpFrame(
      upFrame({ ...report, allowedAlgorithms: [], departureInMs: 2 * DURATION_MS_MAX, chargingOnly: false }),
    );
    assert.ok(decoded.ok);
    const [first] = decoded.envelopes;
    assert.ok(first?.body.kind === 'capacity');
    assert.equal(first.body.departureInMs, DURATION_MS_MAX);
  });

  test('has every lone surrogate replaced, which no peer would take', () => {
    const decoded = decodeUpFrame(upFrame({ kind: 'decline', lease, reason: 'half \ud83d' }));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.envelopes[0]?.body, { kind: 'decline', lease, reason: 'half \ufffd' });
  });

  test('fits one message as an offer whatever request it comes from', () => {
    const args = Array.from({ length: ARGS_BYTES_MAX / ARG_BYTES_MAX }, () => 'a'.repeat(ARG_BYTES_MAX));
    const input = { where: 'inline', bytes: new Uint8Array(INLINE_BYTES_MAX) } as const;
    assert.ok(decodeUpFrame(upFrame({ ...request, args, input })).ok);
    assert.ok(downFrame({ ...offer, args, input }).length < FRAME_BYTES_MAX);
  });
});
