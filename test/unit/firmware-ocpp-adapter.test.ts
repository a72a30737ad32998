/** The OCPP adapter at the relay's tap: what it remembers, what it is told anew, and what it says of a relay that is away. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { createOcppFirmware, type FirmwareEvent, type FirmwareIssue } from '../../firmware-bridge/index.ts';
import type { TapLine } from '../../firmware-bridge/ocpp/tap.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';
import { FakeTap } from '../fake-tap.ts';
import { OCPP_TEST_PSEUDONYMS, shown } from '../ocpp-pile.ts';

const START_WALL_MS = Date.UTC(2026, 10, 21, 12, 0, 0);

async function listening(t: TestContext, tap = new FakeTap()) {
  const clock = new SteppedClock(START_WALL_MS);
  const events: FirmwareEvent[] = [];
  const issues: FirmwareIssue[] = [];
  const order = new FirmwareOrder();
  const adapter = createOcppFirmware({
    tapPath: '/run/tap.sock',
    connect: tap.connect,
    clock,
    stations: { 'CP 1': 'north' },
    pseudonymize: OCPP_TEST_PSEUDONYMS,
    report: (issue) => issues.push(issue),
  });
  const onEvent = (event: FirmwareEvent) => {
    assert.deepEqual(order.see(event), []);
    events.push(event);
  };
  await adapter.start(onEvent, new AbortController().signal);
  t.after(() => adapter.stop());
  await tap.settled();
  return { tap, clock, issues, events, take: () => events.splice(0).map(shown).join(' ') };
}

function up(pile: string, upSinceWallMs = START_WALL_MS): TapLine {
  const link = { link: 'up', subprotocol: 'ocpp1.6', upSinceWallMs } as const;
  return { t: 'pile', pile, atWallMs: START_WALL_MS, ...link };
}

function status(pile: string, word: string, atWallMs = START_WALL_MS, connectorId = 1): TapLine {
  const payload = { connectorId, errorCode: 'NoError', status: word };
  const text = JSON.stringify([2, `${word}${connectorId}`, 'StatusNotification', payload]);
  return { t: 'frame', pile, from: 'pile', atWallMs, text };
}

it('what the relay remembers of the present connection is told at once', async (t) => {
  const tap = new FakeTap();
  tap.recalled = () => [up('CP1'), status('CP1', 'Charging'), status('CP1', 'Available', START_WALL_MS, 2)];
  const { events, take } = await listening(t, tap);
  assert.deepEqual(
    events.map(({ connectorId }) => connectorId),
    ['CP1/1/1', 'CP1/1/1', 'CP1/2/1'],
  );
  assert.equal(take(), 'plugged chargingStarted unplugged');
});

it('what it remembers of an earlier connection is told when the pile says it again', async (t) => {
  const tap = new FakeTap();
  const earlier = START_WALL_MS - 1_000;
  tap.recalled = () => [
    up('CP1'),
    status('CP1', 'Charging', earlier),
    status('CP1', 'Charging', START_WALL_MS, 2),
  ];
  const { events, take } = await listening(t, tap);
  assert.ok(events.every(({ connectorId }) => connectorId === 'CP1/2/1'));
  assert.equal(take(), 'plugged chargingStarted');
  await tap.tell(status('CP1', 'SuspendedEV'));
  assert.equal(take(), 'plugged suspended(EV)');
});

it('while the relay is away nothing is known, and afterwards what it remembers', async (t) => {
  const { tap, clock, issues, take } = await listening(t);
  await tap.tell(up('CP1'), status('CP1', 'Charging'));
  assert.equal(take(), 'plugged chargingStarted');
  tap.recalled = () => [up('CP1'), status('CP1', 'Available')];
  await tap.leave();
  assert.equal(take(), 'linkLost');
  for (let tries = 0; tries < 10; tries++) {
    clock.advance(5_000);
    await tap.settled();
  }
  assert.deepEqual(
    issues.map(({ code }) => code),
    ['source_lost'],
  );
  assert.match(issues[0]?.hint ?? '', /plugpool-ocpp-relay/);
  tap.back();
  clock.advance(5_000);
  await tap.settled();
  assert.equal(take(), 'linkUp unplugged');
});

it('a pile that the relay forgot stays lost', async (t) => {
  const { tap, clock, take } = await listening(t);
  await tap.tell(up('CP1'), status('CP1', 'Charging'));
  await tap.leave();
  tap.back();
  clock.advance(5_000);
  await tap.settled();
  assert.equal(take(), 'plugged chargingStarted linkLost');
});

it('a pile is the station that was named for it, and one that can be none is said once', async (t) => {
  const { tap, events, issues } = await listening(t);
  await tap.tell(
    up('CP 1'),
    status('CP 1', 'Available'),
    up('CP 2'),
    status('CP 2', 'Available'),
    up('CP 2'),
  );
  assert.deepEqual(
    events.map(({ connectorId }) => connectorId),
    ['north/1/1'],
  );
  assert.deepEqual(
    issues.map(({ code, message }) => `${code} ${message}`),
    ['source_odd pile "CP 2" has an identity that is no station id'],
  );
});

it('a hundred bad frames are said once, and so are lines of the tap that nobody knows', async (t) => {
  const { tap, issues, take } = await listening(t);
  await tap.tell(up('CP1'));
  for (let count = 0; count < 100; count++)
    await tap.tell({ t: 'frame', pile: 'CP1', from: 'pile', atWallMs: START_WALL_MS, text: '{' });
  await tap.text('no JSON\n{"t":"later"}\n{"t":"frame","pile":7}\n');
  await tap.text(`"${'x'.repeat(3 * 1024 * 1024)}"\n`);
  await tap.tell(status('CP1', 'Preparing'));
  assert.equal(take(), 'plugged');
  assert.equal(issues.length, 1);
});

it('a silent pile is lost within its heartbeat, which the CSMS may have made shorter', async (t) => {
  const { tap, clock, take } = await listening(t);
  const boot = (text: string, from: 'pile' | 'csms'): TapLine => ({
    t: 'frame',
    pile: 'CP1',
    from,
    atWallMs: START_WALL_MS,
    text,
  });
  await tap.tell(up('CP1'), boot('[2,"b","BootNotification",{}]', 'pile'));
  await tap.tell(boot('[3,"b",{"status":"Accepted","interval":10}]', 'csms'), status('CP1', 'Charging'));
  clock.advance(19_000);
  assert.equal(take(), 'plugged chargingStarted');
  clock.advance(2_000);
  assert.equal(take(), 'linkLost');
});

it('a station that can be none is refused', () => {
  const options = { tapPath: 'x', pseudonymize: OCPP_TEST_PSEUDONYMS, stations: { a: 'b/c' } };
  assert.throws(() => createOcppFirmware(options), { code: 'invalid_argument' });
});
