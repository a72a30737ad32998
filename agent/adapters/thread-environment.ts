/** What threads of the agent are started with. */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';

/** A compile cache of the process reaches its threads by the environment alone; it saves a thread 12 MiB of type stripping. */
export function threadEnvironment(): NodeJS.ProcessEnv {
  const cacheDir = getCompileCacheDir();
  // Below the directory that was asked for lies one for each version of Node.
  return cacheDir === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cacheDir) };
}
