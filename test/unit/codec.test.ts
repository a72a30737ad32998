/** What the codec takes, what it refuses and in which words, and what it asserts of what is sent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ARGS_BYTES_MAX,
  ARG_BYTES_MAX,
  BLOB_BYTES_MAX,
  BODIES_PER_FRAME_MAX,
  DURATION_MS_MAX,
  FRAME_BYTES_MAX,
  HELD_LEASES_MAX,
  INLINE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  decodeDownFrame,
  decodeUpFrame,
  downTopic,
  encodeFrame,
  encodeFrames,
} from '@plugpool/proto';
import type {
  AlgorithmId,
  Digest,
  DownBody,
  FencingToken,
  InstanceId,
  Offer,
  Reason,
  RequestId,
  Result,
  Slot,
  TaskId,
  TaskRequest,
  UpBody,
  VehicleId,
} from '@plugpool/proto';
import { block, frameOf, number, tag, varint } from './codec-wire.ts';

const lease = { instanceId: 'i-1' as InstanceId, fencingToken: 5 as FencingToken };
const image = { digest: 'ab'.repeat(32) as Digest, sizeBytes: 10 };
const used = { cpuMs: 1, wallMs: 2, memoryPeakMib: 3, gpuMs: 0 };

const request: TaskRequest = {
  kind: 'request',
  requestId: 'r-1' as RequestId,
  selector: { by: 'algorithm', algorithmId: 'route-plan' as AlgorithmId },
  args: [],
  input: { where: 'inline', bytes: Uint8Array.of(1, 2, 3) },
};

const offer: Offer = {
  kind: 'offer',
  lease,
  leaseMs: 15_000,
  taskId: 't-1' as TaskId,
  attempt: 1,
  algorithmId: 'route-plan' as AlgorithmId,
  algorithmVersion: '1.0.0',
  runtime: 'wasm',
  image,
  args: ['a'],
  input: { where: 'blob', blob: image },
  demand: { cpuMillicores: 1000, memoryMib: 64, threads: 1 },
  limits: { cpuMs: 1, wallMs: 2, memoryMib: 3, outputBytes: 4 },
  seed: new Uint8Array(16),
};

/** Fields of the messages that most tests bend. */
const LEASE = [block(1, 'i-1'), number(2, 5)] as const;
const DIGEST = block(1, new Uint8Array(32));
const INPUT = block(6, block(1, 'x'));

const upFrame = (body: UpBody) => encodeFrame([{ correlationId: 1, body }]);
const downFrame = (body: DownBody) => encodeFrame([{ correlationId: 1, body }]);

/** The reason for which the only body of a frame was refused; it carries the correlation id 77 of `frameOf`. */
function refusalOf(
  bytes: Uint8Array,
  decode: typeof decodeUpFrame | typeof decodeDownFrame = decodeUpFrame,
): Reason {
  const decoded = decode(bytes);
  assert.ok(decoded.ok, 'the frame itself is good');
  assert.deepEqual(decoded.envelopes, []);
  const [rejected] = decoded.rejected;
  assert.ok(rejected);
  assert.equal(rejected.correlationId, 77);
  return rejected.reason;
}

function assertRefused(
  bytes: Uint8Array,
  detail: string,
  decode: typeof decodeUpFrame | typeof decodeDownFrame = decodeUpFrame,
): void {
  const reason = refusalOf(bytes, decode);
  assert.equal(reason.detail, detail);
  assert.equal(reason.code, 'malformed');
}

describe('a frame is refused whole', () => {
  const cases: readonly (readonly [name: string, bytes: Uint8Array, code: string, detail: string])[] = [
    [
      'when it is empty',
      Buffer.alloc(0),
      'version_unsupported',
      'Frame.version: it is missing; 1 is spoken here',
    ],
    [
      'when it names no version',
      block(2),
      'version_unsupported',
      'Frame.version: it is missing; 1 is spoken here',
    ],
    [
      'when it is of another version, whatever follows',
      Buffer.concat([number(1, 2), tag(2, 5)]),
      'version_unsupported',
      'Frame.version: it is 2; 1 is spoken here',
    ],
    ['when it holds no body', number(1, 1), 'malformed', 'Frame.bodies: none'],
    [
      'when it holds too many bodies',
      Buffer.concat([number(1, 1), ...Array.from({ length: BODIES_PER_FRAME_MAX + 1 }, () => block(2))]),
      'malformed',
      'Frame.bodies: more than 256 entries',
    ],
    [
      'when it is above one message',
      Buffer.alloc(MESSAGE_BYTES_MAX + 1),
      'malformed',
      'Frame: above 262144 bytes',
    ],
    ['when its version is of the wrong wire type', block(1, 'x'), 'malformed', 'Frame: wire type 2'],
    [
      'when a body is of the wrong wire type',
      Buffer.concat([number(1, 1), number(2, 9)]),
      'malformed',
      'Frame: wire type 0',
    ],
    [
      'when a body is cut off',
      Buffer.concat([number(1, 1), tag(2, 2), varint(9)]),
      'malformed',
      'Frame.bodies: cut off',
    ],
    [
      'when it holds a group',
      Buffer.concat([number(1, 1), tag(3, 3), tag(3, 4)]),
      'malformed',
      'Frame: wire type 3',
    ],
    ['when it is text', Buffer.from('hello'), 'malformed', 'Frame: wire type 4'],
    ['when it holds field number 0', Buffer.of(0x02, 0x00), 'malformed', 'tag: no such field number'],
    ['when a varint has no end', Buffer.alloc(20, 0xff), 'malformed', 'tag: varint above 10 bytes'],
  ];
  for (const [name, bytes, code, detail] of cases) {
    test(name, () => {
      assert.deepEqual(decodeUpFrame(bytes), { ok: false, code, detail });
      assert.deepEqual(decodeDownFrame(bytes), { ok: false, code, detail });
    });
  }
});

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
