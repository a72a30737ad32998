/** Where an agent keeps its files unless told otherwise: the same answer for the agent and for the operator's commands. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** `$PLUGPOOL_DATA_DIR`, else `$XDG_STATE_HOME/plugpool`, else `~/.local/state/plugpool`. */
export function defaultDataDir(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['PLUGPOOL_DATA_DIR'];
  if (given !== undefined && given !== '') return resolve(given);
  const stateHome = env['XDG_STATE_HOME'];
  // The XDG base directory specification: a relative path there is to be ignored.
  const base =
    stateHome !== undefined && isAbsolute(stateHome) ? stateHome : join(homedir(), '.local', 'state');
  return join(base, 'plugpool');
}

export function controlSocketPath(dataDir: string): string {
  return join(resolve(dataDir), 'agent.sock');
}
