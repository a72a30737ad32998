/** `npm run bench -- NAME [options]`: runs one bench. With `--json` standard output is exactly one JSON document. */
import { parseArgs } from 'node:util';

interface Bench {
  readonly about: string;
  load(): Promise<{ readonly run: (args: readonly string[], json: boolean) => Promise<void> }>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  broker: {
    about: 'tasks a second and latency through one agent, every process its own',
    load: () => import('./broker.ts'),
  },
  constraint: {
    about: 'compiling and evaluating constraints, the dearest among them',
    load: () => import('./constraint.ts'),
  },
  firmware: {
    about: 'from what the firmware says to the client being told, the last lease, a lost link noticed',
    load: () => import('./firmware.ts'),
  },
  footprint: {
    about: 'memory of the agent with 50 vehicles, memory and idle load of a vehicle client',
    load: () => import('./footprint.ts'),
  },
  hostile: {
    about:
      'an honest pair while made-up vehicles attack in twenty ways: latency; CPU, memory and handles of the agent',
    load: () => import('./hostile.ts'),
  },
  liars: {
    about: 'runs a task, and wrong results accepted, with donors that lie in several ways',
    load: () => import('./liars.ts'),
  },
  gbt27930: {
    about: 'CAN frames of a DC charger that become a session’s story, a second',
    load: () => import('./gbt27930.ts'),
  },
  match: {
    about: 'decisions of the matcher: rate, time, memory; with --oracle, beside the exact optimum',
    load: () => import('./match.ts'),
  },
  harvest: {
    about: 'idle power harvested and work lost on real sessions, beside the known schemes',
    load: () => import('./harvest/bench.ts'),
  },
  relay: {
    about: 'the OCPP relay with 200 piles: CPU, what it adds to an answer, memory',
    load: () => import('./relay.ts'),
  },
  soak: {
    about: '500 vehicles for ten minutes, 20 reconnections a second: errors, latency, memory, file handles',
    load: () => import('./soak.ts'),
  },
  start: {
    about: 'from grant to the first instruction of a module, with a warm and a cold child',
    load: () => import('./start.ts'),
  },
  sim: {
    about: 'station-hours that the simulator goes through in a second of one core',
    load: () => import('./sim.ts'),
  },
  step: { about: 'what the decisions alone cost, for many vehicles', load: () => import('./step.ts') },
  store: {
    about: 'synced commits by batch size, beside what a sync alone takes on this disk',
    load: () => import('./store.ts'),
  },
  dwell: {
    about: 'how well departures are foretold, on a file of real stays or on made-up ones',
    load: () => import('./dwell.ts'),
  },
  year: {
    about: 'the store after a year: its size, and how long a start, a check and a backup take',
    load: () => import('./year.ts'),
  },
  codec: { about: 'encoding and decoding of each body', load: () => import('./codec.ts') },
};

function usage(): string {
  const lines = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  return `usage: npm run bench -- NAME [--json] [options]\n\n${lines.join('\n')}\n`;
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const bench = name === undefined || !Object.hasOwn(BENCHES, name) ? undefined : BENCHES[name];
  if (bench === undefined) {
    process.stderr.write(`${name === undefined ? 'which bench?' : `no bench is called ${name}`}\n${usage()}`);
    return 2;
  }
  const { values, tokens } = parseArgs({
    args: rest,
    options: { json: { type: 'boolean', default: false } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const others = rest.filter(
    (_, index) => !tokens.some((t) => t.kind === 'option' && t.name === 'json' && t.index === index),
  );
  const { run } = await bench.load();
  await run(others, values['json'] === true);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
