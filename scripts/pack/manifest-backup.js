/**
 * Points a workspace's package.json at what is packed, and puts the original back.
 *
 * In the repository `exports` names the TypeScript source, which Node runs as it is. It does not do that under node_modules, so
 * a packed package names the emitted JavaScript. npm packs the package.json that it finds, so it is changed for that moment; the
 * original lies beside it until it is back, and whatever starts next puts it back if the packing was killed.
 *
 * Plain JavaScript: with-install.js, which any Node runs, imports it.
 */
import { copyFileSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const BACKUP = '.package.json.before-pack';
/** No packing takes this long: an older backup was left by one that was killed. */
const ABANDONED_AFTER_MS = 2 * 60_000;

/**
 * @param {string} workspaceDir
 * @param {(manifest: any) => any} change
 */
export function swapManifest(workspaceDir, change) {
  restoreManifest(workspaceDir);
  const path = join(workspaceDir, 'package.json');
  const backup = join(workspaceDir, BACKUP);
  // Written under another name first: a half-written backup must never be taken for one.
  copyFileSync(path, `${backup}.new`);
  renameSync(`${backup}.new`, backup);
  writeFileSync(path, `${JSON.stringify(change(JSON.parse(readFileSync(backup, 'utf8'))), null, 2)}\n`);
}

/** @param {string} workspaceDir */
export function restoreManifest(workspaceDir) {
  const backup = join(workspaceDir, BACKUP);
  if (existsSync(backup)) renameSync(backup, join(workspaceDir, 'package.json'));
}

/** @param {string} root */
export function restoreAbandonedManifests(root) {
  for (const workspace of JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces) {
    const backup = statSync(join(root, workspace, BACKUP), { throwIfNoEntry: false });
    if (backup && Date.now() - backup.mtimeMs > ABANDONED_AFTER_MS) restoreManifest(join(root, workspace));
  }
}
