/** Run by npm in a workspace before it packs: emits `dist/` and points package.json at it. */
import { basename, dirname } from 'node:path';
import { emitWorkspace } from './emit-workspace.ts';
import { swapManifest } from './manifest-backup.js';

const workspaceDir = process.cwd();
emitWorkspace(dirname(workspaceDir), basename(workspaceDir));
swapManifest(workspaceDir, (manifest) => {
  // What npm would run on this side of the fence has no meaning in the package.
  const { scripts: _, ...packed } = manifest;
  return { ...packed, exports: emittedExports(manifest.exports) };
});

/** What names a source names what was emitted from it; anything else (package.json) stays. */
function emittedExports(exports: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(exports).map(([name, target]): [string, unknown] => {
      if (!target.endsWith('.ts')) return [name, target];
      const emitted = target.replace(/^\.\//, './dist/').replace(/\.ts$/, '');
      return [name, { types: `${emitted}.d.ts`, default: `${emitted}.js` }];
    }),
  );
}
