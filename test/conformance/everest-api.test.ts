/** Every message of ours is one of EVerest's API, by its own AsyncAPI files; and what they allow, we understand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeEverest } from '../../firmware-bridge/everest/decode.ts';
import { EverestApiSchemas } from '../everest/api-schemas.ts';
import { openControlScene } from '../everest/control-scene.ts';
import {
  CONTRACT_TOKEN,
  EVCCID,
  RFID_TOKEN,
  SimulatedEverest,
  type PublishedMessage,
} from '../everest/simulated-everest.ts';
import { sharedData } from '../shared-data.ts';
import { RECORDING_OPTIONS } from './firmware-stories.ts';

const folder = sharedData('firmware/everest-api');
const skip = folder === undefined && 'this machine does not have EVerest’s API files';

const READ = [
  'session_event',
  'session_info',
  'ev_info',
  'powermeter',
  'heartbeat',
  'hw_capabilities',
  'evse_id',
].map((name) => `everest_api/1/evse_manager_consumer/evse_1_api/e2m/${name}`);
READ.push(
  'everest_api/1/evse_manager_consumer/evse_1_api/e2m/get_evse/plugpool',
  'everest_api/1/auth_consumer/auth_api/e2m/token_validation_status',
);

/** What the simulated EVSE of our tests says in a stay with all that can happen there. */
function simulated(): readonly PublishedMessage[] {
  const said: PublishedMessage[] = [];
  const everest = new SimulatedEverest({
    nowWallMs: () => Date.UTC(2026, 2, 1),
    publish: (message) => said.push(message),
  });
  for (const token of [RFID_TOKEN, CONTRACT_TOKEN]) {
    everest.sayHardware();
    everest.sayName('DE*ABC*E123*1');
    everest.answerEvse('everest_api/1/evse_manager_consumer/evse_1_api/e2m/get_evse/plugpool');
    everest.plugIn();
    for (const status of [
      'Processing',
      'Accepted',
      'Rejected',
      'TimedOut',
      'Withdrawn',
      'UsedToStart',
      'UsedToStop',
    ])
      everest.showToken(token, status);
    everest.authorise(token);
    everest.charge();
    everest.sayVehicle({ soc: 41.5, fullInMs: 1_000, departsInMs: 2_000, evccid: EVCCID });
    everest.everySecond();
    everest.pauseByVehicle();
    everest.pauseByStation();
    everest.charge();
    if (token === RFID_TOKEN) everest.stopCharging('Local', 'OCMF|{}|{}');
    everest.unplug();
  }
  return said;
}

function recorded(name: string): readonly PublishedMessage[] {
  const text = readFileSync(join(import.meta.dirname, 'recordings', name), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PublishedMessage);
}

async function sentByUs(): Promise<readonly PublishedMessage[]> {
  const { adapter, clock, link } = await openControlScene();
  link.answer = (topic, message) => {
    const { headers } = message as { readonly headers?: { readonly replyTo: string } };
    if (headers !== undefined) link.deliver(headers.replyTo, JSON.stringify({ status: 'Accepted' }), false);
    assert.ok(topic.startsWith('everest_api/1/'));
  };
  clock.advance(2_000);
  const connectorId = 'pile/1/1' as never;
  const outcomes = [
    await adapter.control?.setCap(connectorId, { powerMw: 7_400_000, forMs: 60_000 }),
    await adapter.control?.clearCap(connectorId),
    await adapter.control?.showText(connectorId, 'Code: 4711', 60_000),
    await adapter.control?.sendCredit(connectorId, { id: 'c-1', body: '{"a":1}', signature: 'c2lnbmVk' }),
  ];
  assert.deepEqual(outcomes, [{ ok: true }, { ok: true }, { ok: true }, { ok: true }]);
  await adapter.stop();
  return link.published;
}

describe('EVerest’s API files', { skip }, () => {
  const schemas = skip === false ? new EverestApiSchemas(folder ?? '') : undefined;
  const valid = (messages: readonly PublishedMessage[]): void => {
    assert.ok(messages.length > 0);
    assert.deepEqual(
      messages.flatMap(({ topic, payload }) => schemas?.problem(topic, payload) ?? []),
      [],
    );
  };

  it('hold for every message that our simulated EVSE publishes', () => valid(simulated()));

  for (const name of ['stay.everest.jsonl', 'stay-link-lost.everest.jsonl'])
    it(`hold for every message of ${name}`, () => valid(recorded(name)));

  it('hold for every message that we send', async () => {
    const sent = await sentByUs();
    valid(sent);
    const names = new Set(sent.map(({ topic }) => topic.split('/')[5]));
    const all = [
      'communication_check',
      'get_evse',
      'set_external_limits',
      'set_display_message',
      'data_transfer_outgoing',
    ];
    assert.deepEqual(
      all.filter((name) => !names.has(name)),
      [],
    );
  });

  it('notice a message that breaks them', () => {
    assert.match(schemas?.problem(READ[1] ?? '', { state: 'Gone' }) ?? '', /timestamp/);
    assert.match(schemas?.problem(READ[2] ?? '', { soc: 101 }) ?? '', /soc/);
  });

  for (const topic of READ) {
    it(`allow nothing at ${topic.split('/')[5]} that we would refuse`, () => {
      const made = schemas?.arbitrary(topic) ?? fc.constant(undefined);
      fc.assert(
        fc.property(made, (payload) => {
          assert.equal(schemas?.problem(topic, payload), undefined);
          assertUnderstood(topic, payload);
        }),
        { numRuns: 100 },
      );
      for (const example of schemas?.examples(topic) ?? []) assertUnderstood(topic, example);
    });
  }
});

function assertUnderstood(topic: string, payload: unknown): void {
  const name = topic.split('/')[5] ?? '';
  const { message, problems } = decodeEverest(name, JSON.stringify(payload), RECORDING_OPTIONS.pseudonymize);
  assert.deepEqual(problems, []);
  assert.equal(message?.name, name);
}
