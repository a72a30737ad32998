/**
 * The directories that a module sees: their entries count against the quota of its files (task-files.ts), and nothing can be made
 * in one without a quota. One of them is where it keeps its state.
 */
import type { Inode } from '@bjorn3/browser_wasi_shim';
import { Directory, OpenDirectory, wasi } from '@bjorn3/browser_wasi_shim';
import { isPassingName, type CheckpointFile } from '../checkpoint-archive.ts';
import { TaskFile, type FileQuota } from './task-files.ts';

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
