/**
 * Lowers the memory maximum that a WebAssembly module declares, in its bytes, before it is compiled.
 * V8 has no limit for the memory of one module, and a worker's resource limits leave it out; a maximum inside the module is
 * enforced by the engine itself, exactly, and the module sees an ordinary refusal (-1) when it grows beyond.
 * Section and limit encodings: WebAssembly Core Specification 3.0, 5.5.2 and 5.3.9 (binary format of sections and limits).
 */

const PAGE_BYTES = 64 * 1024;
const MIB_PAGES = (1024 * 1024) / PAGE_BYTES;
const SECTION_MEMORY = 5;
const LIMITS_HAS_MAX = 0x01;
const PREAMBLE_BYTES = 8;
const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/** A valid module of no more sections than this; ids go up to 13, the rest are custom sections. */
const SECTIONS_MAX = 10_000;

export type CappedModule =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array<ArrayBuffer>;
      /** True where the module itself would have allowed more than the cap. */
      readonly lowered: boolean;
      readonly maxPages: number;
    }
  | { readonly ok: false; readonly code: 'image_invalid' | 'memory_limit'; readonly detail: string };

interface Section {
  readonly id: number;
  /** Of the id byte. */
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

interface MemoryLimits {
  readonly minPages: number;
  readonly maxPages: number | undefined;
}

class MalformedModule extends Error {}

/** The same module with its memory's maximum at `memoryMib` or below. The argument is not changed. */
export function capMemory(module: Uint8Array<ArrayBuffer>, memoryMib: number): CappedModule {
  try {
    const section = findMemorySection(module);
    if (!section) throw new MalformedModule('it declares no memory of its own');
    const declared = readMemorySection(module, section);
    const capPages = Math.min(Math.floor(memoryMib * MIB_PAGES), 65_536);
    if (declared.minPages > capPages) return tooLarge(declared.minPages, memoryMib);
    const maxPages = Math.min(declared.maxPages ?? capPages, capPages);
    const lowered = (declared.maxPages ?? Infinity) > capPages;
    return { ok: true, bytes: withLimits(module, section, declared.minPages, maxPages), lowered, maxPages };
  } catch (error) {
    if (!(error instanceof MalformedModule)) throw error;
    return { ok: false, code: 'image_invalid', detail: `not a module that can run here: ${error.message}` };
  }
}

function tooLarge(minPages: number, memoryMib: number): CappedModule {
  const minMib = Math.ceil(minPages / MIB_PAGES);
  return {
    ok: false,
    code: 'memory_limit',
    detail: `the module needs ${minMib} MiB of memory to start; its limit is ${memoryMib} MiB`,
  };
}

function findMemorySection(module: Uint8Array): Section | undefined {
  if (MAGIC_AND_VERSION.some((byte, index) => module[index] !== byte)) {
    throw new MalformedModule('it does not begin with the header of WebAssembly version 1');
  }
  let at = PREAMBLE_BYTES;
  for (let count = 0; at < module.byteLength; count += 1) {
    if (count === SECTIONS_MAX) throw new MalformedModule('it has too many sections');
    const section = readSection(module, at);
    if (section.id === SECTION_MEMORY) return section;
    at = section.end;
  }
  return undefined;
}

function readSection(module: Uint8Array, start: number): Section {
  const id = module[start]!;
  const size = readU32(module, start + 1);
  const end = size.next + size.value;
  if (end > module.byteLength) throw new MalformedModule('a section ends beyond the file');
  return { id, start, contentStart: size.next, end };
}

function readMemorySection(module: Uint8Array, section: Section): MemoryLimits {
  const count = readU32(module, section.contentStart);
  if (count.value !== 1) throw new MalformedModule(`it declares ${count.value} memories instead of one`);
  const flags = module[count.next];
  // Shared, 64-bit and odd-page memories are no part of WASI preview 1, and their limits are written otherwise.
  if (flags !== 0 && flags !== LIMITS_HAS_MAX) {
    throw new MalformedModule('its memory is shared, 64-bit or of an odd page size');
  }
  const min = readU32(module, count.next + 1);
  const max = flags === LIMITS_HAS_MAX ? readU32(module, min.next) : undefined;
  if ((max ?? min).next !== section.end) throw new MalformedModule('its memory section has a wrong length');
  return { minPages: min.value, maxPages: max?.value };
}

function withLimits(
  module: Uint8Array,
  section: Section,
  minPages: number,
  maxPages: number,
): Uint8Array<ArrayBuffer> {
  const content = [1, LIMITS_HAS_MAX, ...encodeU32(minPages), ...encodeU32(maxPages)];
  const rewritten = [SECTION_MEMORY, ...encodeU32(content.length), ...content];
  const before = module.subarray(0, section.start);
  const after = module.subarray(section.end);
  const bytes = new Uint8Array(before.byteLength + rewritten.length + after.byteLength);
  bytes.set(before, 0);
  bytes.set(rewritten, before.byteLength);
  bytes.set(after, before.byteLength + rewritten.length);
  return bytes;
}

/** LEB128, at most five bytes. */
function readU32(bytes: Uint8Array, start: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) throw new MalformedModule('it ends in the middle of a number');
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break;
      return { value, next: start + index + 1 };
    }
  }
  throw new MalformedModule('a number has more than 32 bits');
}

function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
