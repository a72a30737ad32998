/** The program `plugpool-ocpp-relay`: reads its configuration, relays until it is told to stop. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { destination, pino, stdSerializers, stdTimeFunctions, type Logger } from 'pino';
import { systemClock } from '../../clock.ts';
import { FirmwareError } from '../../firmware-error.ts';
import { VERSION } from '../../version.ts';
import { loadRelayConfig, type LoadedRelayConfig } from './load-relay-config.ts';
import { Relay } from './relay.ts';

const EXIT_DONE = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** Our own code broke a promise (`EX_SOFTWARE`): a supervisor starts it again. */
const EXIT_BROKEN = 70;

const USAGE = `usage: plugpool-ocpp-relay --config FILE [--check]

Stands between charging piles and their CSMS, passes OCPP-J frames on unchanged, and lets the agent read along.

  --config FILE  a YAML file (docs/firmware/ocpp-relay.md)
  --check        says whether the configuration is right, and ends
  --version      says its version
  --help         says this
`;

export async function main(argv: readonly string[]): Promise<number> {
  const flags = parseFlags(argv);
  if (typeof flags === 'string') {
    say(`plugpool-ocpp-relay: ${flags}`);
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  if (flags.help === true) process.stdout.write(USAGE);
  else if (flags.version === true) process.stdout.write(`${VERSION}\n`);
  if (flags.help === true || flags.version === true) return EXIT_DONE;
  const loaded = loadRelayConfig(flags.config ?? '', process.env);
  if (!loaded.ok) {
    say(
      [
        'plugpool-ocpp-relay: the configuration is wrong:',
        ...loaded.problems.map((line) => `  ${line}`),
      ].join('\n'),
    );
    return EXIT_USAGE;
  }
  if (flags.check !== true) return run(loaded);
  process.stdout.write(`the configuration is right; the tap is ${loaded.tapPath}\n`);
  return EXIT_DONE;
}

interface Flags {
  readonly config?: string | undefined;
  readonly check?: boolean | undefined;
  readonly version?: boolean | undefined;
  readonly help?: boolean | undefined;
}

/** What is wrong with them, as text. */
function parseFlags(argv: readonly string[]): Flags | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: 'string' },
        check: { type: 'boolean' },
        version: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
    const isServed = values.config !== undefined || values.version === true || values.help === true;
    return isServed ? values : 'which configuration? Name its file with --config';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function run({ config, tapPath }: LoadedRelayConfig & { readonly ok: true }): Promise<number> {
  process.umask(0o077);
  const log = openLog(config.logLevel);
  const leave = (error: unknown): never => {
    log.fatal({ err: error }, 'the relay broke a promise of its own; it must be started again');
    process.exit(EXIT_BROKEN);
  };
  process.on('uncaughtException', leave);
  const asked = untilSignal(log);
  try {
    mkdirSync(dirname(tapPath), { recursive: true, mode: 0o700 });
    const relay = new Relay({ config, tapPath, log, clock: systemClock });
    say(`plugpool-ocpp-relay ${VERSION} listens on ${await relay.start()}, tap ${tapPath}`);
    await asked;
    await relay.stop();
    log.info('stopped');
    return EXIT_DONE;
  } catch (error) {
    if (!isOfTheWorld(error)) return leave(error);
    const hint = error instanceof FirmwareError ? `\n  what to do: ${error.hint}` : '';
    say(`plugpool-ocpp-relay: ${error.message}${hint}`);
    return EXIT_FAILED;
  }
}

/** Written at once: a line is rare, and what was said before a crash is what one wants to read. */
function openLog(level: string): Logger {
  const stream = destination({ dest: 2, sync: true });
  // Whoever read standard error left; the relay goes on.
  stream.on('error', () => undefined);
  const serializers = { err: stdSerializers.err };
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime, serializers }, stream);
}

/** The first SIGTERM or SIGINT asks for a clean stop, the second leaves at once. */
function untilSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let isAsked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isAsked) process.exit(EXIT_FAILED);
      isAsked = true;
      log.info({ signal }, 'stopping');
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** What a person can mend, as against a mistake of ours: a file, a certificate, an address. */
function isOfTheWorld(error: unknown): error is Error {
  return error instanceof FirmwareError || (error instanceof Error && 'code' in error);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
