/** `plugpool config check`: what is wrong with a configuration, or what is in force with it. Asks no agent. */
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { printable } from './context.ts';
import {
  sayFound,
  showUsageOnError,
  showVerbsOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
  type Found,
} from './verb.ts';

interface Flags extends CommonFlags {
  readonly config?: string;
  readonly listen?: string;
  readonly tokens?: true;
  readonly logLevel?: string;
}

export function addConfig(program: Command, cli: CliProgram): void {
  const group = program.command('config').description('the configuration of the agent');
  const command = withCommon(group.command('check'))
    .description('print every problem of a configuration, or all that is in force with it')
    .option('--config <file>', 'the YAML file, as plugpool-agent is given it')
    .option('--listen <url>', 'as plugpool-agent is given it')
    .option('--tokens', 'as plugpool-agent is given it')
    .addOption(new Option('--log-level <level>', 'as plugpool-agent is given it'));
  showVerbsOnError(group);
  showUsageOnError(command).action(async (flags: Flags) =>
    cli.finish(sayFound(cli.context, flags, await check(flags, cli.context.env))),
  );
}

async function check(flags: Flags, env: NodeJS.ProcessEnv): Promise<Found> {
  // Only here: every other command starts faster without them.
  const { loadConfig } = await import('../config/load-config.ts');
  const { describeProblems } = await import('../config/problems.ts');
  const { dataDir, listen, logLevel } = flags;
  const tokens = flags.tokens === true ? 'tokens' : undefined;
  const loaded = loadConfig({ file: flags.config, env, flags: { dataDir, listen, tokens, logLevel } });
  if (!loaded.ok) {
    const { problems } = loaded;
    return { document: { problems }, page: () => printable(describeProblems(problems)), failed: true };
  }
  const { outdated, unreached } = loaded.config;
  const remarks = [...outdated, ...unreached].map(({ where, what }) => `# ${where} ${what}\n`);
  return {
    document: { problems: [], outdated, unreached, config: loaded.effective },
    page: () => `${remarks.join('')}${stringify(loaded.effective).trimEnd()}`,
  };
}
