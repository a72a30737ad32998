/** What is done in EVerest: only what is switched on, in a form that expires, with an outcome that says what became of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEverestFirmware, FirmwareError } from '../../firmware-bridge/index.ts';
import { RECORDING_OPTIONS } from '../conformance/firmware-stories.ts';
import { openControlScene } from '../everest/control-scene.ts';

const CONNECTOR = 'pile/1/1' as never;
const CAP = { powerMw: 7_400_000, forMs: 120_000 };
const RECORD = { id: 'c-1', body: '{"energy":1}', signature: 'c2ln' };
const LIMITS = 'everest_api/1/external_energy_limits_consumer/limits_1_api/m2e/set_external_limits';

type Scene = Awaited<ReturnType<typeof openControlScene>>;

function sentTo(scene: Scene, topic: string): readonly unknown[] {
  return scene.link.published.filter((message) => message.topic === topic).map(({ payload }) => payload);
}

function codeOf(outcome: unknown): string {
  const { ok, code } = outcome as { readonly ok: boolean; readonly code?: string };
  return ok ? 'ok' : (code ?? '');
}

/** The peer behind a request answers this, or nothing. */
function answering(scene: Scene, payload: unknown): void {
  scene.link.answer = (_topic, message) => {
    const { headers } = message as { readonly headers?: { readonly replyTo: string } };
    if (headers !== undefined && payload !== undefined)
      scene.link.deliver(headers.replyTo, typeof payload === 'string' ? payload : JSON.stringify(payload));
  };
}

test('an adapter that nothing was switched on for can do nothing', async () => {
  const { adapter } = await openControlScene({ allow: [] });
  assert.equal(adapter.control, undefined);
});

test('a cap begins now and is lifted by the schedule itself, by EVerest’s own clock', async () => {
  const scene = await openControlScene();
  scene.everest.plugIn();
  assert.deepEqual(await scene.adapter.control?.setCap(CONNECTOR, CAP), { ok: true });
  const nowMs = scene.clock.nowWallMs();
  assert.deepEqual(sentTo(scene, LIMITS), [
    {
      schedule_import: [
        {
          timestamp: new Date(nowMs).toISOString(),
          limits_to_root: {},
          limits_to_leaves: { total_power_W: { value: 7_400, source: 'plugpool' } },
        },
        { timestamp: new Date(nowMs + 120_000).toISOString(), limits_to_root: {}, limits_to_leaves: {} },
      ],
      schedule_export: [],
      schedule_setpoints: [],
    },
  ]);
});

test('a meter whose clock is an hour ahead delays no cap', async () => {
  const scene = await openControlScene();
  scene.everest.plugIn();
  const timestamp = new Date(scene.clock.nowWallMs() + 3_600_000).toISOString();
  const meter = JSON.stringify({ timestamp, energy_Wh_import: { total: 12_000 } });
  scene.link.deliver('everest_api/1/evse_manager_consumer/evse_1_api/e2m/powermeter', meter);
  assert.equal(scene.events.at(-1)?.kind, 'meter');
  await scene.adapter.control?.setCap(CONNECTOR, CAP);
  const [limits] = sentTo(scene, LIMITS) as readonly { schedule_import: readonly { timestamp: string }[] }[];
  assert.equal(limits?.schedule_import[0]?.timestamp, new Date(scene.clock.nowWallMs()).toISOString());
});

test('a cap that is cleared, and one that holds when the adapter stops, is lifted at once', async () => {
  const scene = await openControlScene();
  const none = { schedule_import: [], schedule_export: [], schedule_setpoints: [] };
  await scene.adapter.control?.setCap(CONNECTOR, CAP);
  assert.deepEqual(await scene.adapter.control?.clearCap(CONNECTOR), { ok: true });
  assert.deepEqual(sentTo(scene, LIMITS).at(-1), none);
  await scene.adapter.control?.setCap(CONNECTOR, CAP);
  await scene.adapter.stop();
  assert.equal(sentTo(scene, LIMITS).length, 4);
  assert.deepEqual(sentTo(scene, LIMITS).at(-1), none);
});

test('a cap is lifted by a stop also where the agent had ended the listening before', async () => {
  const scene = await openControlScene();
  await scene.adapter.control?.setCap(CONNECTOR, CAP);
  scene.abort.abort();
  await scene.adapter.stop();
  assert.equal(sentTo(scene, LIMITS).length, 2);
});

test('a cap under which the vehicle would stop charging is refused', async () => {
  const scene = await openControlScene();
  scene.everest.sayHardware();
  const low = { ...CAP, powerMw: 1_379_000 };
  assert.equal(codeOf(await scene.adapter.control?.setCap(CONNECTOR, low)), 'refused');
  assert.deepEqual(sentTo(scene, LIMITS), []);
  assert.equal(codeOf(await scene.adapter.control?.setCap(CONNECTOR, { ...CAP, powerMw: 1_380_000 })), 'ok');
});

test('what is not switched on, not named, not there or not reached says which', async () => {
  const scene = await openControlScene({ allow: ['text'], displayModule: undefined });
  const control = scene.adapter.control;
  assert.equal(codeOf(await control?.setCap(CONNECTOR, CAP)), 'not_enabled');
  assert.equal(codeOf(await control?.sendCredit(CONNECTOR, RECORD)), 'not_enabled');
  assert.equal(codeOf(await control?.showText(CONNECTOR, 'x', 1_000)), 'unsupported');
  const other = await openControlScene({ evses: [{ connector: '1', module: 'evse_1_api' }] });
  assert.equal(codeOf(await other.adapter.control?.setCap(CONNECTOR, CAP)), 'unsupported');
  assert.equal(codeOf(await other.adapter.control?.setCap('pile/9/1' as never, CAP)), 'unknown_connector');
  other.link.down('cut');
  assert.equal(codeOf(await other.adapter.control?.setCap(CONNECTOR, CAP)), 'link_lost');
  await other.adapter.stop();
  assert.equal(codeOf(await other.adapter.control?.clearCap(CONNECTOR)), 'link_lost');
});

test('a cap that the broker does not acknowledge has no answer', async () => {
  const scene = await openControlScene();
  scene.link.acknowledges = false;
  assert.equal(codeOf(await scene.adapter.control?.setCap(CONNECTOR, CAP)), 'no_answer');
});

const ANSWERS: readonly (readonly [answer: unknown, code: string])[] = [
  [{ status: 'Accepted' }, 'ok'],
  [{ status: 'Rejected' }, 'refused'],
  [{ status: 'UnknownVendorId' }, 'unsupported'],
  [{ status: 'UnknownMessageId' }, 'unsupported'],
  [{ status: 'Offline' }, 'link_lost'],
  [{ status: 'Perhaps' }, 'no_answer'],
  ['{"status":', 'no_answer'],
  [[], 'no_answer'],
];

for (const [answer, code] of ANSWERS) {
  test(`a record of credit that is answered ${JSON.stringify(answer)} is ${code}`, async () => {
    const scene = await openControlScene();
    answering(scene, answer);
    assert.equal(codeOf(await scene.adapter.control?.sendCredit(CONNECTOR, RECORD)), code);
    const [sent] = sentTo(scene, 'everest_api/1/ocpp_consumer/ocpp_api/m2e/data_transfer_outgoing');
    const { payload } = sent as { readonly payload: { readonly vendor_id: string; readonly data: string } };
    assert.equal(payload.vendor_id, 'org.example');
    assert.deepEqual(JSON.parse(payload.data), RECORD);
  });
}

test('a record that nobody answers ends in time, and so does one whose link is lost', async () => {
  const scene = await openControlScene();
  const unanswered = scene.adapter.control?.sendCredit(CONNECTOR, RECORD);
  await Promise.resolve();
  scene.clock.advance(10_000);
  assert.equal(codeOf(await unanswered), 'no_answer');
  const cut = scene.adapter.control?.sendCredit(CONNECTOR, RECORD);
  await Promise.resolve();
  scene.link.down('cut');
  assert.equal(codeOf(await cut), 'no_answer');
});

test('an answer to a request that nobody made, or a second one, changes nothing', async () => {
  const scene = await openControlScene();
  const topics: string[] = [];
  scene.link.answer = (_topic, message) => {
    const { headers } = message as { readonly headers?: { readonly replyTo: string } };
    if (headers !== undefined) topics.push(headers.replyTo);
  };
  const asked = scene.adapter.control?.sendCredit(CONNECTOR, RECORD);
  await Promise.resolve();
  const [replyTo = ''] = topics;
  scene.link.deliver(`${replyTo}0`, '{"status":"Accepted"}');
  scene.link.deliver(replyTo, '{"status":"Rejected"}');
  scene.link.deliver(replyTo, '{"status":"Accepted"}');
  assert.equal(codeOf(await asked), 'refused');
});

test('a text goes to the display as EVerest would send it, one for each EVSE, and goes away by itself', async () => {
  const scene = await openControlScene();
  answering(scene, { status: 'Accepted' });
  assert.equal(codeOf(await scene.adapter.control?.showText(CONNECTOR, 'Code: 4711', 60_000)), 'ok');
  const [sent] = sentTo(scene, 'everest_api/1/display_message/display_api/e2m/set_display_message');
  const { payload } = sent as { readonly payload: readonly unknown[] };
  assert.deepEqual(payload, [
    {
      id: 900_000_000,
      priority: 'InFront',
      timestamp_to: new Date(scene.clock.nowWallMs() + 60_000).toISOString(),
      message: { format: 'UTF8', content: 'Code: 4711' },
    },
  ]);
  answering(scene, { status: 'NotSupportedPriority' });
  assert.equal(codeOf(await scene.adapter.control?.showText(CONNECTOR, 'x', 1)), 'refused');
  assert.equal(codeOf(await scene.adapter.control?.showText(CONNECTOR, 'x'.repeat(513), 1)), 'refused');
});

test('every module that is spoken to hears that we live, as often as was said', async () => {
  const scene = await openControlScene();
  scene.clock.advance(4_000);
  for (const topic of [
    'evse_manager_consumer/evse_1_api',
    'auth_consumer/auth_api',
    'external_energy_limits_consumer/limits_1_api',
    'ocpp_consumer/ocpp_api',
  ])
    assert.deepEqual(
      sentTo(scene, `everest_api/1/${topic}/m2e/communication_check`),
      [true, true, true],
      topic,
    );
  await scene.adapter.stop();
  const count = scene.link.published.length;
  scene.clock.advance(60_000);
  assert.equal(scene.link.published.length, count);
  assert.equal(scene.clock.pendingTimers, 0);
});

test('a message that the broker kept is of any age, and is not believed', async () => {
  const scene = await openControlScene();
  const issues: string[] = [];
  const other = await openControlScene({ report: ({ kind }) => issues.push(kind) });
  const info = JSON.stringify({ state: 'Charging', timestamp: '2026-03-01T08:00:00Z' });
  other.link.deliver('everest_api/1/evse_manager_consumer/evse_1_api/e2m/session_info', info, true);
  assert.deepEqual(other.events, []);
  assert.deepEqual(issues, ['link_up', 'retained_ignored']);
  await scene.adapter.stop();
});

const REFUSED: readonly (readonly [what: string, over: object])[] = [
  ['an address that is none', { broker: 'localhost' }],
  ['an address with a password in it', { broker: 'mqtt://a:b@localhost' }],
  ['an address of another protocol', { broker: 'http://localhost:1883' }],
  ['no EVSE', { evses: [] }],
  [
    'a module twice',
    {
      evses: [
        { connector: '1', module: 'a' },
        { connector: '2', module: 'a' },
      ],
    },
  ],
  [
    'a connector twice',
    {
      evses: [
        { connector: '1', module: 'a' },
        { connector: '1/1', module: 'b' },
      ],
    },
  ],
  ['a module with a wildcard', { evses: [{ connector: '1', module: '+' }] }],
  ['a module with a slash', { authModule: 'a/b' }],
  ['a time of nothing', { silentAfterMs: 0 }],
];

for (const [what, over] of REFUSED) {
  test(`${what} is refused with a hint`, () => {
    const options = {
      ...RECORDING_OPTIONS,
      broker: 'mqtt://127.0.0.1:1883',
      evses: [{ connector: '1', module: 'a' }],
      communicationCheckEveryMs: 2_000,
      silentAfterMs: 5_000,
      ...over,
    };
    assert.throws(
      () => createEverestFirmware(options),
      (error) => error instanceof FirmwareError && error.code === 'invalid_argument' && error.hint.length > 5,
    );
  });
}
