/** `plugpool firmware replay`: each form of recording tells its events to people and to programs, up to a line that cannot be read. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it, test } from 'node:test';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool } from './cli-fixtures.ts';

const RECORDINGS = join(import.meta.dirname, '../conformance/recordings');
const STAYS = {
  ocpp16: 'stay.ocpp16.jsonl',
  ocpp201: 'stay.ocpp201.jsonl',
  everest: 'stay.everest.jsonl',
  gbt27930: 'stay.gbt27930.log',
  sessions: 'stay.sessions.csv',
} as const;

type Line = Record<string, unknown>;

function linesOf(stdout: string): Line[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function replay(file: string, ...argv: string[]) {
  return plugpool('/nonexistent', 'firmware', 'replay', file, ...argv);
}

for (const [format, name] of Object.entries(STAYS))
  describe(`a recording of ${format}`, () => {
    const file = join(RECORDINGS, name);

    it('is told as the contract says, from plugged to unplugged, with the state after each event', async () => {
      const { code, stdout, stderr } = await replay(file, '--format', format, '--json');
      assert.equal(code, 0, stderr);
      const lines = linesOf(stdout);
      for (const line of lines) {
        const parsed = CLI_CONTRACT['firmware replay']?.safeParse(line);
        assert.ok(parsed?.success, `${JSON.stringify(line)}: ${parsed?.error?.message}`);
      }
      assert.deepEqual([lines[0]?.['event'], lines[0]?.['state']], ['plugged', 'plugged']);
      assert.ok(lines.some(({ event, state }) => event === 'chargingStarted' && state === 'charging'));
      assert.equal(lines.findLast(({ energyWh }) => energyWh !== undefined)?.['energyWh'], 3000);
      assert.equal(lines.at(-1)?.['state'], 'unplugged');
    });

    it('is told to people, one line an event', async () => {
      const { code, stdout } = await replay(file, '--format', format, '--station', 'north');
      assert.equal(code, 0);
      assert.match(stdout, /^2026-03-01T08:00:0\d\.\d{3}Z {2}north\/1\/1 {2}plugged {2,}plugged in\n/);
      assert.match(stdout, /unplugged {2,}free\n$/);
    });
  });

test('every live form brings the session through the same states', async () => {
  const states = async (format: keyof typeof STAYS): Promise<unknown[]> => {
    const { stdout } = await replay(join(RECORDINGS, STAYS[format]), '--format', format, '--json');
    return linesOf(stdout)
      .map(({ state }) => state)
      .filter((state, index, all) => state !== all[index - 1]);
  };
  const expected = ['plugged', 'charging', 'suspendedEV', 'charging', 'finishing', 'unplugged'];
  for (const format of ['ocpp16', 'ocpp201', 'everest', 'gbt27930'] as const)
    assert.deepEqual(await states(format), expected, format);
});

test('what came before a line that cannot be read is told, then its number, and the exit code is 1', async (t) => {
  const folder = newDirectory(t);
  for (const [format, name] of Object.entries(STAYS)) {
    const file = join(folder, basename(name));
    cpSync(join(RECORDINGS, name), file);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const broken = format === 'sessions' ? lines.length + 1 : Math.ceil(lines.length / 2);
    writeFileSync(file, lines.toSpliced(broken - 1, 0, '{"at":').join('\n'));
    const { code, stdout, stderr } = await replay(file, '--format', format, '--json');
    assert.equal(code, 1);
    const told = linesOf(stdout);
    assert.equal(told[0]?.['event'], 'plugged', format);
    const { error } = told.at(-1) as { error: { code: string; message: string; hint: string } };
    assert.equal(error.code, 'invalid_file');
    assert.match(error.message, new RegExp(`^line ${broken}: `));
    assert.match(stderr, new RegExp(`line ${broken}: [^]*what to do: .`));
  }
});

test('a recording that tells nothing as the form that was named is an error that asks for the other', async (t) => {
  const empty = join(newDirectory(t), 'empty');
  writeFileSync(empty, '');
  const wrong = [
    [join(RECORDINGS, STAYS.ocpp16), 'ocpp201', /tells nothing as ocpp201[^]*is it --format ocpp16\?/],
    [join(RECORDINGS, STAYS.ocpp201), 'ocpp16', /tells nothing as ocpp16[^]*is it --format ocpp201\?/],
    [empty, 'ocpp16', /tells nothing/],
    [empty, 'everest', /tells nothing/],
    [empty, 'gbt27930', /tells nothing/],
  ] as const;
  for (const [file, format, message] of wrong) {
    const { code, stdout, stderr } = await replay(file, '--format', format, '--json');
    assert.deepEqual([code, linesOf(stdout).length], [1, 1], format);
    assert.equal((linesOf(stdout)[0]?.['error'] as { code: string }).code, 'tells_nothing');
    assert.match(stderr, message);
  }
});

test('what cannot be replayed at all is refused with what to do', async (t) => {
  const file = join(RECORDINGS, STAYS.ocpp16);
  const wrong = await replay(file, '--format', 'ocpp15', '--json');
  assert.deepEqual([wrong.code, linesOf(wrong.stdout)[0]?.['ok']], [2, false]);
  assert.equal((await replay(file)).code, 2, 'the form is not guessed');
  assert.equal((await replay(file, '--format', 'ocpp16', '--speed', '0')).code, 2);
  assert.equal((await replay(file, '--format', 'ocpp16', '--station', 'a b')).code, 2);
  for (const missing of [newDirectory(t), '/nonexistent/file']) {
    const { code, stderr } = await replay(missing, '--format', 'ocpp16');
    assert.equal(code, 1);
    assert.match(stderr, /is no file that can be read/);
  }
});

test('at a speed the time between events goes by', async () => {
  const startMs = performance.now();
  await replay(join(RECORDINGS, STAYS.sessions), '--format', 'sessions', '--speed', '60000');
  assert.ok(performance.now() - startMs >= 40, '50 minutes at 1000 minutes a second');
});
