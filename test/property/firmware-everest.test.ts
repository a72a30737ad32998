/** Whatever EVerest's broker carries, in whatever order, with links cut and clocks jumping: nothing throws, and the order holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EVSE_STATES, SESSION_EVENTS } from '../../firmware-bridge/everest/decode.ts';
import { EverestStory } from '../../firmware-bridge/everest/everest-story.ts';
import type { FirmwareEvent } from '../../firmware-bridge/index.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';
import { RECORDING_OPTIONS } from '../conformance/firmware-stories.ts';
import { CONTRACT_TOKEN, EVCCID, RFID_TOKEN } from '../everest/simulated-everest.ts';

const TOPIC = 'everest_api/1/evse_manager_consumer/m/e2m';
const AUTH = 'everest_api/1/auth_consumer/auth/e2m/token_validation_status';

type Action =
  | { readonly act: 'hear'; readonly topic: string; readonly payload: string; readonly afterMs: number }
  | { readonly act: 'cut' | 'tick'; readonly afterMs: number };

const time = fc.integer({ min: 0, max: 4_102_444_800_000 }).map((ms) => new Date(ms).toISOString());
const token = fc.constantFrom(RFID_TOKEN, CONTRACT_TOKEN, {}, 'x');
const meter = fc.record({
  timestamp: time,
  energy_Wh_import: fc.record({ total: fc.double() }),
  power_W: fc.record({ total: fc.double() }),
});
const started = fc.record({
  reason: fc.constantFrom('EVConnected', 'Authorized'),
  id_tag: token,
  meter_value: meter,
});

const sessionEvent = fc.record(
  {
    uuid: fc.constantFrom('a', 'b', 'c'),
    timestamp: time,
    event: fc.constantFrom(...SESSION_EVENTS),
    session_started: started,
    transaction_started: started,
    transaction_finished: fc.record({
      reason: fc.constantFrom('Local', 'EVDisconnected'),
      meter_value: meter,
    }),
  },
  { requiredKeys: ['uuid', 'timestamp', 'event'] },
);
const sessionInfo = fc.record(
  {
    state: fc.constantFrom(...EVSE_STATES),
    timestamp: time,
    transaction_duration_s: fc.nat(),
    session_start_time: fc.constantFrom('2026-03-01T08:00:00Z', '2026-03-01T09:00:00Z'),
  },
  { requiredKeys: ['state', 'timestamp'] },
);
const evInfo = fc.record(
  {
    soc: fc.double(),
    estimated_time_full: time,
    departure_time: time,
    evcc_id: fc.constantFrom(EVCCID, 'XX', ''),
  },
  { requiredKeys: [] },
);

const said: fc.Arbitrary<readonly [name: string, payload: unknown]> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('session_event'), sessionEvent) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('session_info'), sessionInfo) },
  fc.tuple(fc.constant('ev_info'), evInfo),
  fc.tuple(fc.constant('powermeter'), meter),
  fc.tuple(fc.constant('heartbeat'), fc.integer()),
  fc.tuple(fc.constant('get_evse/x'), fc.record({ id: fc.constantFrom(1, 2) })),
  fc.tuple(
    fc.constantFrom('session_event', 'session_info', 'ev_info', 'powermeter'),
    fc.anything({ maxDepth: 3 }),
  ),
);

const afterMs = fc.constantFrom(0, 1, 400, 1_000, 6_000);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .record({
        act: fc.constant('hear' as const),
        message: said,
        afterMs,
      })
      .map(({ act, message: [name, payload], afterMs: after }) => ({
        act,
        topic: `${TOPIC}/${name}`,
        payload: String(JSON.stringify(payload)),
        afterMs: after,
      })),
  },
  fc.record({
    act: fc.constant('hear' as const),
    topic: fc.constant(AUTH),
    payload: fc
      .record({ token, status: fc.constantFrom('Accepted', 'Rejected') })
      .map((status) => JSON.stringify(status)),
    afterMs,
  }),
  fc.record({ act: fc.constant('hear' as const), topic: fc.string(), payload: fc.string(), afterMs }),
  fc.record({ act: fc.constantFrom('cut' as const, 'tick' as const), afterMs }),
);

test('any messages at all keep the order of the port, and none throws', () => {
  let events = 0;
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const story = new EverestStory({ silentAfterMs: 5_000, pseudonymize: RECORDING_OPTIONS.pseudonymize });
      let nowMs = 1_000_000;
      story.add({ connectorId: 'pile/1/1' as never, module: 'm' }, { monoMs: nowMs, wallMs: nowMs });
      const order = new FirmwareOrder();
      for (const one of actions) {
        nowMs += one.afterMs;
        const told = perform(story, one, { monoMs: nowMs, wallMs: nowMs });
        events += told.length;
        assert.deepEqual(
          told.flatMap((event) => order.see(event)),
          [],
        );
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(events > 1_000, `${events} events`);
});

function perform(
  story: EverestStory,
  one: Action,
  now: { monoMs: number; wallMs: number },
): readonly FirmwareEvent[] {
  if (one.act === 'hear') return story.hear(one.topic, Buffer.from(one.payload), now).events;
  if (one.act === 'tick') return story.tick(now);
  const told = story.disconnected('cut', now);
  story.connected(now);
  return told;
}
