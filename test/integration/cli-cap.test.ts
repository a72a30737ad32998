/** `plugpool cap` through a whole agent: switched on, refused, and what the station says. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { configOf, startAgent, type ConfigInput } from '@plugpool/agent';
import type { ControlOutcome, FirmwareAdapter, FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool } from './cli-fixtures.ts';

const ONE = 'station/1/1' as ConnectorId;

/** One charging vehicle, and a station that keeps to what it is told, unless it refuses. */
class CappingStation implements FirmwareAdapter {
  readonly name = 'capping';
  readonly capabilities = new Set<never>();
  readonly staleAfterMs = 0;
  readonly told: string[] = [];
  says: ControlOutcome = { ok: true };
  readonly control = {
    abilities: new Set(['cap'] as const),
    setCap: (_: ConnectorId, { powerMw, forMs }: { powerMw: number; forMs: number }) => {
      this.told.push(`${powerMw} for ${forMs}`);
      return Promise.resolve(this.says);
    },
    clearCap: () => {
      this.told.push('clear');
      return Promise.resolve(this.says);
    },
    showText: () => Promise.resolve(this.says),
    sendCredit: () => Promise.resolve(this.says),
  };

  start(emit: (event: FirmwareEvent) => void): Promise<void> {
    const about = { connectorId: ONE, at: { receivedWallMs: Date.now() } };
    emit({ kind: 'plugged', ...about });
    emit({ kind: 'chargingStarted', ...about });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

async function pileWith(t: TestContext, station: CappingStation, input: ConfigInput): Promise<string> {
  const dataDir = newDirectory(t);
  const config = configOf({ dataDir, listen: 'mqtt://127.0.0.1:0', ...input });
  const running = await startAgent(config, { firmware: [station] });
  t.after(() => running.stop());
  return dataDir;
}

test('an operator caps a connector, sees what the station says, and takes it back', async (t) => {
  const station = new CappingStation();
  const dataDir = await pileWith(t, station, { power: { caps: true } });
  const capped = await plugpool(dataDir, 'cap', '--connector', '1', '--kw', '11', '--for', '1h', '--json');
  assert.equal(capped.code, 0, capped.stderr);
  assert.ok(CLI_CONTRACT['cap']?.safeParse(JSON.parse(capped.stdout)).success, capped.stdout);
  assert.deepEqual(station.told.splice(0), ['11000000 for 120000']);
  assert.match(
    (await plugpool(dataDir, 'cap', '--connector', '1', '--kw', '11', '--for', '1h')).stdout,
    /: the station took it; whether it works, "plugpool connectors" shows\n$/,
  );
  const page = await plugpool(dataDir, 'connectors');
  assert.match(page.stdout, / 11\.0 kW /);

  station.says = { ok: false, code: 'refused', message: 'the profile is rejected' };
  const refused = await plugpool(dataDir, 'cap', '--connector', '1', '--kw', '7.4', '--for', '1h');
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /7\.4 kW at most until .*: its station refuses/);

  const cleared = await plugpool(dataDir, 'cap', '--connector', '1', '--clear');
  assert.equal(cleared.stdout, 'station/1/1 is not capped\n');
  assert.equal(station.told.at(-1), 'clear');
});

test('a cap for longer than caps last is answered with how long they do, however long it was', async (t) => {
  const dataDir = await pileWith(t, new CappingStation(), { power: { caps: true } });
  for (const span of ['8d', '9999d']) {
    const { code, stdout } = await plugpool(
      dataDir,
      ...['cap', '--connector', '1', '--kw', '11', '--for', span, '--json'],
    );
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    assert.deepEqual([code, error.code], [1, 'cap_too_long'], span);
    assert.match(error.message, /lasts 168 h at most/);
  }
});

test('without the switch, without its length and with both a cap and --clear nothing is told to the station', async (t) => {
  const station = new CappingStation();
  const dataDir = await pileWith(t, station, {});
  const off = await plugpool(dataDir, 'cap', '--connector', '1', '--kw', '11', '--for', '1h');
  assert.deepEqual([off.code, off.stdout], [1, '']);
  assert.match(off.stderr, /set power\.caps/);
  const endless = await plugpool(dataDir, 'cap', '--connector', '1', '--kw', '11');
  assert.equal(endless.code, 2);
  assert.match(endless.stderr, /--kw and --for, or --clear/);
  const both = await plugpool(dataDir, 'cap', '--connector', '1', '--kw', '11', '--clear');
  assert.equal(both.code, 2);
  const nowhere = await plugpool(dataDir, 'cap', '--connector', '-1', '--clear');
  assert.match(nowhere.stderr, /does not name a connector/);
  assert.deepEqual(station.told, []);
});
