/** Run by npm in a workspace after it packed: puts the repository's package.json back. */
import { restoreManifest } from './manifest-backup.js';

restoreManifest(process.cwd());
