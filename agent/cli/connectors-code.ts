/** `plugpool connectors code N`: for whatever shows it to who stands there; nothing else is written. */
import type { Command } from 'commander';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';

export function addConnectorsCode(connectors: Command, cli: CliProgram): void {
  const command = withCommon(connectors.command('code'))
    .description('the code by which the vehicle at a connector makes itself known')
    .argument('<connector>', 'its number, EVSE/connector, or station/EVSE/connector');
  showUsageOnError(command).action((connector: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const shown = (await agent.ask('plugCode', { connector })) as { readonly code: string };
      return { document: shown, page: () => shown.code };
    }),
  );
}
