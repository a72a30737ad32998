/** A driver gives his car the code on the pile's display: from then on it lends, and a second car is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectRequester, startDonor, type DonorEvent } from '@plugpool/vehicle-client';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool, plugpoolJson, startPile } from './cli-fixtures.ts';
import { addEcho } from './spine-scene.ts';
import { donorOptions } from './vehicle-fixtures.ts';

test('the code on the display binds a car to its connector, where it runs what is asked; another car is refused', async (t) => {
  const pile = await startPile(t, { policy: { identityAssurance: 'code' } });
  for (const step of ['plug', 'charge']) await pile.control('firmware', { step, connector: '1' });
  const start = async (vehicle: string) => {
    const connected = Promise.withResolvers<undefined>();
    const onEvent = ({ kind }: DonorEvent): void => {
      if (kind === 'connected') connected.resolve(undefined);
    };
    const about = { vehicle, token: `a-token-of-the-${vehicle}`, onEvent };
    const donor = await startDonor(donorOptions(pile.url, newDirectory(t), about));
    t.after(() => donor.stop());
    await connected.promise;
    return donor;
  };
  const [car, other] = [await start('car'), await start('other')];
  const shown = await plugpoolJson(pile.dataDir, 'connectors', 'code', '1');
  assert.ok(CLI_CONTRACT['connectors code']?.safeParse(shown).success, JSON.stringify(shown));
  const { code } = shown as { code: string };
  assert.match((await plugpool(pile.dataDir, 'connectors')).stdout, new RegExp(code));
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  await assert.rejects(car.plugCode(wrong), { code: 'code_wrong', retryable: false });
  await assert.rejects(car.plugCode('12345'), { code: 'invalid_argument' });
  assert.deepEqual(await car.plugCode(code), { connectorId: 'station/1/1', assurance: 'code' });
  assert.equal(car.status().connector?.connectorId, 'station/1/1');
  await assert.rejects(other.plugCode(code, '1'), { code: 'connector_taken' });
  const gone = await plugpool(pile.dataDir, 'connectors', 'code', '1');
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /no code is wanted at station\/1\/1 now/);
  await addEcho({ ask: (verb, args) => pile.control(verb, args) });
  const asker = await connectRequester({
    agent: pile.url,
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
  });
  t.after(() => asker.close());
  const task = await asker.request({ algorithm: 'echo', input: Buffer.from('hello') });
  const result = await task.result;
  assert.equal(result.donor, 'car');
});

test('a code that is given while no pile is connected says so', async (t) => {
  const donor = await startDonor(donorOptions('mqtt://127.0.0.1:1', newDirectory(t)));
  t.after(() => donor.stop());
  await assert.rejects(donor.plugCode('123456'), { code: 'no_answer', retryable: true });
});
