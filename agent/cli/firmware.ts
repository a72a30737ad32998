/** `plugpool firmware`: says by hand what happens at a connector, and reads and writes recordings of firmware. */
import { Option, type Command } from 'commander';
import { addFirmwareRecord } from './firmware-record.ts';
import { addFirmwareReplay } from './firmware-replay.ts';
import { durationMs, percentAsPermille, vehicleId } from './options.ts';
import {
  answerFrom,
  showUsageOnError,
  showVerbsOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';

interface Flags extends CommonFlags {
  readonly connector: string;
  readonly vehicle?: string;
  readonly soc?: number;
  readonly leavesIn?: number;
  readonly by?: 'EV' | 'EVSE';
}

const STEPS = {
  plug: { description: 'a vehicle came', said: 'a vehicle is plugged in' },
  charge: { description: 'energy flows; with --vehicle it is plugged in first', said: 'it charges' },
  suspend: { description: 'energy stopped for now', said: 'charging pauses' },
  finish: {
    description: 'energy stopped for good, the vehicle is still there',
    said: 'charging has finished',
  },
  unplug: { description: 'the vehicle left', said: 'it is free' },
} as const;

export function addFirmware(program: Command, cli: CliProgram): void {
  const group = program
    .command('firmware')
    .description(
      'say by hand what happens at a connector, where no firmware can be asked; recordings of firmware',
    );
  for (const step of Object.keys(STEPS)) addStep(group, cli, step as keyof typeof STEPS);
  addFirmwareReplay(group, cli);
  addFirmwareRecord(group, cli);
  showVerbsOnError(group);
}

function addStep(group: Command, cli: CliProgram, step: keyof typeof STEPS): void {
  const { description, said } = STEPS[step];
  const command = withCommon(group.command(step))
    .description(description)
    .requiredOption('--connector <n>', 'which: 1, 1/2 or station/1/2; it appears when first used')
    .option('--vehicle <id>', 'which vehicle it is', vehicleId)
    .option('--soc <percent>', 'how full its battery is', percentAsPermille)
    .option('--leaves-in <duration>', 'when its driver means to leave, such as 2h', durationMs);
  if (step === 'suspend')
    command.addOption(new Option('--by <who>', 'who paused it (default: EV)').choices(['EV', 'EVSE']));
  showUsageOnError(command).action((flags: Flags) =>
    answerFrom(cli, flags, async (agent) => {
      const { connector, vehicle, soc, leavesIn, by } = flags;
      const details = { vehicleId: vehicle, socPermille: soc, departureInMs: leavesIn, by };
      const told = (await agent.ask('firmware', { step, connector, ...details })) as {
        readonly connectorId: string;
      };
      return { document: told, page: () => `connector ${told.connectorId}: ${said}` };
    }),
  );
}
