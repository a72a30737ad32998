/** Piles of both OCPP versions behind a relay drive real donors: a task moves each time its vehicle leaves; then the CSMS is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stage } from '../../scripts/stage.ts';
import { acceptsAll, openPile16, openPile201 } from './ocpp-live-piles.ts';
import { startCsms, startRelay } from './ocpp-relay-scene.ts';
import {
  addProgram,
  computesThenCopies,
  connectAs,
  LENDS_ALL,
  openStage,
  untilLending,
} from './spine-scene.ts';

/** About two seconds of one core. */
const ROUNDS = 200_000_000;

interface TaskDocument {
  readonly donor: string | null;
  readonly history: readonly { readonly vehicleId: string; readonly outcome: string }[];
}

interface ConnectorDocument {
  readonly connectorId: string;
  readonly state: string;
  readonly verified: boolean;
  readonly vehicleId: string | null;
}

async function untilConnector(
  stage: Stage,
  connectorId: string,
  what: string,
  isSo: (one: ConnectorDocument) => boolean,
): Promise<void> {
  await stage.until(what, async () => {
    const found = (await stage.ask('connectors')) as readonly ConnectorDocument[];
    return found.some((one) => one.connectorId === connectorId && isSo(one));
  });
}

/** Who runs it, once somebody but `left` does. */
async function runnerOf(stage: Stage, taskId: string, left: string): Promise<string> {
  let runner = '';
  await stage.until('it to run', async () => {
    const { donor } = (await stage.ask('task', { taskId })) as TaskDocument;
    runner = donor ?? '';
    return runner !== '' && runner !== left;
  });
  return runner;
}

test('piles of both versions drive donors from plugged to unplugged, and a task moves off each that leaves', async (t) => {
  const csms = await startCsms(t, { answer: acceptsAll() });
  const relay = await startRelay(t, csms);
  const stage = openStage(t, {
    policy: { lease: '3s', revokeGrace: '100ms', trust: { after: 0 } },
    firmware: [{ kind: 'ocpp', tap: relay.tapPath, stations: { CP16: 'north' } }],
  });
  await stage.startAgent();
  await addProgram(stage, 'copies', computesThenCopies(ROUNDS));
  const piles = {
    first: { ...(await openPile16(t, relay.url, 'CP16')), connectorId: 'north/1/1' },
    second: await openPile201(t, relay.url, 'CP201'),
  };
  for (const [vehicleId, pile] of Object.entries(piles)) {
    await stage.ask('bind', { vehicleId, kind: 'idToken', value: `CARD-${vehicleId}` });
    await pile.charge(`CARD-${vehicleId}`);
    stage.startDonor(vehicleId, LENDS_ALL);
  }
  await untilLending(stage, 2);

  const asker = await connectAs(t, stage, 'asker', stage.vehicleDir('asker'));
  const task = await asker.request({ algorithm: 'copies', input: Buffer.from('as it was') });
  const first = (await runnerOf(stage, task.taskId, '')) as keyof typeof piles;
  await piles[first].unplug();
  const second = (await runnerOf(stage, task.taskId, first)) as keyof typeof piles;
  await untilConnector(
    stage,
    piles[first].connectorId,
    'it to be gone',
    ({ state }) => state === 'unplugged',
  );
  await piles[first].charge(`CARD-${first}`);
  await untilLending(stage, 2);
  await piles[second].unplug();
  const { output } = await task.result;
  assert.equal(Buffer.from(output).toString(), 'as it was');
  const { history } = (await stage.ask('task', { taskId: task.taskId })) as TaskDocument;
  assert.deepEqual(
    history.map(({ vehicleId, outcome }) => [vehicleId, outcome]),
    [
      [first, 'departed'],
      [second, 'departed'],
      [first, 'completed'],
    ],
  );

  // The pile's own connection breaks: nobody knows who stands there, until the pile says it.
  await piles[first].peer.close({ force: true });
  await untilConnector(
    stage,
    piles[first].connectorId,
    'the lost link to be noticed',
    (one) => !one.verified,
  );
  await untilLending(stage, 0);
});
