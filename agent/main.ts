/** The program `plugpool-agent`: reads its configuration, runs an agent until it is told to stop. */
import { Command, CommanderError, Option } from 'commander';
import { destination, pino, stdSerializers, stdTimeFunctions, type Logger } from 'pino';
import { FirmwareError } from '@plugpool/firmware-bridge';
import { ControlSocketError } from './adapters/control-socket/control-socket-error.ts';
import type { Config } from './config/config.ts';
import { loadConfig } from './config/load-config.ts';
import { describeProblems } from './config/problems.ts';
import { LOG_LEVELS } from './config/schema.ts';
import { startAgent, StoreError, type RunningAgent } from './index.ts';
import { ListenError } from './listen-error.ts';
import { AGENT_VERSION } from './version.ts';

const EXIT_DONE = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** Our own code broke a promise (`EX_SOFTWARE`): a supervisor starts it again, from the store. */
const EXIT_BROKEN = 70;

interface Flags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly listen?: string;
  readonly tokens?: boolean;
  readonly logLevel?: string;
}

export async function main(argv: readonly string[]): Promise<number> {
  const flags = parseFlags(argv);
  if (typeof flags === 'number') return flags;
  const loaded = loadConfig({
    file: flags.config,
    env: process.env,
    flags: {
      dataDir: flags.dataDir,
      listen: flags.listen,
      tokens: flags.tokens === true ? 'tokens' : undefined,
      logLevel: flags.logLevel,
    },
  });
  if (!loaded.ok) {
    say(`plugpool-agent: ${describeProblems(loaded.problems)}`);
    say(
      '  what to do: docs/configuration.md lists every key; "plugpool config check" shows what is in force',
    );
    return EXIT_USAGE;
  }
  // Whatever the agent makes is its own: tasks carry other people's data.
  process.umask(0o077);
  return run(loaded.config);
}

function parseFlags(argv: readonly string[]): Flags | number {
  const program = new Command('plugpool-agent')
    .description(
      'The daemon of a charging pile: lends the idle computing power of plugged-in vehicles to others.',
    )
    .version(AGENT_VERSION)
    .option(
      '--config <file>',
      'a YAML file; without one the defaults serve (manual firmware, this machine only)',
    )
    .option('--data-dir <dir>', 'where it keeps its files')
    .option('--listen <url>', 'where vehicles connect, as mqtt://127.0.0.1:1883')
    .option('--tokens', 'every vehicle must present its token; needed to listen beyond this machine')
    .addOption(
      new Option('--log-level <level>', 'the least important lines that are logged').choices(LOG_LEVELS),
    )
    .allowExcessArguments(false)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, 'plugpool-agent:')) })
    .showHelpAfterError(
      'usage: plugpool-agent [--config FILE] [--data-dir DIR] [--listen URL] [--tokens] [--log-level LEVEL]\n',
    )
    .exitOverride();
  try {
    return program.parse(argv, { from: 'user' }).opts<Flags>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
}

async function run(config: Config): Promise<number> {
  const { log, flush } = openLog(config);
  const leave = (error: unknown): never => {
    log.fatal({ err: error }, 'the agent broke a promise of its own; it must be started again');
    flush();
    process.exit(EXIT_BROKEN);
  };
  process.on('uncaughtException', leave);
  const stopping = untilSignal(log);
  try {
    const running = await startAgent(config, { log, fatal: leave });
    say(`plugpool-agent ${AGENT_VERSION} listens on ${running.url}, data directory ${config.dataDir}`);
    await stopping.asked;
    await stopCleanly(running, log);
    return EXIT_DONE;
  } catch (error) {
    if (!isOfTheWorld(error)) return leave(error);
    say(`plugpool-agent: ${error.message}${hintOf(error)}`);
    return EXIT_FAILED;
  } finally {
    stopping.listenNoMore();
    process.removeListener('uncaughtException', leave);
    flush();
  }
}

async function stopCleanly(running: RunningAgent, log: Logger): Promise<void> {
  await running.stop();
  log.info('stopped');
}

/** Lines are gathered while the last ones are written, so that a slow reader of standard error never holds up a commit. */
function openLog(config: Config): { readonly log: Logger; readonly flush: () => void } {
  const stream = destination({ dest: 2, sync: false, maxLength: 8 * 1024 * 1024 });
  // Whoever read standard error left; the agent goes on.
  stream.on('error', () => undefined);
  const serializers = { err: stdSerializers.err, error: stdSerializers.err };
  const timestamp = stdTimeFunctions.isoTime;
  const log = pino({ level: config.logLevel, base: null, timestamp, serializers }, stream);
  const flush = (): void => {
    try {
      stream.flushSync();
    } catch {
      // Not open any more: nobody is left to read it.
    }
  };
  return { log, flush };
}

/** The first SIGTERM or SIGINT asks for a clean stop, the second leaves at once: what was said is on disk. */
function untilSignal(log: Logger) {
  let isAsked = false;
  let resolveAsked: () => void;
  const asked = new Promise<void>((resolve) => (resolveAsked = resolve));
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isAsked) process.exit(EXIT_FAILED);
    isAsked = true;
    log.info({ signal }, 'stopping');
    resolveAsked();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  const listenNoMore = (): void => {
    process.removeListener('SIGTERM', onSignal);
    process.removeListener('SIGINT', onSignal);
  };
  return { asked, listenNoMore };
}

/** What a person can mend, as against a mistake of ours. */
function isOfTheWorld(error: unknown): error is Error {
  return (
    error instanceof StoreError ||
    error instanceof ControlSocketError ||
    error instanceof FirmwareError ||
    error instanceof ListenError
  );
}

function hintOf(error: Error): string {
  return 'hint' in error && typeof error.hint === 'string' ? `\n  what to do: ${error.hint}` : '';
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
