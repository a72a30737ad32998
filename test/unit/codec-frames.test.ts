/** Frames that the codec refuses whole, and in which words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BODIES_PER_FRAME_MAX, MESSAGE_BYTES_MAX, decodeDownFrame, decodeUpFrame } from '@plugpool/proto';
import { block, number, tag, varint } from './codec-wire.ts';

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
