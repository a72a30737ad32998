/**
 * Standard input, output and error of a WASI command, with the bounds and the partial reads and writes that the shim's
 * own streams leave to their caller.
 */

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: u32, iovs: usize, count: usize, readSize: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, iovs: usize, count: usize, writtenSize: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;

/** One iovec (pointer, length) and, behind it, the count that the call answers with. */
const iovec: usize = memory.data(12);

/** Ends the program with exit code 1; the message reaches the requester as the end of standard error. */
export function fail(message: string): void {
  const line = String.UTF8.encode(message + '\n');
  writeTo(2, changetype<usize>(line), line.byteLength);
  proc_exit(1);
}

function writeTo(fd: u32, start: usize, size: usize): bool {
  let done: usize = 0;
  while (done < size) {
    store<usize>(iovec, start + done);
    store<usize>(iovec, size - done, 4);
    if (fd_write(fd, iovec, 1, iovec + 8) != 0) return false;
    const written = load<u32>(iovec, 8);
    if (written == 0) return false;
    done += written;
  }
  return true;
}

export function writeOutput(start: usize, size: usize): void {
  if (!writeTo(1, start, size)) fail('standard output cannot be written');
}

export function writeOutputText(text: string): void {
  const bytes = String.UTF8.encode(text);
  writeOutput(changetype<usize>(bytes), bytes.byteLength);
}

/** All of standard input; fails where it is longer than `bytesMax`. */
export function readInput(bytesMax: i32): ArrayBuffer {
  let buffer = new ArrayBuffer(65536);
  let size = 0;
  while (true) {
    if (size == buffer.byteLength) {
      const larger = new ArrayBuffer(size * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(buffer), size);
      buffer = larger;
    }
    store<usize>(iovec, changetype<usize>(buffer) + size);
    store<usize>(iovec, buffer.byteLength - size, 4);
    if (fd_read(0, iovec, 1, iovec + 8) != 0) fail('standard input cannot be read');
    const got = load<u32>(iovec, 8);
    if (got == 0) break;
    size += got;
    if (size > bytesMax) fail('the input is longer than ' + bytesMax.toString() + ' bytes');
  }
  return buffer.slice(0, size);
}
