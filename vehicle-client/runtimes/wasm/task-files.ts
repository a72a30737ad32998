/**
 * The files that a module sees: in memory only, with a bound on their bytes and their number.
 * The shim's own File copies itself on every append and grows without bound; these double their buffer and refuse with
 * ENOSPC or EDQUOT, so that a hostile module cannot take through files the memory that its limit denies it.
 */
import { Fd, Inode, wasi } from '@bjorn3/browser_wasi_shim';

/** Every right of WASI preview 1: what a file allows is decided by what it is, not by rights that it hands out. */
const RIGHTS_ALL = (1n << 29n) - 1n;
const ENTRIES_MAX = 4096;
const FIRST_CAPACITY_BYTES = 4 * 1024;

/** What all files of a task may take together. */
export class FileQuota {
  #bytesLeft: number;
  #entriesLeft = ENTRIES_MAX;

  constructor(bytesMax: number) {
    this.#bytesLeft = bytesMax;
  }

  takeBytes(count: number): boolean {
    if (count > this.#bytesLeft) return false;
    this.#bytesLeft -= count;
    return true;
  }

  takeEntry(): boolean {
    if (this.#entriesLeft === 0) return false;
    this.#entriesLeft -= 1;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytesLeft += bytes;
    this.#entriesLeft += 1;
  }
}

/**
 * A file's content. What its buffer took is given back when the last name and the last descriptor of it are gone, and not when
 * it shrinks: who writes its state anew a thousand times needs room for two of them.
 */
export class TaskFile extends Inode {
  #buffer: Uint8Array;
  #size: number;
  /** Names and descriptors. */
  #holders = 0;
  readonly #quota: FileQuota | undefined;

  /** Without a quota the file cannot be written. */
  constructor(content: Uint8Array, quota: FileQuota | undefined) {
    super();
    this.#buffer = content;
    this.#size = content.byteLength;
    this.#quota = quota;
  }

  get writable(): boolean {
    return this.#quota !== undefined;
  }

  retain(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders > 0 || !this.#quota) return;
    this.#quota.giveBack(this.#buffer.byteLength);
    this.#buffer = new Uint8Array();
    this.#size = 0;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  /** An error number of WASI; 0: done. */
  resize(size: number): number {
    if (!this.#quota) return wasi.ERRNO_PERM;
    if (size > this.#buffer.byteLength && !this.#reserve(size)) return wasi.ERRNO_DQUOT;
    if (size < this.#size) this.#buffer.fill(0, size, this.#size);
    this.#size = size;
    return wasi.ERRNO_SUCCESS;
  }

  write(data: Uint8Array, position: number): number {
    if (!this.#quota) return wasi.ERRNO_PERM;
    const end = position + data.byteLength;
    if (end > this.#size) {
      const error = this.resize(end);
      if (error !== wasi.ERRNO_SUCCESS) return error;
    }
    this.#buffer.set(data, position);
    return wasi.ERRNO_SUCCESS;
  }

  #reserve(size: number): boolean {
    const capacity = Math.max(size, this.#buffer.byteLength * 2, FIRST_CAPACITY_BYTES);
    if (!this.#quota?.takeBytes(capacity - this.#buffer.byteLength)) return false;
    const grown = new Uint8Array(capacity);
    grown.set(this.bytes);
    this.#buffer = grown;
    return true;
  }

  override path_open(
    oflags: number,
    rights: bigint,
    fdFlags: number,
  ): { ret: number; fd_obj: OpenTaskFile | null } {
    const forWriting = (rights & BigInt(wasi.RIGHTS_FD_WRITE)) !== 0n;
    const truncates = (oflags & wasi.OFLAGS_TRUNC) !== 0;
    if (!this.writable && (truncates || forWriting)) return { ret: wasi.ERRNO_PERM, fd_obj: null };
    if (truncates) this.resize(0);
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenTaskFile(this, (fdFlags & wasi.FDFLAGS_APPEND) !== 0) };
  }

  override stat(): wasi.Filestat {
    return new wasi.Filestat(this.ino, wasi.FILETYPE_REGULAR_FILE, BigInt(this.#size));
  }
}

/** One open descriptor of a file. */
export class OpenTaskFile extends Fd {
  readonly #file: TaskFile;
  readonly #appends: boolean;
  #position = 0n;

  constructor(file: TaskFile, appends = false) {
    super();
    this.#file = file;
    this.#appends = appends;
    file.retain();
  }

  override fd_close(): number {
    this.#file.release();
    return wasi.ERRNO_SUCCESS;
  }

  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    const fdstat = new wasi.Fdstat(wasi.FILETYPE_REGULAR_FILE, this.#appends ? wasi.FDFLAGS_APPEND : 0);
    fdstat.fs_rights_base = RIGHTS_ALL;
    return { ret: wasi.ERRNO_SUCCESS, fdstat };
  }

  override fd_filestat_get(): { ret: number; filestat: wasi.Filestat } {
    return { ret: wasi.ERRNO_SUCCESS, filestat: this.#file.stat() };
  }

  override fd_read(size: number): { ret: number; data: Uint8Array } {
    const result = this.fd_pread(size, this.#position);
    this.#position += BigInt(result.data.byteLength);
    return result;
  }

  override fd_pread(size: number, offset: bigint): { ret: number; data: Uint8Array } {
    const content = this.#file.bytes;
    const start = Number(clamp(offset, BigInt(content.byteLength)));
    return { ret: wasi.ERRNO_SUCCESS, data: content.subarray(start, start + size) };
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    if (this.#appends) this.#position = BigInt(this.#file.bytes.byteLength);
    const result = this.fd_pwrite(data, this.#position);
    this.#position += BigInt(result.nwritten);
    return result;
  }

  override fd_pwrite(data: Uint8Array, offset: bigint): { ret: number; nwritten: number } {
    if (!this.#file.writable) return { ret: wasi.ERRNO_BADF, nwritten: 0 };
    const ret = offset > Number.MAX_SAFE_INTEGER ? wasi.ERRNO_FBIG : this.#file.write(data, Number(offset));
    return { ret, nwritten: ret === wasi.ERRNO_SUCCESS ? data.byteLength : 0 };
  }

  override fd_seek(offset: bigint, whence: number): { ret: number; offset: bigint } {
    const bases = new Map([
      [wasi.WHENCE_SET, 0n],
      [wasi.WHENCE_CUR, this.#position],
      [wasi.WHENCE_END, BigInt(this.#file.bytes.byteLength)],
    ]);
    const base = bases.get(whence);
    if (base === undefined || base + offset < 0n) return { ret: wasi.ERRNO_INVAL, offset: 0n };
    this.#position = base + offset;
    return { ret: wasi.ERRNO_SUCCESS, offset: this.#position };
  }

  override fd_tell(): { ret: number; offset: bigint } {
    return { ret: wasi.ERRNO_SUCCESS, offset: this.#position };
  }

  override fd_allocate(offset: bigint, length: bigint): number {
    const end = offset + length;
    return end > BigInt(this.#file.bytes.byteLength) ? this.fd_filestat_set_size(end) : wasi.ERRNO_SUCCESS;
  }

  override fd_filestat_set_size(size: bigint): number {
    return size > Number.MAX_SAFE_INTEGER ? wasi.ERRNO_FBIG : this.#file.resize(Number(size));
  }
}

/** Standard output or error: like a pipe, so that libraries buffer it in blocks. */
export class Sink extends Fd {
  readonly #write: (data: Uint8Array) => void;

  constructor(write: (data: Uint8Array) => void) {
    super();
    this.#write = write;
  }

  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    const fdstat = new wasi.Fdstat(wasi.FILETYPE_UNKNOWN, 0);
    fdstat.fs_rights_base = BigInt(wasi.RIGHTS_FD_WRITE);
    return { ret: wasi.ERRNO_SUCCESS, fdstat };
  }

  override fd_filestat_get(): { ret: number; filestat: wasi.Filestat } {
    return { ret: wasi.ERRNO_SUCCESS, filestat: new wasi.Filestat(0n, wasi.FILETYPE_UNKNOWN, 0n) };
  }

  override fd_seek(): { ret: number; offset: bigint } {
    return { ret: wasi.ERRNO_SPIPE, offset: 0n };
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    this.#write(data);
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.byteLength };
  }
}

function clamp(value: bigint, max: bigint): bigint {
  return value < max ? value : max;
}
