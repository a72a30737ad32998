/** The memory maximum of a module, lowered in its bytes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { capMemory } from '../../vehicle-client/runtimes/wasm/memory-cap.ts';
import * as modules from '../fixtures/wasm/modules.ts';
import { assemble } from '../fixtures/wasm/modules.ts';

const MIB_PAGES = 16;
const withMemory = (memory: string) => assemble(`(module (memory (export "memory") ${memory}))`);
const cap = (module: Uint8Array, memoryMib: number) => capMemory(Uint8Array.from(module), memoryMib);

/** How many pages a module's memory has when it grew as far as it may. */
function pagesInTheEnd(bytes: Uint8Array<ArrayBuffer>): number {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  const memory = instance.exports['memory'] as WebAssembly.Memory & { grow(pages: number): number };
  const growsTo = (pages: number) => {
    try {
      memory.grow(pages - memory.buffer.byteLength / 65_536);
      return true;
    } catch {
      return false;
    }
  };
  let [low, high] = [memory.buffer.byteLength / 65_536, 65_537];
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2);
    if (growsTo(middle)) low = middle;
    else high = middle;
  }
  return low;
}

describe('capping a module', () => {
  it('sets a maximum where there was none, lowers one above the cap, and leaves one below', () => {
    const cases: [memory: string, capMib: number, pages: number, lowered: boolean][] = [
      ['1', 1, 16, true],
      ['0', 2, 32, true],
      ['1 65536', 2, 32, true],
      ['1 7', 2, 7, false],
      ['16 16', 1, 16, false],
      ['3', 1.5, 24, true],
    ];
    for (const [memory, capMib, pages, lowered] of cases) {
      const capped = cap(withMemory(memory), capMib);
      assert(capped.ok);
      assert.deepEqual(
        [pagesInTheEnd(capped.bytes), capped.maxPages, capped.lowered],
        [pages, pages, lowered],
        memory,
      );
    }
  });

  it('changes nothing of the module but its memory section, and not the argument', () => {
    const module = Uint8Array.from(modules.copiesStdin());
    const before = module.slice();
    const capped = cap(module, 4);
    assert(capped.ok);
    assert.deepEqual(module, before);
    const [original, changed] = [before, capped.bytes].map((bytes) => new WebAssembly.Module(bytes));
    assert.deepEqual(WebAssembly.Module.imports(changed!), WebAssembly.Module.imports(original!));
    assert.deepEqual(WebAssembly.Module.exports(changed!), WebAssembly.Module.exports(original!));
  });

  it('is the same when done twice', () => {
    const once = cap(withMemory('1'), 3);
    assert(once.ok);
    const twice = cap(once.bytes, 3);
    assert(twice.ok);
    assert.deepEqual(twice.bytes, once.bytes);
  });

  it('refuses a module that starts with more than the cap', () => {
    const refused = cap(withMemory('17'), 1);
    assert(!refused.ok && refused.code === 'memory_limit');
  });

  it('refuses shared, 64-bit and several memories, and none', () => {
    const texts = ['(memory 1 2 shared)', '(memory i64 1)', '(memory 1) (memory 1)', ''];
    for (const text of texts) {
      const refused = cap(assemble(`(module ${text})`), 1);
      assert(!refused.ok && refused.code === 'image_invalid', text);
    }
  });

  it('answers any bytes with a refusal or a module whose maximum is within the cap, and never throws', () => {
    const preamble = Buffer.from('0061736d01000000', 'hex');
    const bytes = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          bytes.map((rest) => Buffer.concat([preamble, rest])),
        ),
        (module) => {
          const capped = cap(module, 1);
          if (capped.ok) assert(capped.maxPages <= MIB_PAGES);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('never lets a broken byte of a real module raise its maximum', () => {
    const module = modules.copiesStdin();
    const place = fc.tuple(fc.nat(module.byteLength - 1), fc.nat(255));
    fc.assert(
      fc.property(place, ([at, byte]) => {
        const broken = Uint8Array.from(module);
        broken[at] = byte;
        const capped = cap(broken, 1);
        if (!capped.ok || !compiles(capped.bytes)) return;
        const again = cap(capped.bytes, 1);
        assert(again.ok && !again.lowered);
      }),
      { numRuns: 2000 },
    );
  });
});

function compiles(bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    new WebAssembly.Module(bytes);
    return true;
  } catch {
    return false;
  }
}
