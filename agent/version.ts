/** The version of the agent and of the operator's commands: their package's. */
import { createRequire } from 'node:module';

const manifest = createRequire(import.meta.url)('@plugpool/agent/package.json') as { version: string };

export const AGENT_VERSION: string = manifest.version;
