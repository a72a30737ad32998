/** Which bodies the codec takes, which it refuses, and in which words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ARGS_BYTES_MAX,
  ARG_BYTES_MAX,
  BLOB_BYTES_MAX,
  DURATION_MS_MAX,
  HELD_LEASES_MAX,
  INLINE_BYTES_MAX,
  decodeDownFrame,
  decodeUpFrame,
} from '@plugpool/proto';
import type { TaskId } from '@plugpool/proto';
import { assertRefused, refusalOf } from './codec-refusals.ts';
import { downFrame, image, offer, request, upFrame } from './codec-samples.ts';
import { block, frameOf, number, tag, varint } from './codec-wire.ts';

/** Fields of the messages that most tests bend. */
const LEASE = [block(1, 'i-1'), number(2, 5)] as const;
const DIGEST = block(1, new Uint8Array(32));
const INPUT = block(6, block(1, 'x'));

describe('a body is refused alone', () => {
  const cancel = (...fields: readonly Uint8Array[]) => frameOf(block(13, ...fields));
  const wants = (...fields: readonly Uint8Array[]) => frameOf(block(12, ...fields));

  test('and its neighbours are heard', () => {
    const good = upFrame({ kind: 'deliveryAck', taskId: 't-1' as TaskId });
    const decoded = decodeUpFrame(Buffer.concat([good, block(2, number(1, 9), block(18, block(1, '?')))]));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.envelopes, [{ correlationId: 1, body: { kind: 'deliveryAck', taskId: 't-1' } }]);
    assert.deepEqual(
      decoded.rejected.map(({ correlationId, reason }) => [correlationId, reason.detail]),
      [[9, 'DeliveryAck.task_id: not an id']],
    );
  });

  test('with a hint, and without a word of what it held', () => {
    const reason = refusalOf(cancel(block(1, 'no id, but <script>')));
    assert.equal(
      reason.hint,
      'Correct the body as docs/protocol.md describes it; unchanged it is refused again.',
    );
    assert.doesNotMatch(JSON.stringify(reason), /script/);
  });

  test('with the correlation id 0 where that cannot be read', () => {
    const bad = Buffer.concat([number(1, 1), block(2, tag(1, 0), Buffer.alloc(12, 0xff))]);
    const decoded = decodeUpFrame(bad);
    assert.ok(decoded.ok);
    assert.deepEqual(
      decoded.rejected.map(({ correlationId }) => correlationId),
      [0],
    );
  });

  test('when it says nothing', () => assertRefused(frameOf(), 'Body.kind: missing'));

  test('when it is of a kind that is not known, as not supported', () => {
    const reason = refusalOf(frameOf(block(39, 'x')));
    assert.equal(reason.code, 'not_supported');
    assert.equal(reason.detail, 'Body.kind: not known here');
  });

  test('when it says two things', () => {
    assertRefused(
      frameOf(block(18, block(1, 't-1')), block(19)),
      'Body.status_query: it, or its oneof, stands twice',
    );
  });

  test('when only the other side may say it', () => {
    const up = Buffer.concat([number(1, 1), block(2, number(1, 77), block(44))]);
    assertRefused(frameOf(block(45, number(2, 9))), 'Body.kind: renewed is said by the other side only');
    assertRefused(
      frameOf(block(19)),
      'Body.kind: statusQuery is said by the other side only',
      decodeDownFrame,
    );
    assert.ok(decodeUpFrame(up).ok);
  });

  test('when a field stands twice', () => {
    assertRefused(
      frameOf(block(18, block(1, 't-1'), block(1, 't-2'))),
      'DeliveryAck.task_id: it, or its oneof, stands twice',
    );
  });

  test('when a field is of the wrong wire type, which the generated code would skip', () => {
    assertRefused(frameOf(block(19, number(1, 7))), 'StatusQuery.task_id: wire type 0');
    assertRefused(frameOf(block(19, block(2, 'x'))), 'StatusQuery.deliver: wire type 2');
    assertRefused(frameOf(block(19, tag(2, 5), Buffer.alloc(4))), 'StatusQuery.deliver: wire type 5');
  });

  test('when it holds a group, known or not', () => {
    assertRefused(frameOf(block(19, tag(2, 3), tag(2, 4))), 'StatusQuery.deliver: wire type 3');
    assertRefused(frameOf(block(19, tag(99, 3), tag(99, 4))), 'StatusQuery: wire type 3');
  });

  test('when a number is negative', () => {
    const entry = block(1, block(1, ...LEASE), number(2, -1n));
    assertRefused(frameOf(block(15, entry)), 'Renewal.Held.progress_permille: above 1000');
  });

  test('when a number would be cut to 32 bits', () => {
    const entry = block(1, block(1, ...LEASE), number(2, 2 ** 32 + 10));
    assertRefused(frameOf(block(15, entry)), 'Renewal.Held.progress_permille: above 1000');
  });

  test('when a number is above the safe integers', () => {
    const lastSafe = frameOf(block(14, block(1, block(1, 'i-1'), number(2, 2n ** 53n - 1n))));
    assert.ok(decodeUpFrame(lastSafe).ok);
    const entry = block(1, block(1, 'i-1'), number(2, 2n ** 53n));
    assertRefused(frameOf(block(14, entry)), `LeaseId.fencing_token: above ${Number.MAX_SAFE_INTEGER}`);
    const correlated = Buffer.concat([number(1, 1), block(2, number(1, 2n ** 60n), block(19))]);
    const decoded = decodeUpFrame(correlated);
    assert.ok(decoded.ok);
    assert.deepEqual(
      decoded.rejected.map(({ correlationId, reason }) => [correlationId, reason.detail]),
      [[0, `Body.correlation_id: above ${Number.MAX_SAFE_INTEGER}`]],
    );
  });

  test('when an enum has a number that is not known', () => {
    const hello = (runtime: Uint8Array) => frameOf(block(10, block(1, '1.0.0'), runtime));
    assertRefused(hello(number(4, 4)), 'Hello.runtimes: above 3');
    assertRefused(hello(number(4, -1n)), 'Hello.runtimes: above 3');
    assertRefused(hello(block(4, varint(1), varint(9))), 'Hello.runtimes: above 3');
    assertRefused(hello(number(4, 0)), 'Hello.runtimes: missing or unknown');
  });

  test('when a truth value is neither 0 nor 1', () => {
    assertRefused(frameOf(block(19, number(2, 2))), 'StatusQuery.deliver: above 1');
  });

  test('when text is not UTF-8, short or long', () => {
    const decline = (reason: Uint8Array) => frameOf(block(14, block(1, ...LEASE), block(2, reason)));
    assertRefused(decline(Buffer.of(0xc3, 0x28)), 'Decline.reason: not UTF-8');
    assertRefused(decline(Buffer.from([...Buffer.alloc(200, 0x61), 0xff])), 'Decline.reason: not UTF-8');
    assertRefused(decline(Buffer.of(0xed, 0xa0, 0x80)), 'Decline.reason: not UTF-8');
  });

  test('when an id is missing, or not one', () => {
    assertRefused(frameOf(block(18)), 'DeliveryAck.task_id: missing');
    assertRefused(frameOf(block(18, block(1, 'a/b'))), 'DeliveryAck.task_id: not an id');
    assertRefused(frameOf(block(18, block(1, 'a\n'))), 'DeliveryAck.task_id: not an id');
    assertRefused(frameOf(block(18, block(1, 'a'.repeat(65)))), 'DeliveryAck.task_id: above 64 bytes');
  });

  test('when a digest has not 32 bytes', () => {
    const pull = (digest: Uint8Array) => frameOf(block(70, digest, number(3, 1)));
    assertRefused(pull(block(1, new Uint8Array(31))), 'BlobPull.sha256: below 32 bytes');
    assertRefused(pull(block(1, new Uint8Array(33))), 'BlobPull.sha256: above 32 bytes');
    assertRefused(pull(Buffer.alloc(0)), 'BlobPull.sha256: missing');
  });

  test('when a oneof is not set', () => {
    assertRefused(cancel(), 'Cancel.which: missing');
    assertRefused(
      wants(block(1, 'r-1'), block(2, 'route-plan'), block(6)),
      'TaskRequest.input: neither inline nor blob',
    );
    assertRefused(frameOf(block(17, block(1, ...LEASE), block(2))), 'Result.outcome: missing');
  });

  test('when a request names an algorithm and a type, or neither, or a version of a type', () => {
    const wrong = 'TaskRequest: one of algorithm_id and algorithm_type, not both and not neither';
    assertRefused(wants(block(1, 'r-1'), INPUT), wrong);
    assertRefused(wants(block(1, 'r-1'), block(2, 'a'), block(3, 'b'), INPUT), wrong);
    assertRefused(
      wants(block(1, 'r-1'), block(3, 'b'), block(4, '1.0'), INPUT),
      'TaskRequest.algorithm_version: goes with algorithm_id, not with a type',
    );
  });

  test('when an algorithm, a type or a version is not written as one', () => {
    const named = (...fields: readonly Uint8Array[]) => wants(block(1, 'r-1'), ...fields, INPUT);
    assertRefused(
      named(block(2, 'Route')),
      'TaskRequest.algorithm_id: not the name of an algorithm or a type',
    );
    assertRefused(
      named(block(3, '../x')),
      'TaskRequest.algorithm_type: not the name of an algorithm or a type',
    );
    assertRefused(named(block(2, 'a'), block(4, 'v 1')), 'TaskRequest.algorithm_version: not a version');
  });

  test('when an argument holds a NUL, or the arguments are too long or too many', () => {
    const withArgs = (...args: readonly string[]) =>
      wants(block(1, 'r-1'), block(2, 'a'), ...args.map((arg) => block(5, arg)), INPUT);
    assertRefused(withArgs('a\0b'), 'TaskRequest.args: an argument holds a NUL');
    assertRefused(withArgs('a'.repeat(ARG_BYTES_MAX + 1)), 'TaskRequest.args: above 4096 bytes');
    assertRefused(
      withArgs(...Array.from({ length: 65 }, () => 'a')),
      'TaskRequest.args: more than 64 entries',
    );
    const tooMuch = Array.from({ length: ARGS_BYTES_MAX / ARG_BYTES_MAX + 1 }, () =>
      'a'.repeat(ARG_BYTES_MAX),
    );
    assertRefused(withArgs(...tooMuch), 'TaskRequest.args: above 65536 bytes in all');
  });

  test('when an input is too large, in those words', () => {
    const inline = wants(
      block(1, 'r-1'),
      block(2, 'a'),
      block(6, block(1, new Uint8Array(INLINE_BYTES_MAX + 1))),
    );
    assert.equal(refusalOf(inline).code, 'input_too_large');
    const blob = block(2, DIGEST, number(2, BLOB_BYTES_MAX + 1));
    assert.equal(refusalOf(wants(block(1, 'r-1'), block(2, 'a'), block(6, blob))).code, 'input_too_large');
  });

  test('when a deadline is too far off, in those words', () => {
    const late = wants(block(1, 'r-1'), block(2, 'a'), INPUT, number(7, DURATION_MS_MAX + 1));
    assert.equal(refusalOf(late).code, 'deadline_invalid');
  });

  test('when it lists more leases than anybody may hold', () => {
    const held = Array.from({ length: HELD_LEASES_MAX + 1 }, () => block(3, ...LEASE));
    assertRefused(frameOf(block(10, block(1, '1'), ...held)), 'Hello.held: more than 1024 entries');
  });

  test('when capacity is absurd', () => {
    const lends = (...fields: readonly Uint8Array[]) => frameOf(block(11, block(1, ...fields)));
    assertRefused(lends(number(1, 1_024_001)), 'Capacity.cpu_millicores: above 1024000');
    assertRefused(lends(number(2, 16 * 1024 * 1024 + 1)), 'Capacity.memory_mib: above 16777216');
    assertRefused(lends(block(3, block(1, 'g'), number(3, 1001))), 'GpuDevice.share_millis: above 1000');
    assertRefused(lends(block(3, number(3, 10))), 'GpuDevice.device_id: missing');
    assertRefused(frameOf(block(11, block(1), number(6, 1001))), 'CapacityReport.soc_permille: above 1000');
    assertRefused(frameOf(block(11)), 'CapacityReport.lendable: missing');
  });

  test('when a code is not in its list', () => {
    const failed = frameOf(block(17, block(1, ...LEASE), block(2), block(4, block(1, 'bad_luck'))));
    assertRefused(failed, 'Failure.code: not in its list of codes');
    const revoked = frameOf(block(44, block(1, ...LEASE), block(2, 'mood')));
    assertRefused(revoked, 'Revoke.reason: not in its list of codes', decodeDownFrame);
  });

  test('when a chunk or a pull goes beyond its blob', () => {
    assertRefused(
      frameOf(block(71, DIGEST, number(2, 8), block(3, 'abc'), number(4, 10))),
      'BlobChunk: beyond the end of its blob',
    );
    assertRefused(
      frameOf(block(70, DIGEST, number(2, BLOB_BYTES_MAX), number(3, 1))),
      'BlobPull: beyond the largest blob',
    );
    assertRefused(frameOf(block(70, DIGEST, number(3, 0))), 'BlobPull.length: below 1');
    assertRefused(frameOf(block(70, DIGEST)), 'BlobPull.length: missing');
  });

  test('when an offer has a seed of another length, or no lease length', () => {
    const bent = (change: Partial<Record<'seed' | 'leaseMs', Uint8Array>>) => {
      const fields = [
        block(1, ...LEASE),
        change.leaseMs ?? number(2, 9),
        block(3, 't-1'),
        change.seed ?? block(13, new Uint8Array(16)),
      ];
      return frameOf(block(43, ...fields));
    };
    assertRefused(
      bent({ seed: block(13, new Uint8Array(15)) }),
      'Offer.seed: below 16 bytes',
      decodeDownFrame,
    );
    assertRefused(bent({ seed: Buffer.alloc(0) }), 'Offer.seed: missing', decodeDownFrame);
    assertRefused(bent({ leaseMs: number(2, 0) }), 'Offer.lease_ms: below 1', decodeDownFrame);
    assertRefused(bent({ leaseMs: Buffer.alloc(0) }), 'Offer.lease_ms: missing', decodeDownFrame);
  });
});

describe('a body is taken', () => {
  const envelopesOf = (bytes: Uint8Array) => {
    const decoded = decodeUpFrame(bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.rejected, []);
    return decoded.envelopes.map(({ body }) => body);
  };

  test('with fields that a newer peer added, of any wire type', () => {
    const added = [number(90, 1), block(91, 'x'), tag(92, 1), Buffer.alloc(8), tag(93, 5), Buffer.alloc(4)];
    const frame = Buffer.concat([
      number(1, 1),
      ...added,
      block(2, number(1, 77), ...added, block(18, ...added, block(1, 't-1'))),
    ]);
    assert.deepEqual(envelopesOf(frame), [{ kind: 'deliveryAck', taskId: 't-1' }]);
  });

  test('where the version stands behind it', () => {
    const decoded = decodeUpFrame(Buffer.concat([block(2, number(1, 77), block(19)), number(1, 1)]));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.envelopes, [
      { correlationId: 77, body: { kind: 'statusQuery', deliver: false } },
    ]);
  });

  test('with enums packed, and one by one', () => {
    const expected = [{ kind: 'hello', clientVersion: '1', held: [], runtimes: ['wasm', 'echo'] }];
    assert.deepEqual(
      envelopesOf(frameOf(block(10, block(1, '1'), block(4, varint(1), varint(3))))),
      expected,
    );
    assert.deepEqual(envelopesOf(frameOf(block(10, block(1, '1'), number(4, 1), number(4, 3)))), expected);
  });

  test('when it is a blob body, in both directions', () => {
    const bytes = upFrame({ kind: 'blobPull', digest: image.digest, offset: 0, length: 5 });
    const [up] = envelopesOf(bytes);
    const down = decodeDownFrame(bytes);
    assert.ok(down.ok);
    assert.deepEqual(down.envelopes[0]?.body, up);
  });

  test('from a Uint8Array that is no Buffer and does not begin where its memory begins', () => {
    const bytes = upFrame(request);
    const memory = new Uint8Array(bytes.length + 7);
    memory.set(bytes, 5);
    assert.deepEqual(envelopesOf(memory.subarray(5, 5 + bytes.length)), [request]);
  });

  test('and its bytes own their memory', () => {
    const [body] = envelopesOf(Buffer.concat([Buffer.alloc(0), upFrame(request)]));
    assert.ok(body?.kind === 'request' && body.input.where === 'inline');
    assert.equal(body.input.bytes.buffer.byteLength, 3);
    const decoded = decodeDownFrame(downFrame(offer));
    assert.ok(decoded.ok);
    const [granted] = decoded.envelopes;
    assert.ok(granted?.body.kind === 'offer');
    assert.equal(granted.body.seed.buffer.byteLength, 16);
  });
});
