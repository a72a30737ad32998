/** The options that several commands take, and the configuration that they make up together with file and environment. */
import { Option, type Command } from 'commander';
import type { Logger } from 'pino';
import type { ConfigSources } from '../config.ts';
import type { LogLevel } from '../log-level.ts';
import type { CliContext } from './context.ts';

export interface CommonFlags {
  readonly agent?: string;
  readonly vehicle?: string;
  readonly config?: string;
  readonly dataDir?: string;
  readonly tokenFile?: string;
  readonly logLevel?: string;
  readonly json?: true;
}

/** For every command. */
export function withIdentity(command: Command): Command {
  return command
    .option('--vehicle <id>', "this vehicle's id")
    .option('--config <file>', 'YAML file with settings (docs/vehicle-client.md)')
    .option(
      '--data-dir <dir>',
      "where this vehicle's files are (default $XDG_STATE_HOME/plugpool-vehicle/<id>)",
    )
    .option('--json', 'standard output is JSON alone');
}

/** For commands that talk to a pile. */
export function withPile(command: Command): Command {
  return withIdentity(command.option('--agent <url>', 'address of the pile, mqtt://host:port'))
    .option('--token-file <file>', 'file with the token (default: made in the data directory)')
    .addOption(new Option('--log-level <level>', 'trace, debug, info, warn, error or silent'));
}

export function sourcesOf(
  context: CliContext,
  flags: CommonFlags,
  more: Record<string, unknown> = {},
): ConfigSources {
  const { agent, vehicle, dataDir, tokenFile, logLevel } = flags;
  return {
    file: flags.config,
    env: context.env,
    flags: { agent, vehicle, dataDir, tokenFile, logLevel, ...more },
  };
}

/** Writes to standard error, so that standard output stays what was promised. */
export async function loggerTo(context: CliContext, level: LogLevel): Promise<Logger> {
  const { pino } = await import('pino');
  return pino({ level, base: null }, context.stderr);
}
