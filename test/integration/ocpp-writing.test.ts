/** What the agent writes back, through a live pile of OCPP 2.0.1: a cap that the pile alone hears of, a credit that the CSMS alone does. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configOf, startAgent } from '@plugpool/agent';
import { connectRequester, startDonor } from '@plugpool/vehicle-client';
import { verifyCredits } from '../../agent/credits/verify-credits.ts';
import { newDirectory, plugpool, plugpoolJson } from './cli-fixtures.ts';
import { acceptsAll, openPile201 } from './ocpp-live-piles.ts';
import { startCsms, startRelay, type Fields } from './ocpp-relay-scene.ts';
import { donorOptions, HeldRuntime, runtimesOf } from './vehicle-fixtures.ts';

const WASM = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

test('a pile is capped while a donor charges there, and its CSMS is told once what the stay earned', async (t) => {
  const toCsms: Fields[] = [];
  const credited = Promise.withResolvers<void>();
  const answer = acceptsAll();
  const csms = await startCsms(t, {
    answer: (method, params) => {
      if (method === 'DataTransfer') {
        toCsms.push(params);
        credited.resolve();
      }
      return answer(method, params);
    },
  });
  const relay = await startRelay(t, csms, { allow: ['cap', 'credit'] });
  const dataDir = newDirectory(t);
  const running = await startAgent(
    configOf({
      dataDir,
      station: 'site',
      listen: 'mqtt://127.0.0.1:0',
      policy: { trust: { after: 0 } },
      power: { caps: true },
      credits: 'send',
      firmware: [{ kind: 'ocpp', tap: relay.tapPath, credit: { vendorId: 'org.example' } }],
    }),
  );
  t.after(() => running.stop());
  const pile = await openPile201(t, relay.url, 'north');
  const profiles: Fields[] = [];
  pile.peer.handle('SetChargingProfile', ({ params }) => {
    profiles.push(params);
    return { status: 'Accepted' };
  });
  await running.control('bind', { vehicleId: 'lender', kind: 'idToken', value: 'CARD' });

  const image = join(newDirectory(t), 'image.wasm');
  writeFileSync(image, WASM);
  const needs = ['--cpu-millicores', '1000', '--memory-mib', '64', '--work-core-s', '1'];
  await plugpoolJson(
    dataDir,
    ...['algorithms', 'add', image, '--id', 'sum', '--version', '1', '--runtime', 'wasm', ...needs],
  );
  const runtime = new HeldRuntime();
  const options = { runtimes: ['wasm'], runtimesInstead: runtimesOf(runtime) } as const;
  const donor = await startDonor(donorOptions(running.url, newDirectory(t), options));
  t.after(() => donor.stop());
  const asker = await connectRequester({
    agent: running.url,
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
  });
  t.after(() => asker.close());
  await pile.charge('CARD');
  const task = await asker.request({ algorithm: 'sum', input: 'x' });
  await runtime.started(1);

  const capped = await plugpool(
    dataDir,
    'cap',
    '--connector',
    'north/1/1',
    '--kw',
    '11',
    '--for',
    '1h',
    '--json',
  );
  assert.equal(capped.code, 0, capped.stdout + capped.stderr);
  assert.match(JSON.stringify(profiles[0]), /"limit":11000/);
  runtime.jobs[0]?.end(Buffer.from('done'));
  await task.result;
  assert.equal(toCsms.length, 0, 'the stay goes on');

  await pile.unplug();
  await credited.promise;
  const [sent] = toCsms;
  assert.equal(sent?.['vendorId'], 'org.example');
  const line = String(sent['data']);
  const { publicKey } = (await plugpoolJson(dataDir, 'ledger', 'head')) as { publicKey: string };
  assert.deepEqual(verifyCredits([line], publicKey), { records: 1, publicKey, findings: [] });
  const { body } = JSON.parse(line) as { body: string };
  const record = JSON.parse(body) as {
    connector: string;
    transactionId: string;
    earned: { cpuMncs: number };
  };
  assert.deepEqual([record.connector, record.transactionId], ['north/1/1', 'north-1']);
  assert.ok(record.earned.cpuMncs > 0);
  assert.doesNotMatch(line, /lender|CARD/);
  assert.ok(
    csms.heard.every((text) => !text.includes('ChargingProfile')),
    'our calls are no business of the CSMS',
  );
});
