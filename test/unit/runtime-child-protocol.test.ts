/** The tail of a program's standard error. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { STDERR_TAIL_BYTES_MAX } from '@plugpool/proto';
import { TailBuffer, tailText } from '../../vehicle-client/runtimes/child-protocol.ts';

describe('the tail of standard error', () => {
  it('is the last bytes, in whatever pieces they came', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, (chunks) => {
        const tail = new TailBuffer();
        for (const chunk of chunks) tail.push(chunk);
        assert.equal(tail.text(), tailText(Buffer.concat(chunks)));
      }),
    );
  });

  it('never encodes to more bytes than the wire allows, even where every byte is broken', () => {
    for (const byte of [0xff, 0xc3, 0x80, 0x61]) {
      const text = tailText(new Uint8Array(10_000).fill(byte));
      assert(Buffer.byteLength(text) <= STDERR_TAIL_BYTES_MAX && text.length > 1000);
    }
  });

  it('ends with the end', () => {
    assert.equal(tailText(Buffer.from(`${'x'.repeat(5000)}the end`)).slice(-7), 'the end');
  });
});
