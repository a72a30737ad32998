/** A whole pile on EVerest: a real broker in its place, the agent and its vehicles as processes; a task moves, the broker dies, then the agent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stage } from '../../scripts/stage.ts';
import { openLiveEverest } from '../everest/live-everest.ts';
import { NO_MOSQUITTO, openMosquitto } from '../everest/mosquitto.ts';
import { CONTRACT_TOKEN, RFID_TOKEN } from '../everest/simulated-everest.ts';
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
const TOKENS = [RFID_TOKEN, CONTRACT_TOKEN];
const VEHICLES = ['first', 'second'];

interface ConnectorDocument {
  readonly connectorId: string;
  readonly state: string;
  readonly verified: boolean;
  readonly vehicleId: string | null;
}

async function connectorsOf(stage: Stage): Promise<readonly ConnectorDocument[]> {
  return (await stage.ask('connectors')) as readonly ConnectorDocument[];
}

async function untilConnector(
  stage: Stage,
  index: number,
  what: string,
  isSo: (one: ConnectorDocument) => boolean,
) {
  await stage.until(what, async () => {
    const found = (await connectorsOf(stage)).find(({ connectorId }) => connectorId.endsWith(`/${index}/1`));
    return found !== undefined && isSo(found);
  });
}

test(
  'EVerest drives donors from plugged to unplugged: a task moves off the one that leaves, a dead broker verifies nobody, a new agent knows who is there',
  { skip: NO_MOSQUITTO },
  async (t) => {
    const broker = await openMosquitto(t);
    const everest = await openLiveEverest(broker.url, VEHICLES.length);
    t.after(() => everest.stop());
    const stage = openStage(t, {
      policy: { lease: '3s', revokeGrace: '100ms', trust: { after: 0 } },
      firmware: [
        {
          kind: 'everest',
          broker: broker.url,
          evses: [
            { connector: '1', module: 'evse_1_api' },
            { connector: '2', module: 'evse_2_api' },
          ],
          auth: 'auth_api',
        },
      ],
    });
    await stage.startAgent();
    await addProgram(stage, 'copies', computesThenCopies(ROUNDS));
    await stage.ask('bind', { vehicleId: 'first', kind: 'idToken', value: RFID_TOKEN.id_token.value });
    await stage.ask('bind', { vehicleId: 'second', kind: 'emaid', value: CONTRACT_TOKEN.id_token.value });
    assert.equal((await everest.hears('communication_check')).payload, true);

    for (const [index, evse] of everest.evses.entries()) {
      evse.plugIn();
      evse.authorise(TOKENS[index]);
      evse.charge();
      stage.startDonor(VEHICLES[index] ?? '', LENDS_ALL);
    }
    await untilLending(stage, VEHICLES.length);

    const asker = await connectAs(t, stage, 'asker', stage.vehicleDir('asker'));
    const task = await asker.request({ algorithm: 'copies', input: Buffer.from('as it was') });
    let runner = '';
    await stage.until('it to run', async () => {
      const { donor } = (await stage.ask('task', { taskId: task.taskId })) as { donor: string | null };
      runner = donor ?? '';
      return runner !== '';
    });
    const left = VEHICLES.indexOf(runner);
    const stays = 1 - left;
    everest.evses[left]?.unplug();
    const { output } = await task.result;
    assert.equal(Buffer.from(output).toString(), 'as it was');
    const { history } = (await stage.ask('task', { taskId: task.taskId })) as {
      history: readonly { vehicleId: string; outcome: string }[];
    };
    assert.deepEqual(
      history.map(({ vehicleId, outcome }) => [vehicleId, outcome]),
      [
        [runner, 'departed'],
        [VEHICLES[stays], 'completed'],
      ],
    );
    await untilConnector(
      stage,
      left + 1,
      'the one that left to be gone',
      ({ state }) => state === 'unplugged',
    );

    await broker.kill();
    await untilConnector(stage, stays + 1, 'the lost link to be noticed', ({ verified }) => !verified);
    await untilLending(stage, 0);
    await broker.start();
    await untilConnector(stage, stays + 1, 'the connector to be stated anew', (one) => {
      return one.verified && one.state === 'charging' && one.vehicleId === VEHICLES[stays];
    });
    await untilLending(stage, 1);

    await stage.killAgent();
    await stage.startAgent();
    await untilLending(stage, 1);
  },
);
