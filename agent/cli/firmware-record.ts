/** `plugpool firmware record`: writes down what comes in from a source of the configuration, identities masked. Asks no agent. */
import { Option, type Command } from 'commander';
import type { LiveFormat } from '../record-recording.ts';
import { CliError, type CliContext } from './context.ts';
import { fileRefusalOf } from './file-refusal.ts';
import { durationMs, whole } from './options.ts';
import { showProgress } from './progress.ts';
import { RecordingFile } from './recording-file.ts';
import { facts } from './table.ts';
import {
  sayFound,
  showUsageOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
  type Found,
} from './verb.ts';
import { counted } from './words.ts';

interface Flags extends CommonFlags {
  readonly out: string;
  readonly format: LiveFormat;
  readonly config?: string;
  readonly entry?: number;
  readonly for?: number;
  readonly maxBytes: number;
}

const FORMATS = ['ocpp16', 'ocpp201', 'everest', 'gbt27930'] as const;
const BYTES_DEFAULT = 100 * 1024 * 1024;
const BYTES_MAX = 1024 ** 4;
/** A timer has a bound. */
const FOR_MS_MAX = 2 ** 31 - 1;

export function addFirmwareRecord(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('record'))
    .description('write down what comes in from firmware, identities masked, until Ctrl-C; needs no agent')
    .requiredOption('--out <file>', 'the recording; a file that does not exist yet')
    .addOption(
      new Option('--format <form>', 'what is written down, and in which form')
        .choices(FORMATS)
        .makeOptionMandatory(),
    )
    .option('--config <file>', 'the YAML file that names the source, as plugpool-agent is given it')
    .option('--entry <n>', 'which of its list firmware, from 1, where several are of the kind', whole(1, 16))
    .option('--for <duration>', 'no longer than this, 1h for example', durationMs)
    .option('--max-bytes <n>', 'no more than this (default: 100 MiB)', whole(1024, BYTES_MAX), BYTES_DEFAULT);
  showUsageOnError(command).action(async (flags: Flags) =>
    cli.finish(sayFound(cli.context, flags, await record(cli.context, flags))),
  );
}

type Ended = 'interrupted' | 'time' | 'full' | 'source';

async function record(context: CliContext, flags: Flags): Promise<Found> {
  if (flags.format.startsWith('ocpp') && !flags.out.endsWith('.jsonl'))
    throw new CliError(
      'invalid_argument',
      `${flags.out} does not end in .jsonl`,
      'what happens to the links of OCPP is written beside NAME.jsonl, into NAME.links.jsonl',
    );
  const recorder = await recorderOf(context, flags);
  const file = new RecordingFile(flags.out, flags.maxBytes);
  const stop = new AbortController();
  const stopListening = context.onInterrupt?.(() => stop.abort('interrupted' satisfies Ended));
  const timer =
    flags.for === undefined
      ? undefined
      : setTimeout(() => stop.abort('time' satisfies Ended), Math.min(flags.for, FOR_MS_MAX));
  const progress = showProgress(context, () => Promise.resolve(progressInWords(file)));
  try {
    file.open(() => stop.abort('full' satisfies Ended));
    // Nothing may be heard for long, and not every terminal shows the progress.
    context.stderr.write(`listens for ${flags.format}, writes ${flags.out}; Ctrl-C ends it\n`);
    const end = await recorder.run(file, stop.signal);
    return foundOf(file, flags, end === 'source' ? 'source' : (stop.signal.reason as Ended));
  } catch (error) {
    file.discard();
    throw fileRefusalOf(error);
  } finally {
    stopListening?.();
    clearTimeout(timer);
    await progress.end();
  }
}

async function recorderOf({ env }: CliContext, { config: file, dataDir, format, entry }: Flags) {
  // Only here: every other command starts faster without the adapters.
  const { loadConfig } = await import('../config/load-config.ts');
  const { describeProblems } = await import('../config/problems.ts');
  const { createRecorder } = await import('../record-recording.ts');
  const loaded = loadConfig({ file, env, flags: { dataDir } });
  if (!loaded.ok)
    throw new CliError(
      'invalid_argument',
      describeProblems(loaded.problems),
      'plugpool config check tells more of it',
    );
  try {
    return createRecorder(loaded.config, format, entry);
  } catch (error) {
    throw fileRefusalOf(error);
  }
}

function progressInWords({ lines, bytes, lastProblem }: RecordingFile): string {
  const said = `${counted(lines, 'line')}, ${bytes} bytes; Ctrl-C ends it`;
  return lines === 0 && lastProblem !== null ? `${said}; ${lastProblem}` : said;
}

function foundOf(file: RecordingFile, flags: Flags, ended: Ended): Found {
  file.close();
  const { lines, bytes, leftOut, lastProblem } = file;
  const { out, format } = flags;
  return {
    document: { file: out, format, ended, lines, bytes, leftOut, lastProblem },
    page: (paint) =>
      facts(
        [
          [
            'recorded',
            lines === 0 ? 'nothing: no line was heard' : `${out}, ${counted(lines, 'line')}, ${bytes} bytes`,
          ],
          ['ended by', ENDS[ended]],
          ...(lastProblem === null
            ? []
            : [['left out', `${leftOut}, the last because ${lastProblem}`] as const]),
          ...(lines === 0 ? [] : [['now', `plugpool firmware replay ${out} --format ${format}`] as const]),
        ],
        paint,
      ),
    failed: lines === 0,
  };
}

const ENDS: Readonly<Record<Ended, string>> = {
  interrupted: 'Ctrl-C',
  time: '--for',
  full: '--max-bytes',
  source: 'its source',
};
