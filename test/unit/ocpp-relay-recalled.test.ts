/** What the relay remembers of a pile: the frames that make up its present state, bounded, and who may come in how often. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { AttemptLimit } from '../../firmware-bridge/ocpp/relay/attempt-limit.ts';
import { headOf } from '../../firmware-bridge/ocpp/relay/frame-head.ts';
import {
  ATTEMPT_EVERY_MS,
  ATTEMPTS_AT_ONCE,
  RECALLED_CHARS_MAX,
  RECALLED_FRAME_CHARS_MAX,
  RECALLED_SLOTS_MAX,
} from '../../firmware-bridge/ocpp/relay/limits.ts';
import { RecalledFrames } from '../../firmware-bridge/ocpp/relay/recalled-frames.ts';

class Scene {
  readonly recalled = new RecalledFrames();
  #ids = 0;

  /** What is remembered, in short: the action and some word of it. */
  words(): string[] {
    return this.recalled.frames().map(({ text }) => {
      const frame = JSON.parse(text) as [number, string, string, unknown];
      return frame[0] === 2
        ? `${frame[2]} ${JSON.stringify(frame[3])}`
        : `answer ${JSON.stringify(frame[2])}`;
    });
  }

  call(action: string, payload: object, answer: object | null = {}): void {
    this.#ids += 1;
    this.note('pile', [2, String(this.#ids), action, payload]);
    if (answer !== null) this.note('csms', [3, String(this.#ids), answer]);
  }

  note(from: 'pile' | 'csms', frame: unknown): void {
    const text = JSON.stringify(frame);
    this.recalled.note({ from, atWallMs: 0, text }, headOf(text));
  }
}

test('1.6: the last status, the open transaction with its answer, the last meter values, what was accepted', () => {
  const scene = new Scene();
  scene.call('BootNotification', { v: 0 }, { status: 'Pending' });
  scene.call('BootNotification', { v: 1 }, { status: 'Accepted' });
  scene.call('Authorize', { idTag: 'NO' }, { idTagInfo: { status: 'Invalid' } });
  scene.call('Authorize', { idTag: 'YES' }, { idTagInfo: { status: 'Accepted' } });
  scene.call('StatusNotification', { connectorId: 1, status: 'Preparing' });
  scene.call('StatusNotification', { connectorId: 2, status: 'Available' });
  scene.call('StartTransaction', { connectorId: 1 }, { transactionId: 7 });
  scene.call('StatusNotification', { connectorId: 1, status: 'Charging' });
  scene.call('MeterValues', { connectorId: 1, transactionId: 7, n: 1 });
  scene.call('Heartbeat', {});
  scene.call('MeterValues', { connectorId: 1, transactionId: 7, n: 2 });
  assert.deepEqual(
    scene.words().filter((word) => word !== 'answer {}'),
    [
      'BootNotification {"v":1}',
      'answer {"status":"Accepted"}',
      'Authorize {"idTag":"YES"}',
      'answer {"idTagInfo":{"status":"Accepted"}}',
      'StatusNotification {"connectorId":2,"status":"Available"}',
      'StartTransaction {"connectorId":1}',
      'answer {"transactionId":7}',
      'StatusNotification {"connectorId":1,"status":"Charging"}',
      'MeterValues {"connectorId":1,"transactionId":7,"n":2}',
    ],
  );
});

test('1.6: a stop ends its transaction, and a free connector ends one that never was stopped', () => {
  const stopped = new Scene();
  stopped.call('StartTransaction', { connectorId: 1 }, { transactionId: 7 });
  stopped.call('MeterValues', { connectorId: 1, transactionId: 7 });
  stopped.call('StartTransaction', { connectorId: 2 }, { transactionId: 8 });
  stopped.call('StopTransaction', { transactionId: 7 });
  assert.deepEqual(stopped.words(), ['StartTransaction {"connectorId":2}', 'answer {"transactionId":8}']);

  const left = new Scene();
  left.call('StartTransaction', { connectorId: 1 }, { transactionId: 7 });
  left.call('StatusNotification', { connectorId: 1, status: 'Available' }, null);
  assert.deepEqual(left.words(), ['StatusNotification {"connectorId":1,"status":"Available"}']);
});

test('2.0.1: the last event that told each fact of an open transaction, and the vehicle’s needs', () => {
  const scene = new Scene();
  const event = (eventType: string, more: object, info: object = {}) =>
    scene.call(
      'TransactionEvent',
      { eventType, transactionInfo: { transactionId: 'T', ...info }, ...more },
      null,
    );
  event('Started', { evse: { id: 1, connectorId: 1 } });
  event('Updated', { n: 1, idToken: { idToken: 'A' } });
  event('Updated', { n: 2 }, { chargingState: 'Charging' });
  event('Updated', { n: 3, meterValue: [] });
  event('Updated', { n: 4 });
  event('Updated', { n: 5, meterValue: [] });
  scene.call('NotifyEVChargingNeeds', { evseId: 1 }, null);
  const numbers = scene.recalled
    .frames()
    .map(({ text }) => /"n":(\d)/.exec(text)?.[1] ?? /Started|Needs/.exec(text)?.[0]);
  assert.deepEqual(numbers, ['Started', '1', '2', '5', 'Needs']);
  scene.call('StatusNotification', { evseId: 1, connectorId: 1, connectorStatus: 'Available' }, null);
  assert.equal(scene.recalled.frames().length, 1);

  event('Started', { evse: { id: 1, connectorId: 1 } });
  event('Ended', {});
  assert.equal(scene.recalled.frames().length, 1);
});

test('what the CSMS allows at the pile, and what it takes back, in their order', () => {
  const scene = new Scene();
  const set = (connectorId: number, stackLevel: number, limit: number) => {
    const csChargingProfiles = { chargingProfilePurpose: 'TxDefaultProfile', stackLevel, limit };
    scene.note('csms', [2, 's', 'SetChargingProfile', { connectorId, csChargingProfiles }]);
  };
  set(1, 0, 16);
  set(2, 0, 16);
  set(1, 0, 8);
  scene.note('csms', [2, 'c', 'ClearChargingProfile', { connectorId: 2 }]);
  scene.note('csms', [2, 'r', 'Reset', { type: 'Soft' }]);
  scene.call('StatusNotification', { connectorId: 1, status: 'Available' }, null);
  assert.deepEqual(
    scene.recalled.frames().map(({ text }) => /"limit":\d+|Clear|Status/.exec(text)?.[0]),
    ['"limit":16', '"limit":8', 'Clear', 'Status'],
  );
});

test('whatever a pile says, what is remembered stays within its bounds', () => {
  const action = fc.constantFrom(
    'StatusNotification',
    'MeterValues',
    'TransactionEvent',
    'StartTransaction',
    'Authorize',
    'X',
  );
  const payload = fc.oneof(
    fc.jsonValue(),
    fc.record({
      connectorId: fc.oneof(fc.nat(500), fc.jsonValue()),
      evse: fc.jsonValue(),
      eventType: fc.constantFrom('Started', 'Updated'),
      transactionInfo: fc.record({ transactionId: fc.oneof(fc.nat(500), fc.jsonValue()) }),
      meterValue: fc
        .integer({ min: 0, max: RECALLED_FRAME_CHARS_MAX + 100 })
        .map((length) => 'x'.repeat(length)),
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(action, payload, fc.jsonValue()), { maxLength: 100 }), (calls) => {
      const scene = new Scene();
      for (const [name, about, answer] of calls) {
        scene.call(name, about as object, answer as object);
        const frames = scene.recalled.frames();
        assert.ok(frames.length <= 2 * RECALLED_SLOTS_MAX);
        assert.ok(frames.reduce((sum, { text }) => sum + text.length, 0) <= RECALLED_CHARS_MAX);
      }
    }),
    { numRuns: 60 },
  );
});

test('frames that are none are no trouble', () => {
  const scene = new Scene();
  for (const frame of [
    null,
    {},
    [],
    [2, 'a', 'StatusNotification'],
    [2, 'a', 'StatusNotification', null],
    [3, 'a'],
    [4, 'a', 'x'],
  ])
    for (const from of ['pile', 'csms'] as const) scene.note(from, frame);
  assert.ok(scene.recalled.frames().length <= 2);
});

test('who tries too often waits for as long as it is told, and then comes in', () => {
  const limit = new AttemptLimit();
  for (let attempt = 0; attempt < ATTEMPTS_AT_ONCE; attempt += 1) assert.equal(limit.waitMs('a', 0), 0);
  assert.equal(limit.waitMs('a', 0), ATTEMPT_EVERY_MS);
  assert.equal(limit.waitMs('b', 0), 0, 'another one is not concerned');
  // Ten a second for a while: refusals do not put the next chance off.
  for (let nowMs = 100; nowMs < ATTEMPT_EVERY_MS; nowMs += 100)
    assert.ok(Math.abs(limit.waitMs('a', nowMs) - (ATTEMPT_EVERY_MS - nowMs)) <= 1);
  assert.equal(limit.waitMs('a', ATTEMPT_EVERY_MS + 1), 0);
  assert.ok(limit.waitMs('a', ATTEMPT_EVERY_MS + 1) > 0);
});
