/** `plugpool tokens unbind VEHICLE`: for a vehicle that lost its token. */
import type { Command } from 'commander';
import { vehicleId } from './options.ts';
import {
  answerFrom,
  showUsageOnError,
  showVerbsOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';

export function addTokens(program: Command, cli: CliProgram): void {
  const group = program.command('tokens').description('the secrets by which vehicles are known');
  const command = withCommon(group.command('unbind'))
    .description('forget the token of a vehicle: the next one that it presents is bound')
    .argument('<vehicle>', 'the vehicle id', vehicleId);
  showVerbsOnError(group);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const answer = (await agent.ask('unbindToken', { vehicleId: id })) as { readonly wasBound: boolean };
      const page = () =>
        answer.wasBound ? `the token of ${id} is forgotten` : `no token of ${id} was bound`;
      return { document: answer, page };
    }),
  );
}
