/** The version that this client says hello with: its package's. */
import { createRequire } from 'node:module';

const manifest = createRequire(import.meta.url)('@plugpool/vehicle-client/package.json') as {
  version: string;
};

export const CLIENT_VERSION: string = manifest.version;
