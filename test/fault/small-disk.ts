/** A file system of a few MiB that a test can fill to the last page; in memory, so that nothing is left of it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface SmallDisk {
  readonly directory: string;
  /** Takes what space is left, but so much; what was taken before is given back first. */
  fillUp(leftBytes?: number): void;
  /** Gives back what `fillUp` took. */
  free(): void;
  /** Nobody may have a file of it open. */
  unmount(): void;
}

export type SmallDiskResult =
  { readonly ok: true; readonly disk: SmallDisk } | { readonly ok: false; readonly why: string };

/** Makes the directory, and removes it with the disk. Mounting needs root. */
export function mountSmallDisk(directory: string, sizeKib: number): SmallDiskResult {
  mkdirSync(directory, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKib}k`, 'tmpfs', directory], { stdio: 'pipe' });
  } catch (error) {
    rmSync(directory, { recursive: true });
    return { ok: false, why: `no tmpfs can be mounted here: ${String(error).split('\n')[0]}` };
  }
  const filler = path.join(directory, 'filler');
  const free = (): void => rmSync(filler, { force: true });
  const fillUp = (leftBytes = 0): void => {
    free();
    const { bavail, bsize } = statfsSync(directory);
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
  };
  const unmount = (): void => {
    execFileSync('umount', [directory], { stdio: 'pipe' });
    rmSync(directory, { recursive: true });
  };
  return { ok: true, disk: { directory, fillUp, free, unmount } };
}
