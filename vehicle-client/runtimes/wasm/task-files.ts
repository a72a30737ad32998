/**
 * The files that a module sees: in memory only, with a bound on their bytes and their number.
 * The shim's own File copies itself on every append and grows without bound; these double their buffer and refuse with
 * ENOSPC or EDQUOT, so that a hostile module cannot take through files the memory that its limit denies it.
 */
import { Directory, Fd, Inode, OpenDirectory, wasi } from '@bjorn3/browser_wasi_shim';
import { isPassingName, type CheckpointFile } from '../checkpoint-archive.ts';

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

/** Told of each name below a directory that a rename gave to a file or directory. */
type Renamed = (name: string) => void;

/** A directory whose new entries count against the quota; without one nothing can be created in it. */
class TaskDirectory extends Directory {
  readonly #quota: FileQuota | undefined;
  readonly renamed: Renamed | undefined;

  constructor(contents: Map<string, Inode>, quota: FileQuota | undefined, renamed?: Renamed) {
    super(contents);
    this.#quota = quota;
    this.renamed = renamed;
  }

  get writable(): boolean {
    return this.#quota !== undefined;
  }

  override path_open(): { ret: number; fd_obj: OpenDirectory } {
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenTaskDirectory(this) };
  }

  override create_entry_for_path(path: string, isDirectory: boolean): { ret: number; entry: Inode | null } {
    if (!this.#quota) return { ret: wasi.ERRNO_ROFS, entry: null };
    if (!this.#quota.takeEntry()) return { ret: wasi.ERRNO_NOSPC, entry: null };
    const made = super.create_entry_for_path(path, isDirectory);
    if (made.ret === wasi.ERRNO_SUCCESS) return { ret: made.ret, entry: this.#adopt(path, isDirectory) };
    this.#quota.giveBack(0);
    return made;
  }

  /** The shim made an entry of its own, unbounded kind; it is replaced by ours. */
  #adopt(path: string, isDirectory: boolean): Inode | null {
    const parts = lexicalParts(path);
    const name = parts.pop();
    const parent = descend(this, parts);
    if (!parent || name === undefined) return null;
    const entry = isDirectory
      ? new TaskDirectory(new Map(), this.#quota, this.renamed)
      : new TaskFile(new Uint8Array(), this.#quota);
    if (entry instanceof TaskFile) entry.retain();
    parent.contents.set(name, entry);
    return entry;
  }

  /** A name of it is gone. */
  forget(entry: Inode | undefined): void {
    if (entry instanceof TaskFile) entry.release();
    else if (entry instanceof TaskDirectory) this.#quota?.giveBack(0);
  }
}

/** One open descriptor of a directory: changes of the tree, which the shim would allow in any directory and count nowhere. */
class OpenTaskDirectory extends OpenDirectory {
  declare dir: TaskDirectory;

  override path_unlink(path: string): { ret: number; inode_obj: Inode | null } {
    return this.dir.writable ? super.path_unlink(path) : { ret: wasi.ERRNO_ROFS, inode_obj: null };
  }

  override path_unlink_file(path: string): number {
    return this.#removing(path, () => super.path_unlink_file(path));
  }

  override path_remove_directory(path: string): number {
    return this.#removing(path, () => super.path_remove_directory(path));
  }

  #removing(path: string, remove: () => number): number {
    if (!this.dir.writable) return wasi.ERRNO_ROFS;
    const entry = this.#entryAt(path);
    const ret = remove();
    if (ret === wasi.ERRNO_SUCCESS) this.dir.forget(entry);
    return ret;
  }

  /** The shim renames by taking the old name away (`path_unlink`) and giving the new one, where alone directories are allowed. */
  override path_link(path: string, inode: Inode, isRename: boolean): number {
    if (!this.dir.writable) return wasi.ERRNO_ROFS;
    const replaced = this.#entryAt(path);
    const ret = super.path_link(path, inode, isRename);
    if (ret !== wasi.ERRNO_SUCCESS) return ret;
    if (!isRename && inode instanceof TaskFile) inode.retain();
    this.dir.forget(replaced);
    const name = lexicalParts(path).at(-1);
    if (isRename && name !== undefined) this.dir.renamed?.(name);
    return ret;
  }

  #entryAt(path: string): Inode | undefined {
    const parts = lexicalParts(path);
    const name = parts.pop();
    return name === undefined ? undefined : descend(this.dir, parts)?.contents.get(name);
  }
}

/** A directory that the module finds open when it starts. */
export class TaskPreopen extends OpenTaskDirectory {
  readonly #name: string;

  constructor(name: string, contents: Map<string, Inode>, quota: FileQuota | undefined, renamed?: Renamed) {
    super(new TaskDirectory(contents, quota, renamed));
    this.#name = name;
  }

  override fd_prestat_get(): { ret: number; prestat: wasi.Prestat } {
    return { ret: wasi.ERRNO_SUCCESS, prestat: wasi.Prestat.dir(this.#name) };
  }
}

/**
 * `/checkpoint`: holds what the run before kept, and tells when a rename gave something in it a name that lasts. That is the
 * moment at which what is there is whole: a file that is being written has a passing name until it is renamed.
 */
export class CheckpointPreopen extends TaskPreopen {
  constructor(quota: FileQuota, changed: () => void) {
    super('/checkpoint', new Map(), quota, (name) => {
      if (!isPassingName(name)) changed();
    });
  }

  /** False where the quota has no room for it. */
  put({ path, bytes }: CheckpointFile): boolean {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++)
      this.dir.create_entry_for_path(parts.slice(0, depth).join('/'), true);
    const { entry } = this.dir.create_entry_for_path(path, false);
    return entry instanceof TaskFile && entry.write(bytes, 0) === wasi.ERRNO_SUCCESS;
  }

  /** Those whose names last; their bytes are the files' own. */
  files(): CheckpointFile[] {
    return filesIn(this.dir, '');
  }
}

function filesIn(directory: Directory, prefix: string): CheckpointFile[] {
  return [...directory.contents].flatMap(([name, entry]) => {
    if (isPassingName(name)) return [];
    if (entry instanceof Directory) return filesIn(entry, `${prefix}${name}/`);
    return entry instanceof TaskFile ? [{ path: `${prefix}${name}`, bytes: entry.bytes }] : [];
  });
}

function lexicalParts(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

function descend(root: Directory, parts: readonly string[]): Directory | undefined {
  let directory: Inode | undefined = root;
  for (const part of parts) {
    directory = directory instanceof Directory ? directory.contents.get(part) : undefined;
  }
  return directory instanceof Directory ? directory : undefined;
}

function clamp(value: bigint, max: bigint): bigint {
  return value < max ? value : max;
}
