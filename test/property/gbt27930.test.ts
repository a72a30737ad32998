/** Whatever is on the bus, or in the pipe: the decoder never throws, keeps little, and the events are in their order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import fc from 'fast-check';
import { BoundedLines } from '../../firmware-bridge/bounded-lines.ts';
import { LINE_CHARS_MAX, parseCandumpLine } from '../../firmware-bridge/gbt27930/candump-line.ts';
import { Gbt27930Decoder } from '../../firmware-bridge/gbt27930/decoder.ts';
import { MESSAGES } from '../../firmware-bridge/gbt27930/message-table.ts';
import { Gbt27930Story } from '../../firmware-bridge/gbt27930/story.ts';
import { createPseudonymizer } from '../../firmware-bridge/index.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';

const pseudonymize = createPseudonymizer(new Uint8Array(16));
const connectorId = 'pile/1/1' as ConnectorId;

/** Frames near the protocol: its formats, the transport's, and some that it does not know. */
const format = fc.oneof(
  fc.constantFrom(...MESSAGES.map((form) => form.format)),
  fc.constantFrom(0xec, 0xeb),
  fc.nat(255),
);
const speakers = fc.constantFrom(0x56f4, 0xf456, 0x5656, 0xf457);
const id = fc.tuple(format, speakers).map(([pf, tail]) => (0x18 << 24) | (pf << 16) | tail);
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  // Control frames that begin a transfer, so that some come to their end.
  fc
    .tuple(
      fc.constantFrom(16, 17, 19, 255),
      fc.integer({ min: 0, max: 60 }),
      fc.constantFrom(0x02, 0x06, 0x11),
    )
    .map(([control, bytes, group]) =>
      Uint8Array.from([control, bytes, 0, Math.ceil(bytes / 7), 255, 0, group, 0]),
    ),
  fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.nat(255))
    .map(([n, b]) => Uint8Array.from([n, b, b, b, b, b, b, b])),
);
const step = fc.record({ id, data: payload, waitMs: fc.constantFrom(0, 1, 50, 250, 1_100, 6_000, 70_000) });

test('any frames at any times are told in the order that the port has, and never throw', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.constantFrom(undefined, 60_000),
      fc.nat(120),
      (steps, unpluggedAfterMs, tapLostAt) => {
        const decoder = new Gbt27930Decoder(pseudonymize);
        const story = new Gbt27930Story({ connectorId, unpluggedAfterMs });
        const order = new FirmwareOrder();
        let nowMs = 0;
        const see = (facts: ReturnType<Gbt27930Story['hear']>): void => {
          for (const fact of facts) {
            // A state of charge that cannot be true is the port's to judge, and it says so.
            const problems = order
              .see({ ...fact, at: { receivedWallMs: nowMs } })
              .filter((problem) => !problem.includes('socPermille'));
            assert.deepEqual(problems, []);
          }
        };
        for (const [index, { id: frameId, data, waitMs }] of steps.entries()) {
          nowMs += waitMs;
          let passes = 0;
          for (let due = story.nextDueMs(); due !== undefined && due <= nowMs; due = story.nextDueMs()) {
            see(story.pass(due));
            assert.ok((passes += 1) < 5, 'time that passed stays due');
          }
          if (index === tapLostAt) {
            see(story.loseTap('cut', nowMs));
            story.regainTap(nowMs);
          }
          const heard = decoder.take({ atMs: nowMs, bus: 'can0', id: frameId >>> 0, data }, nowMs);
          if (heard !== undefined) see(story.hear(heard, nowMs));
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('any bytes in a pipe become lines that are bounded, and are read or refused', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .string({ unit: fc.constantFrom(...'()0123456789.# canF456R\n\r'), maxLength: 400 })
      .map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 20 }), (chunks) => {
      const cut = new BoundedLines(LINE_CHARS_MAX);
      const lines = [...chunks.flatMap((chunk) => [...cut.push(chunk)]), ...cut.end()];
      for (const line of lines) {
        assert.ok(line === undefined || (!line.includes('\n') && line.length <= LINE_CHARS_MAX));
        const parsed = parseCandumpLine(line);
        if (parsed.kind === 'frame')
          assert.ok(parsed.frame.data.length <= 8 && parsed.frame.id <= 0x1fff_ffff);
      }
    }),
  );
});

test('however a log is cut into chunks, the same lines come out', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', '#', ' '), maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 20 }),
      fc.array(fc.nat(200), { maxLength: 10 }),
      (lines, cuts) => {
        const text = Buffer.from(lines.map((one) => `${one}\n`).join(''));
        const cut = new BoundedLines(LINE_CHARS_MAX);
        const edges = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const out = edges.slice(1).flatMap((edge, index) => [...cut.push(text.subarray(edges[index], edge))]);
        assert.deepEqual(out, lines);
      },
    ),
  );
});
