/** What EVerest's messages come to at a connector, message by message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEGAN_MS, charging, eventNow, infoNow, iso, meterNow, StoryScene } from '../everest/story-scene.ts';
import { EVCCID, RFID_TOKEN } from '../everest/simulated-everest.ts';

test('a token that starts a session is no vehicle; its credential is said when one is plugged in', () => {
  const scene = new StoryScene();
  const started = { reason: 'Authorized', meter_value: meterNow(), id_tag: RFID_TOKEN };
  scene.say('session_event', { ...eventNow('SessionStarted', 'u-1'), session_started: started });
  scene.say('session_info', infoNow('Preparing'));
  assert.deepEqual(scene.kinds(), []);
  scene.say('session_event', {
    ...eventNow('TransactionStarted', 'u-1'),
    transaction_started: { id_tag: RFID_TOKEN, meter_value: meterNow() },
  });
  assert.deepEqual(scene.kinds(), ['plugged', 'credential', 'transactionStarted', 'meter']);
});

test('a token whose authorisation times out is not the next vehicle’s', () => {
  const scene = new StoryScene();
  const started = { reason: 'Authorized', meter_value: meterNow(), id_tag: RFID_TOKEN };
  scene.say('session_event', { ...eventNow('SessionStarted', 'u-1'), session_started: started });
  scene.say('session_event', eventNow('SessionFinished', 'u-1'));
  scene.take();
  scene.everest.plugIn();
  assert.deepEqual(scene.kinds(), ['plugged', 'meter']);
});

test('a pulled cable is told with the end of the transaction, before the session is over', () => {
  const scene = charging();
  scene.say('session_event', {
    ...eventNow('TransactionFinished', scene.everest.uuid),
    transaction_finished: { reason: 'EVDisconnected', meter_value: meterNow() },
  });
  assert.deepEqual(scene.kinds(), ['chargingStopped', 'transactionEnded', 'meter', 'unplugged']);
});

test('what is still said of a session whose vehicle left brings no vehicle back', () => {
  const scene = charging();
  const { uuid } = scene.everest;
  scene.everest.unplug();
  scene.take();
  scene.say('session_event', eventNow('StoppingCharging', uuid));
  scene.say('session_event', eventNow('ChargingStarted', uuid));
  scene.say('session_info', infoNow('Charging'));
  scene.say('session_info', infoNow('Unplugged'));
  scene.nowMs += 1_500;
  scene.say('session_info', infoNow('Finished'));
  scene.say('session_info', infoNow('FinishedEV'));
  assert.deepEqual(scene.kinds(), []);
});

test('a session_info that is older than the event before it changes nothing, and is believed a second later', () => {
  const scene = new StoryScene();
  scene.everest.plugIn();
  scene.take();
  scene.say('session_info', infoNow('Unplugged'));
  assert.deepEqual(scene.kinds(), []);
  scene.nowMs += 1_000;
  scene.say('session_info', infoNow('Unplugged'));
  assert.deepEqual(scene.kinds(), ['unplugged']);
});

test('a vehicle that is found is told from session_info alone, its transaction when its id is heard', () => {
  const scene = new StoryScene();
  scene.say('session_info', infoNow('Charging', { transaction_duration_s: 5 }));
  assert.deepEqual(scene.kinds(), ['plugged', 'chargingStarted']);
  scene.say('session_event', eventNow('ChargingPausedEV', 'u-9'));
  assert.deepEqual(
    scene.take().map((event) => [event.kind, 'transactionId' in event ? event.transactionId : '']),
    [
      ['transactionStarted', 'u-9'],
      ['suspended', ''],
    ],
  );
});

test('Preparing alone is no vehicle; with a transaction it is', () => {
  const scene = new StoryScene();
  scene.say('session_info', infoNow('Preparing'));
  scene.say('session_info', infoNow('Reserved'));
  scene.say('session_info', infoNow('Unknown'));
  scene.say('session_info', infoNow('Disabled'));
  assert.deepEqual(scene.kinds(), []);
  scene.say('session_info', infoNow('Preparing', { transaction_duration_s: 0 }));
  assert.deepEqual(scene.kinds(), ['plugged']);
});

test('each way of pausing is told by who paused', () => {
  const scene = charging();
  for (const event of [
    'ChargingPausedEV',
    'ChargingStarted',
    'ChargingPausedEVSE',
    'ChargingStarted',
    'SwitchingPhases',
  ])
    scene.say('session_event', eventNow(event, scene.everest.uuid));
  for (const event of ['ChargingStarted', 'Disabled', 'Enabled', 'ChargingStarted', 'PrepareCharging'])
    scene.say('session_event', eventNow(event, scene.everest.uuid));
  assert.deepEqual(scene.kinds(), [
    'suspended EV',
    'chargingStarted',
    'suspended EVSE',
    'chargingStarted',
    'suspended EVSE',
    'chargingStarted',
    'suspended EVSE',
    'chargingStarted',
    'suspended EVSE',
  ]);
});

test('charging that ended has ended until the vehicle leaves', () => {
  const scene = charging();
  scene.everest.stopCharging();
  assert.deepEqual(scene.kinds(), ['chargingStopped', 'transactionEnded', 'meter']);
  scene.everest.authorise();
  scene.everest.charge();
  assert.deepEqual(new Set(scene.kinds()), new Set(['meter']));
  scene.everest.unplug();
  assert.deepEqual(scene.kinds(), ['meter', 'unplugged']);
});

test('a session of another id is another vehicle, though nobody said that the first one left', () => {
  const scene = charging();
  scene.everest.plugIn();
  assert.deepEqual(scene.kinds(), ['transactionEnded', 'unplugged', 'plugged', 'meter']);
});

test('a module that falls silent is lost, once, and what it says next states the connector anew', () => {
  const scene = charging();
  scene.wait(1_000);
  scene.everest.everySecond();
  scene.take();
  scene.wait(4_999);
  assert.deepEqual(scene.kinds(), []);
  scene.wait(1);
  scene.wait(60_000);
  assert.deepEqual(scene.kinds(), ['linkLost']);
  scene.everest.heartbeat();
  scene.say('powermeter', meterNow());
  scene.everest.sayVehicle({ soc: 50 });
  assert.deepEqual(scene.kinds(), []);
  scene.everest.sayInfo();
  assert.deepEqual(scene.kinds(), [
    'linkUp',
    'plugged',
    'credential',
    'evInfo',
    'transactionStarted',
    'chargingStarted',
  ]);
});

test('heartbeats alone keep a free EVSE’s link', () => {
  const scene = new StoryScene();
  scene.say('session_info', infoNow('Unplugged'));
  scene.take();
  for (let second = 0; second < 60; second++) {
    scene.wait(1_000);
    scene.everest.heartbeat();
  }
  assert.deepEqual(scene.kinds(), []);
});

test('heartbeats that begin anew are another run of EVerest', () => {
  const scene = charging();
  scene.everest.heartbeat();
  scene.everest.heartbeat();
  scene.everest.restart();
  scene.take();
  scene.everest.heartbeat();
  assert.deepEqual(scene.kinds(), ['linkLost']);
});

test('after a lost link another session is another vehicle: nothing that was shown before is said of it', () => {
  const scene = charging();
  scene.say('session_info', infoNow('Charging', { session_start_time: iso(BEGAN_MS) }));
  scene.cut();
  scene.nowMs += 10_000;
  scene.take();
  scene.say('session_info', infoNow('Charging', { session_start_time: iso(BEGAN_MS + 9_000) }));
  assert.deepEqual(scene.kinds(), ['linkUp', 'plugged', 'chargingStarted']);
});

test('after a lost link a session that does not say when it began is nobody’s', () => {
  const scene = charging();
  scene.cut();
  scene.nowMs += 10_000;
  scene.take();
  scene.say('session_info', infoNow('Charging'));
  assert.deepEqual(scene.kinds(), ['linkUp', 'plugged', 'chargingStarted']);
});

test('after a lost link an event of the same session finds the same vehicle, and one of another session another', () => {
  for (const [uuid, kinds] of [
    ['same', ['linkUp', 'plugged', 'credential', 'transactionStarted', 'suspended EV']],
    ['other', ['linkUp', 'plugged', 'transactionStarted', 'suspended EV']],
  ] as const) {
    const scene = charging();
    scene.cut();
    scene.take();
    const id = uuid === 'same' ? scene.everest.uuid : 'u-other';
    scene.say('session_event', eventNow('ChargingPausedEV', id));
    assert.deepEqual(scene.kinds(), kinds);
  }
});

test('a vehicle that left while the link was lost is told as gone', () => {
  const scene = charging();
  scene.cut();
  scene.nowMs += 10_000;
  scene.take();
  scene.say('session_info', infoNow('Unplugged'));
  assert.deepEqual(scene.kinds(), ['linkUp', 'unplugged']);
});

test('times to full and to departure are reckoned by EVerest’s own clock; now and past are unknown', () => {
  const scene = charging();
  scene.aheadMs = -20 * 365 * 86_400_000;
  scene.everest.everySecond();
  scene.take();
  scene.everest.sayVehicle({ soc: 41.5, fullInMs: 3_600_000, departsInMs: 7_200_000 });
  scene.everest.sayVehicle({ soc: 41.6, fullInMs: 0, departsInMs: -5 });
  scene.everest.sayVehicle({ soc: 41.6, fullInMs: 0, departsInMs: -5 });
  assert.deepEqual(
    scene.take().map((event) => {
      if (event.kind !== 'evInfo') return event.kind;
      const { at: _, connectorId: __, ...rest } = event;
      return rest;
    }),
    [
      { kind: 'evInfo', socPermille: 415, estimatedFullInMs: 3_600_000, departureInMs: 7_200_000 },
      { kind: 'evInfo', socPermille: 416 },
    ],
  );
});

test('what flows to the grid is no power of charging, and energy goes on', () => {
  const scene = charging();
  scene.say('powermeter', { ...meterNow(), power_W: { total: -4_000 } });
  const [meter] = scene.take();
  assert.ok(meter?.kind === 'meter');
  assert.deepEqual([meter.powerMw, meter.energyMwh], [undefined, 12_000_000]);
});

test('the EVCCID is a credential, said once, and never in the clear', () => {
  const scene = charging();
  scene.everest.sayVehicle({ evccid: EVCCID });
  scene.everest.sayVehicle({ evccid: EVCCID, soc: 40 });
  const told = scene.take();
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['credential', 'evInfo'],
  );
  assert.doesNotMatch(JSON.stringify(told), /5E:?10/i);
});

test('a module that is wired to another EVSE than was meant is not believed, until it is the right one', () => {
  const scene = new StoryScene('DE*ABC*E1*1');
  scene.everest.plugIn();
  scene.take();
  scene.everest.sayName('DE*ABC*E2*1');
  scene.nowMs += 1_500;
  scene.say('session_info', infoNow('Charging'));
  scene.everest.heartbeat();
  assert.deepEqual(scene.kinds(), ['linkLost']);
  scene.everest.sayName('DE*ABC*E1*1');
  scene.say('session_info', infoNow('Charging'));
  assert.deepEqual(scene.kinds().slice(0, 2), ['linkUp', 'plugged']);
});

test('what an EVSE is called is of no importance where nobody asked', () => {
  const scene = charging();
  scene.everest.sayName('DE*ABC*E2*1');
  assert.deepEqual(scene.kinds(), []);
});

test('a module that floods is lost for the rest of the second, once, and states the connector anew after it', () => {
  const scene = charging();
  scene.wait(1_000);
  for (let count = 0; count < 1_000; count++) scene.say('powermeter', meterNow());
  const kinds = scene.kinds();
  assert.deepEqual(kinds.slice(-2), ['meter', 'linkLost']);
  assert.ok(kinds.length <= 201, `${kinds.length} events`);
  scene.everest.sayInfo();
  assert.deepEqual(scene.kinds(), []);
  scene.wait(1_000);
  scene.everest.sayInfo();
  assert.equal(scene.kinds()[0], 'linkUp');
});

test('other topics, other modules and other versions are not heard', () => {
  const scene = new StoryScene();
  const payload = infoNow('Charging');
  for (const topic of [
    'everest_api/2/evse_manager_consumer/evse_1_api/e2m/session_info',
    'everest_api/1/evse_manager_consumer/evse_2_api/e2m/session_info',
    'everest_api/1/evse_manager_consumer/evse_1_api/m2e/session_info',
    'everest_api/1/evse_manager_consumer/evse_1_api/e2m/session_info/x/y',
    'everest_api/1/powermeter/evse_1_api/e2m/session_info',
    'plugpool/v1/car/lend/up/frame',
    '',
  ])
    scene.hear(topic, payload);
  assert.deepEqual(scene.kinds(), []);
  assert.deepEqual(scene.problems, []);
});
