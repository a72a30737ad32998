/**
 * A program's state in `/checkpoint`: read at the start, written whole under a passing name and renamed, which is the moment at
 * which it counts. Where nobody offers the directory, nothing is kept and nothing is there.
 */

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_prestat_dir_name")
declare function fd_prestat_dir_name(fd: u32, path: usize, size: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(
  fd: u32,
  lookup: u32,
  path: usize,
  size: usize,
  oflags: u32,
  rights: u64,
  inheriting: u64,
  flags: u32,
  opened: usize,
): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_rename")
declare function path_rename(
  fd: u32,
  path: usize,
  size: usize,
  newFd: u32,
  newPath: usize,
  newSize: usize,
): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(fd: u32): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: u32, iovs: usize, count: usize, readSize: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, iovs: usize, count: usize, writtenSize: usize): u32;

const CREATE_AND_TRUNCATE: u32 = 1 | 8;
const RIGHT_READ: u64 = 2;
const RIGHT_WRITE: u64 = 64;
const FIRST_PREOPEN: u32 = 3;
const PREOPENS_MAX: u32 = 16;
const ERRNO_BADF: u32 = 8;

const nameBuffer: usize = memory.data(16);
/** One iovec and the count that a call answers with. */
const call: usize = memory.data(12);

const DIRECTORY = String.UTF8.encode('/checkpoint');
const STATE = String.UTF8.encode('state');
const UNFINISHED = String.UTF8.encode('state.tmp');

let directoryFd: u32 = 0;

/** 0: there is none. */
function directory(): u32 {
  if (directoryFd != 0) return directoryFd;
  for (let fd = FIRST_PREOPEN; fd < PREOPENS_MAX; fd++) {
    memory.fill(nameBuffer, 0, 16);
    const errno = fd_prestat_dir_name(fd, nameBuffer, DIRECTORY.byteLength);
    if (errno == ERRNO_BADF) return 0;
    if (errno != 0) continue;
    if (memory.compare(nameBuffer, changetype<usize>(DIRECTORY), DIRECTORY.byteLength) != 0) continue;
    return (directoryFd = fd);
  }
  return 0;
}

function open(name: ArrayBuffer, oflags: u32, rights: u64): u32 {
  const fd = directory();
  if (fd == 0) return 0;
  const errno = path_open(fd, 0, changetype<usize>(name), name.byteLength, oflags, rights, 0, 0, call);
  return errno == 0 ? load<u32>(call) : 0;
}

/** What the run before kept, exactly `into.byteLength` bytes of it; false where there is none or it is of another length. */
export function readState(into: ArrayBuffer): bool {
  const fd = open(STATE, 0, RIGHT_READ);
  if (fd == 0) return false;
  let done: usize = 0;
  while (done < <usize>into.byteLength) {
    store<usize>(call, changetype<usize>(into) + done);
    store<usize>(call, into.byteLength - done, 4);
    if (fd_read(fd, call, 1, call + 8) != 0) break;
    const got = load<u32>(call, 8);
    if (got == 0) break;
    done += got;
  }
  fd_close(fd);
  return done == <usize>into.byteLength;
}

/** What it had before stays where it is until all of the new is there. */
export function keepState(bytes: ArrayBuffer): void {
  const fd = open(UNFINISHED, CREATE_AND_TRUNCATE, RIGHT_WRITE);
  if (fd == 0) return;
  store<usize>(call, changetype<usize>(bytes));
  store<usize>(call, bytes.byteLength, 4);
  const isWritten = fd_write(fd, call, 1, call + 8) == 0 && load<u32>(call, 8) == bytes.byteLength;
  fd_close(fd);
  if (!isWritten) return;
  const from = changetype<usize>(UNFINISHED);
  path_rename(
    directoryFd,
    from,
    UNFINISHED.byteLength,
    directoryFd,
    changetype<usize>(STATE),
    STATE.byteLength,
  );
}
