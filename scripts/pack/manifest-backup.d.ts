/** Types of manifest-backup.js, which is plain JavaScript so that any Node runs it. */
export interface Manifest {
  readonly exports: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export function swapManifest(
  workspaceDir: string,
  change: (manifest: Manifest) => Readonly<Record<string, unknown>>,
): void;
export function restoreManifest(workspaceDir: string): void;
export function restoreAbandonedManifests(root: string): void;
