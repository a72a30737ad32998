/** The options of the harvest bench: every assumption is one, with its default and what it means. */
import { parseArgs } from 'node:util';
import { PROFILES, type Profile } from '../sessions/generate-sessions.ts';
import { POWER_KW_DEFAULT } from '../sessions/read-stays.ts';
import type { SceneOptions } from './scene.ts';

interface NumberOption {
  readonly default: number;
  readonly least: number;
  readonly most?: number;
  readonly about: string;
}

const NUMBERS = {
  load: { default: 1, least: 0.001, about: 'demand ÷ supply of the scarcest dimension over the window' },
  checkpoints: { default: 0, least: 0, most: 1, about: 'share of the tasks that can be checkpointed' },
  'history-days': {
    default: 60,
    least: 0,
    about: 'days of sessions that are only learned from, before the window',
  },
  'limit-days': { default: 20, least: 0.04, about: 'days of the window in which tasks are asked for' },
  'torn-share': {
    default: 0.02,
    least: 0,
    most: 1,
    about: 'unplugs that leave no time for a last checkpoint',
  },
  cores: { default: 8, least: 0.001, about: 'cores that a vehicle lends' },
  'memory-gib': { default: 16, least: 0.001, about: 'memory that a vehicle lends' },
  'gpu-millis': {
    default: 1000,
    least: 0,
    about: 'GPU that a vehicle lends, in thousandths of one (with 8 GiB of VRAM)',
  },
  payers: {
    default: 20,
    least: 1,
    most: 1000,
    about: 'requesters that pay; a task is one of them’s by hash',
  },
  'slack-ls': { default: 2, least: 1, about: 'deadline of a latency-sensitive task, in its durations' },
  'slack-other': { default: 10, least: 1, about: 'deadline of any other task, in its durations' },
  'deadline-floor-s': { default: 60, least: 0, about: 'no deadline is earlier than this after submission' },
  'estimate-error': { default: 0, least: 0, most: 3, about: 'deviation of ln(told ÷ true duration)' },
  'power-kw': {
    default: POWER_KW_DEFAULT,
    least: 0.1,
    about: 'charging power where a session does not say when charging ended',
  },
  bar: {
    default: -1,
    least: -1,
    most: 0.99,
    about: 'ours: least P(stays to the end) for a start, all priorities alike; -1: as a pile is installed',
  },
  seed: { default: 1, least: 0, about: 'of every hash' },
} satisfies Record<string, NumberOption>;

type NumberName = keyof typeof NUMBERS;

export interface HarvestOptions {
  readonly sessionsFile: string | undefined;
  readonly tasksFile: string | undefined;
  /** Of made-up sessions, where no file is given. */
  readonly profile: Profile;
  /** Which policies run; absent: all. */
  readonly only: readonly string[] | undefined;
  /** Undefined: as a pile is installed. */
  readonly bar: number | undefined;
  readonly curve: boolean;
  /** Where the curve is drawn, as SVG. */
  readonly svgFile: string | undefined;
  readonly scene: SceneOptions;
}

/** Exits with 2 and says what is wrong, and what there is. */
export function harvestOptions(args: readonly string[]): HarvestOptions {
  try {
    return parseHarvestOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage()}`);
    process.exit(2);
  }
}

function usage(): string {
  const lines = Object.entries(NUMBERS).map(
    ([name, option]) => `  --${name.padEnd(17)} ${String(option.default).padStart(5)}  ${option.about}`,
  );
  return [
    'usage: npm run bench -- harvest [--sessions FILE] [--profile public|apartments] [--tasks FILE] [--lend charging|plugged] [--curve] [--svg FILE] [--only POLICY,…]',
    ...lines,
    '',
  ].join('\n');
}

/** Throws where an option cannot be. */
export function parseHarvestOptions(args: readonly string[]): HarvestOptions {
  const options = {
    sessions: { type: 'string' as const },
    tasks: { type: 'string' as const },
    profile: { type: 'string' as const },
    lend: { type: 'string' as const },
    only: { type: 'string' as const },
    svg: { type: 'string' as const },
    curve: { type: 'boolean' as const },
    ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: 'string' as const }])),
  };
  const values = parseArgs({ args: [...args], options, strict: true }).values as Record<
    string,
    string | boolean | undefined
  >;
  const number = (name: NumberName): number => numberOf(name, values[name]);
  const lend = values['lend'] ?? 'plugged';
  if (lend !== 'plugged' && lend !== 'charging')
    throw new Error(`--lend is charging or plugged, not ${String(lend)}`);
  const profile = PROFILES.find((name) => name === (values['profile'] ?? 'public'));
  if (profile === undefined)
    throw new Error(`--profile is ${PROFILES.join(' or ')}, not ${String(values['profile'])}`);
  return {
    profile,
    sessionsFile: values['sessions'] as string | undefined,
    tasksFile: values['tasks'] as string | undefined,
    only: typeof values['only'] === 'string' ? values['only'].split(',') : undefined,
    bar: number('bar') < 0 ? undefined : number('bar'),
    curve: values['curve'] === true,
    svgFile: values['svg'] as string | undefined,
    scene: {
      load: number('load'),
      lend,
      historyDays: number('history-days'),
      limitDays: number('limit-days'),
      checkpointShare: number('checkpoints'),
      tornShare: number('torn-share'),
      whole: {
        cpuMillicores: number('cores') * 1000,
        memoryMib: number('memory-gib') * 1024,
        gpuMillis: number('gpu-millis'),
      },
      payers: Math.round(number('payers')),
      latencySlack: number('slack-ls'),
      otherSlack: number('slack-other'),
      deadlineFloorS: number('deadline-floor-s'),
      estimateError: number('estimate-error'),
      powerKw: number('power-kw'),
      seed: number('seed'),
    },
  };
}

function numberOf(name: NumberName, text: string | boolean | undefined): number {
  const option: NumberOption = NUMBERS[name];
  if (text === undefined) return option.default;
  const number = Number(text);
  const { least, most = Infinity } = option;
  if (text !== '' && number >= least && number <= most) return number;
  throw new Error(
    `--${name} must be a number from ${least}${most === Infinity ? '' : ` to ${most}`}, not ${String(text)}`,
  );
}
