/** What holds of the codec for any body and for any bytes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeDownFrame, decodeUpFrame, encodeFrame, encodeFrames } from '@plugpool/proto';
import type { DecodedFrame, DownBody, UpBody } from '@plugpool/proto';
import { downBody } from './codec-down-bodies.ts';
import { upBody } from './codec-up-bodies.ts';
import { envelopes } from './codec-values.ts';

const RUNS = { numRuns: 200 };

const WAYS = [
  { way: 'up', body: upBody as fc.Arbitrary<UpBody | DownBody>, decode: decodeUpFrame },
  { way: 'down', body: downBody as fc.Arbitrary<UpBody | DownBody>, decode: decodeDownFrame },
] as const;

/** What was decoded must be a domain value that can be written and read again; else distrust slipped through. */
function assertWhole(decoded: DecodedFrame<UpBody | DownBody>, decode: (bytes: Uint8Array) => unknown): void {
  if (!decoded.ok || decoded.envelopes.length === 0) return;
  const again = decode(encodeFrame(decoded.envelopes));
  assert.deepEqual(again, { ok: true, envelopes: decoded.envelopes, rejected: [] });
}

for (const { way, body, decode } of WAYS) {
  describe(`a frame on its way ${way}`, () => {
    test('comes out as it went in', () => {
      fc.assert(
        fc.property(envelopes(body), (sent) => {
          assert.deepEqual(decode(encodeFrame(sent)), { ok: true, envelopes: sent, rejected: [] });
        }),
        RUNS,
      );
    });

    test('with any one byte changed is a valid value or a refusal', () => {
      const change = fc.record({ sent: envelopes(body), at: fc.nat(), to: fc.nat({ max: 255 }) });
      fc.assert(
        fc.property(change, ({ sent, at, to }) => {
          const bytes = encodeFrame(sent);
          bytes[at % bytes.length] = to;
          assertWhole(decode(bytes), decode);
        }),
        { numRuns: 800 },
      );
    });

    test('with bytes cut out, or put in, is a valid value or a refusal', () => {
      const change = fc.record({
        sent: envelopes(body),
        from: fc.nat(),
        count: fc.nat({ max: 12 }),
        put: fc.uint8Array({ maxLength: 12 }),
      });
      fc.assert(
        fc.property(change, ({ sent, from, count, put }) => {
          const bytes = encodeFrame(sent);
          const at = from % bytes.length;
          const changed = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + count)]);
          assertWhole(decode(changed), decode);
        }),
        { numRuns: 500 },
      );
    });

    test('cut off anywhere is never taken for the whole', () => {
      fc.assert(
        fc.property(envelopes(body), fc.nat(), (sent, cut) => {
          const bytes = encodeFrame(sent);
          const decoded = decode(bytes.subarray(0, cut % bytes.length));
          assertWhole(decoded, decode);
          if (decoded.ok) assert.ok(decoded.envelopes.length < sent.length);
        }),
        RUNS,
      );
    });

    test('with one body of garbage among others loses that body alone', () => {
      const garbage = fc
        .uint8Array({ minLength: 1, maxLength: 40 })
        .map((bytes) => Uint8Array.of(0x07, ...bytes));
      fc.assert(
        fc.property(envelopes(body), garbage, (sent, bad) => {
          const bytes = Buffer.concat([encodeFrame(sent), Uint8Array.of(0x12, bad.length), bad]);
          const decoded = decode(bytes);
          assert.ok(decoded.ok);
          assert.deepEqual(decoded.envelopes, sent);
          assert.equal(decoded.rejected.length, 1);
        }),
        RUNS,
      );
    });

    test('split over several messages loses no body and keeps their order', () => {
      const many = envelopes(body, { minLength: 257, maxLength: 400 });
      fc.assert(
        fc.property(many, (sent) => {
          const received = encodeFrames(sent).flatMap((frame) => {
            const decoded = decode(frame);
            assert.ok(decoded.ok);
            return [...decoded.envelopes];
          });
          assert.deepEqual(received, sent);
        }),
        { numRuns: 3, endOnFailure: true },
      );
    });
  });
}

test('any bytes at all are a valid value or a refusal, in both directions', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      assertWhole(decodeUpFrame(bytes), decodeUpFrame);
      assertWhole(decodeDownFrame(bytes), decodeDownFrame);
    }),
    { numRuns: 1500 },
  );
});

test('any bytes behind a good version and a body are a valid value or a refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.integer({ min: 1, max: 90 }), (bytes, field) => {
      const inner = Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
      const frame = Buffer.concat([Uint8Array.of(0x08, 0x01, 0x12), varint(inner.length), inner]);
      assertWhole(decodeUpFrame(frame), decodeUpFrame);
      assertWhole(decodeDownFrame(frame), decodeDownFrame);
    }),
    { numRuns: 1500 },
  );
});

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, rest);
}
