/** `plugpool algorithms check add ID --input FILE --output FILE`: a question whose answer the operator knows, for spot checks. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { IMAGE_PART_BYTES_MAX } from '../adapters/control-socket/protocol.ts';
import { CliError } from './context.ts';
import { algorithmName, algorithmVersion } from './options.ts';
import { unreadableFile } from './unreadable-file.ts';
import {
  answerFrom,
  showUsageOnError,
  showVerbsOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { bytesInWords, counted } from './words.ts';

interface Flags extends CommonFlags {
  readonly version?: string;
  readonly input: string;
  readonly output: string;
  readonly args?: readonly string[];
}

export function addAlgorithmCheck(group: Command, cli: CliProgram): void {
  const checks = group
    .command('check')
    .description('questions with known answers, asked of vehicles that are believed');
  const command = withCommon(checks.command('add'))
    .description('add one: vehicles that answer it in another way lose all trust')
    .argument('<id>', 'the algorithm', algorithmName)
    .requiredOption('--input <file>', 'what the program is given')
    .requiredOption('--output <file>', 'what it returns, as it was computed where you trust it')
    .option('--version <v>', 'of this version', algorithmVersion)
    .option('--args <arg...>', 'arguments of the program');
  showVerbsOnError(checks);
  showUsageOnError(command).action((id: string, flags: Flags) =>
    answerFrom(cli, flags, async (agent) => {
      const { version, args = [] } = flags;
      const [inputBase64, outputBase64] = [await bytesOf(flags.input), await bytesOf(flags.output)];
      const answer = (await agent.ask('addCheck', { id, version, args, inputBase64, outputBase64 })) as {
        readonly algorithm: string;
        readonly checks: number;
      };
      const page = () => `${answer.algorithm} has ${counted(answer.checks, 'check')}`;
      return { document: answer, page };
    }),
  );
}

async function bytesOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw unreadableFile(path, cause);
  });
  // The agent says how large one may be; what does not fit into a message it could not even refuse.
  if (bytes.length > IMAGE_PART_BYTES_MAX / 2)
    throw new CliError(
      'too_large',
      `${path} has ${bytesInWords(bytes.length)}`,
      'give a smaller input or output',
    );
  return bytes.toString('base64');
}
