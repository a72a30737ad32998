/** The version of the bridge's programs: their package's. */
import { createRequire } from 'node:module';

const manifest = createRequire(import.meta.url)('@plugpool/firmware-bridge/package.json') as {
  version: string;
};

export const VERSION: string = manifest.version;
