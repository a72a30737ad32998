/** The archive of `/checkpoint`: what is packed comes out, alike everywhere, and nothing else is unpacked. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as proto from '@plugpool/proto';
import { CHECKPOINT_BYTES_MAX as CORE_BYTES_MAX } from '../../agent/core/limits.ts';
import {
  CHECKPOINT_BYTES_MAX,
  CHECKPOINT_FILES_MAX,
  isPassingName,
  packCheckpoint,
  unpackCheckpoint,
  type CheckpointFile,
} from '../../vehicle-client/runtimes/checkpoint-archive.ts';

const name = fc
  .string({ unit: fc.constantFrom('a', 'b', '.', '-', 'ü', '日'), minLength: 1, maxLength: 4 })
  .filter((text) => !isPassingName(text));
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const files: fc.Arbitrary<CheckpointFile[]> = fc
  .uniqueArray(fc.record({ path, bytes: fc.uint8Array({ maxLength: 40 }) }), {
    selector: (file) => file.path,
    maxLength: 8,
  })
  .filter((all) => all.every(({ path: one }) => !all.some((other) => other.path.startsWith(`${one}/`))));

function packed(of: readonly CheckpointFile[]): Uint8Array {
  const result = packCheckpoint(of);
  assert(result.ok, JSON.stringify(result));
  return result.archive;
}

function whyNot(archive: Uint8Array): string {
  const result = unpackCheckpoint(archive);
  assert(!result.ok, 'it must be refused');
  return result.why;
}

/** One file, with a path that packing would not take. */
function withPath(text: string): Uint8Array {
  const archive = packed([{ path: 'x'.repeat(Buffer.byteLength(text)), bytes: Buffer.from('1') }]);
  archive.set(Buffer.from(text), 11);
  return archive;
}

describe('the archive of a checkpoint', () => {
  it('gives back what was packed, whatever the order it came in', () => {
    fc.assert(
      fc.property(files, fc.nat(), (all, turn) => {
        const turned = [...all.slice(turn % (all.length + 1)), ...all.slice(0, turn % (all.length + 1))];
        assert.deepEqual(packed(turned), packed(all));
        const unpacked = unpackCheckpoint(packed(all));
        assert(unpacked.ok, JSON.stringify(unpacked));
        const byPath = (of: readonly CheckpointFile[]) =>
          new Map(of.map((file) => [file.path, Buffer.from(file.bytes).toString('hex')]));
        assert.deepEqual(byPath(unpacked.files), byPath(all));
      }),
    );
  });

  it('is byte for byte what the documentation says', () => {
    const archive = packed([
      { path: 'state', bytes: Buffer.from('ab') },
      { path: 'log/1', bytes: Buffer.from('') },
    ]);
    const expected = [Buffer.from('PPCK').toString('hex'), '01', '02000000'];
    expected.push('0500', Buffer.from('log/1').toString('hex'), '00000000');
    expected.push('0500', Buffer.from('state').toString('hex'), '02000000', '6162');
    assert.equal(Buffer.from(archive).toString('hex'), expected.join(''));
  });

  it('is refused where a single byte of its frame is another, or it is cut anywhere', () => {
    const archive = packed([
      { path: 'a', bytes: Buffer.from('12') },
      { path: 'b/c', bytes: Buffer.from('3') },
    ]);
    for (let length = 0; length < archive.byteLength; length++) whyNot(archive.subarray(0, length));
    whyNot(Buffer.concat([archive, Buffer.of(0)]));
    for (const at of [0, 4, 5, 9, 12, 18]) {
      const changed = archive.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x40;
      whyNot(changed);
    }
  });

  it('never throws on bytes of a stranger', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void unpackCheckpoint(bytes)));
    const archive = packed([{ path: 'a', bytes: Buffer.alloc(20) }]);
    fc.assert(
      fc.property(fc.nat(archive.byteLength - 1), fc.nat(255), (at, value) => {
        const changed = archive.slice();
        changed[at] = value;
        unpackCheckpoint(changed);
      }),
    );
  });

  it('leads nowhere but into its directory', () => {
    for (const text of ['../x', 'a/../b', '/etc/x', 'a//b', './a', '..', 'a/', '.hidden', 'half.tmp', 'a\0b'])
      assert.match(whyNot(withPath(text)), /has no place in it/, text);
    assert.match(whyNot(withPath('x').with(11, 0xff)), /utf-8/i);
  });

  it('has no two files of one path, and no file that is a directory', () => {
    const two = packed([
      { path: 'a', bytes: Buffer.of(1) },
      { path: 'b', bytes: Buffer.of(2) },
    ]);
    const doubled = two.with(two.lastIndexOf(0x62), 0x61);
    assert.match(whyNot(doubled), /not in order/);
    const nested = packed([
      { path: 'a', bytes: Buffer.of(1) },
      { path: 'b/c', bytes: Buffer.of(2) },
    ]);
    assert.match(whyNot(nested.with(nested.lastIndexOf(0x62), 0x61)), /also a directory/);
  });

  it('is not made of more than its bounds', () => {
    const many = Array.from({ length: CHECKPOINT_FILES_MAX + 1 }, (_, i) => ({
      path: `f${i}`,
      bytes: new Uint8Array(),
    }));
    assert.equal(packCheckpoint(many).ok, false);
    assert.equal(packCheckpoint(many.slice(1)).ok, true);
    assert.equal(packCheckpoint([{ path: 'a', bytes: new Uint8Array(CHECKPOINT_BYTES_MAX) }]).ok, false);
    assert.equal(packCheckpoint([{ path: 'a'.repeat(1025), bytes: new Uint8Array() }]).ok, false);
  });

  it('is as large for the wire, the pile and the sandbox', () => {
    assert.deepEqual(
      [proto.CHECKPOINT_BYTES_MAX, CORE_BYTES_MAX],
      [CHECKPOINT_BYTES_MAX, CHECKPOINT_BYTES_MAX],
    );
  });
});
