/** `plugpool bind`, `bindings` and `unbind` against a whole agent: who shows what is whom, and the value is nowhere afterwards. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import pino from 'pino';
import { configOf, startAgent } from '@plugpool/agent';
import type { FirmwareAdapter, FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { createPilePseudonymizer } from '../../agent/pseudonym-salt.ts';
import { runCli } from '../../agent/cli/program.ts';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool, plugpoolJson, startPile } from './cli-fixtures.ts';

const CARD = 'CARD-0815-OF-SOMEBODY';
const VIN = 'LMADEUP0123456789';

/** `plugpool …` with something on its standard input. */
async function given(dataDir: string, input: string, ...argv: string[]) {
  const text = { out: '', err: '' };
  const to = (key: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        text[key] += chunk.toString();
        done();
      },
    });
  const context = { stdout: to('out'), stderr: to('err'), stdin: Readable.from([Buffer.from(input)]) };
  const more = { env: { PLUGPOOL_DATA_DIR: dataDir }, paint: (_: string, words: string) => words };
  const code = await runCli(argv, { ...context, ...more });
  return { code, stdout: text.out, stderr: text.err };
}

function assertPromised(verb: string, document: unknown): void {
  assert.ok(CLI_CONTRACT[verb]?.safeParse(document).success, JSON.stringify(document));
}

class SaidFirmware implements FirmwareAdapter {
  readonly name = 'said';
  readonly capabilities = new Set(['credential'] as const);
  readonly staleAfterMs = 0;
  say: (event: FirmwareEvent) => void = () => undefined;

  start(emit: (event: FirmwareEvent) => void): Promise<void> {
    this.say = emit;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

test('a card that is bound names its vehicle when it is shown, and its value is in no file and no line', async (t) => {
  const dataDir = newDirectory(t);
  const firmware = new SaidFirmware();
  let logged = '';
  const log = pino(
    { level: 'debug' },
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged += chunk.toString();
        done();
      },
    }),
  );
  const config = configOf({ dataDir, listen: 'mqtt://127.0.0.1:0' });
  const agent = await startAgent(config, { log, firmware: [firmware] });
  t.after(() => agent.stop());
  const bind = ['bind', '--vehicle', 'car', '--kind', 'idToken', '--value-from-stdin'];
  const bound = await given(dataDir, `${CARD}\n`, ...bind, '--json');
  assert.equal(bound.code, 0, bound.stderr);
  assertPromised('bind', JSON.parse(bound.stdout));
  const about = { connectorId: 'station/1/1' as ConnectorId, at: { receivedWallMs: Date.now() } };
  const pseudonym = createPilePseudonymizer(dataDir)('idToken', CARD.toLowerCase());
  firmware.say({ ...about, kind: 'plugged' });
  firmware.say({ ...about, kind: 'credential', credential: { kind: 'idToken', pseudonym } });
  const { connectors } = (await plugpoolJson(dataDir, 'connectors')) as { connectors: object[] };
  assert.partialDeepStrictEqual(connectors[0], { vehicleId: 'car', assurance: 'token', disputed: false });
  const listed = await plugpoolJson(dataDir, 'bindings');
  assertPromised('bindings', listed);
  assert.equal(logged.includes(CARD), false);
  for (const name of readdirSync(dataDir, { recursive: true }) as string[]) {
    const path = join(dataDir, name);
    if (statSync(path).isFile()) assert.equal(readFileSync(path, 'latin1').includes(CARD), false, name);
  }
});

test('what a vehicle shows at a connector is bound to it, refused to another, and forgotten', async (t) => {
  const pile = await startPile(t);
  await pile.control('firmware', { step: 'charge', connector: '1', vehicleId: 'car' });
  const named = await plugpool(pile.dataDir, 'bind', '--vehicle', 'car', '--connector', '1');
  assert.match(named.stdout, /^car stands at station\/1\/1; nothing was shown there/);
  await given(pile.dataDir, VIN, 'bind', '--vehicle', 'car', '--kind', 'vin', '--value-from-stdin');
  const other = ['bind', '--vehicle', 'other', '--kind', 'vin', '--value-from-stdin'];
  const refused = await given(pile.dataDir, VIN, ...other);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /this vin is bound to car\n.*--replace/);
  assert.equal((await given(pile.dataDir, VIN, ...other, '--replace')).code, 0);
  assert.match((await plugpool(pile.dataDir, 'bindings')).stdout, /other +vin +vin +[0-9a-f]{8} /);
  const unbound = await plugpoolJson(pile.dataDir, 'unbind', 'other');
  assertPromised('unbind', unbound);
  assert.match((await plugpool(pile.dataDir, 'bindings')).stdout, /no credential is bound/);
});

test('a binding that is asked for wrongly is refused, and says what is missing', async (t) => {
  const pile = await startPile(t);
  for (const [input, argv, said] of [
    ['', ['--kind', 'vin', '--value-from-stdin'], /standard input is empty/],
    ['x'.repeat(256), ['--kind', 'vin', '--value-from-stdin'], /at most 255 characters/],
    ['short', ['--kind', 'vin', '--value-from-stdin'], /a VIN has 17 letters/],
    [VIN.replace('1', 'I'), ['--kind', 'vin', '--value-from-stdin'], /none of them I/],
    ['AA', ['--kind', 'evccid', '--value-from-stdin'], /12 hexadecimal digits/],
    ['x', ['--value-from-stdin'], /needs its kind/],
    ['x', ['--kind', 'vin'], /one of --connector and --value-from-stdin/],
    ['x', ['--kind', 'plate', '--value-from-stdin'], /Allowed choices/],
    ['', ['--connector', '1/2/3/4'], /not a connector|connector/],
  ] as const) {
    const { code, stderr } = await given(pile.dataDir, input, 'bind', '--vehicle', 'car', ...argv);
    assert.equal(code, 2, stderr);
    assert.match(stderr, said);
  }
  for (const address of ['00-1a-2b-3c-4d-5e', 'VID:001A2B3C4D5F']) {
    const bound = await given(
      pile.dataDir,
      address,
      ...'bind --vehicle car --kind evccid --value-from-stdin'.split(' '),
    );
    assert.equal(bound.code, 0, bound.stderr);
  }
  const free = await plugpool(pile.dataDir, 'bind', '--vehicle', 'car', '--connector', '7');
  assert.equal(free.code, 1);
  assert.match(free.stderr, /the firmware does not say that a vehicle is plugged in at station\/7\/1/);
});
