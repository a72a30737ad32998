/**
 * Runs an example's image in this process, without a sandbox: for the tests and for recording what the outputs are. A
 * donor's client runs images in a child process of their own.
 */
import { File, OpenFile, WASI } from '@bjorn3/browser_wasi_shim';
import { readFile } from 'node:fs/promises';

export interface ImageRun {
  readonly exitCode: number;
  readonly output: Uint8Array;
  readonly stderr: string;
  readonly memoryMib: number;
}

export async function runWasmImage(
  imagePath: string,
  args: readonly string[],
  input: Uint8Array,
): Promise<ImageRun> {
  const output = new File([]);
  const stderr = new File([]);
  const files = [new OpenFile(new File(input)), new OpenFile(output), new OpenFile(stderr)];
  const wasi = new WASI(['program', ...args], [], files, { debug: false });
  const module = new WebAssembly.Module(await readFile(imagePath));
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport });
  const exitCode = wasi.start(instance as Parameters<WASI['start']>[0]);
  const { memory } = instance.exports as { memory: WebAssembly.Memory };
  return {
    exitCode,
    output: output.data,
    stderr: new TextDecoder().decode(stderr.data),
    memoryMib: memory.buffer.byteLength / 2 ** 20,
  };
}
