/**
 * Everything that is checked without running the product: format, types, lint, layers, dead code, generated code, built images.
 * `npm run check -- types lint` runs some of it. All failures are shown, each with the command that repeats it.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { forwardSignals } from './forward-signals.ts';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

interface Outcome {
  readonly check: Check;
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: number;
}

const ROOT = join(import.meta.dirname, '..');
const OUTPUT_CHARS_MAX = 30_000;

/** Longest first: two run at a time, and the last one to start should be a short one. */
const CHECKS: readonly Check[] = [
  { name: 'lint', command: [tool('eslint'), '.', '--max-warnings=0'] },
  { name: 'images', command: [process.execPath, 'algorithms/build.ts', '--check'] },
  { name: 'types', command: [tool('tsc'), '-p', '.'] },
  { name: 'dead-code', command: [process.execPath, 'scripts/find-dead-code.ts'] },
  { name: 'format', command: [tool('prettier'), '--check', '--log-level=warn', '.'] },
  { name: 'layers', command: [tool('depcruise'), '--config', '.dependency-cruiser.cjs', '.'] },
  { name: 'generated', command: [process.execPath, 'scripts/generate-proto.ts', '--check'] },
];

function tool(name: string): string {
  return join(ROOT, 'node_modules', '.bin', name);
}

function run(check: Check): Promise<Outcome> {
  const startedMs = performance.now();
  const [program = '', ...args] = check.command;
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  forwardSignals(child);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve) => {
    const end = (ok: boolean): void => {
      resolve({ check, ok, output: output.trim(), seconds: (performance.now() - startedMs) / 1000 });
    };
    child.on('error', (error) => {
      output += error.message;
      end(false);
    });
    child.on('close', (code) => {
      end(code === 0);
    });
  });
}

function sayLine({ check, ok, seconds }: Outcome): void {
  process.stdout.write(`${ok ? '✔' : '✖'} ${check.name.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s\n`);
}

function sayFailure({ check, output }: Outcome): void {
  const command = check.command.map((word) => (word.startsWith('/') ? relative(ROOT, word) : word)).join(' ');
  process.stdout.write(`\n── ${check.name}: ${command}\n${output}\n`);
}

async function runAll(checks: readonly Check[]): Promise<Outcome[]> {
  const waiting = [...checks];
  const outcomes: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const outcome = await run(check);
      sayLine(outcome);
      outcomes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return outcomes;
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => CHECKS.every((check) => check.name !== name));
  if (unknown.length > 0) {
    const known = CHECKS.map((check) => check.name).join(', ');
    process.stderr.write(`no such check: ${unknown.join(', ')}; there are ${known}\n`);
    return 2;
  }
  const outcomes = await runAll(CHECKS.filter((check) => names.length === 0 || names.includes(check.name)));
  const failed = outcomes.filter((outcome) => !outcome.ok);
  failed.forEach(sayFailure);
  process.stdout.write(
    failed.length === 0 ? 'all checks passed\n' : `\n${failed.length} of ${outcomes.length} checks failed\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
