/** The vehicle's side of binding: what it claims, what it is told, and what of its charging power it tells. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { RefusalCode, UpBody, VehicleId, Welcome } from '@plugpool/proto';
import { loadConfig } from '../../vehicle-client/config.ts';
import { ConnectorClaims } from '../../vehicle-client/connector-claims.ts';
import type { VehicleSignals } from '../../vehicle-client/core/policy.ts';
import type { Clock } from '../../vehicle-client/ports.ts';
import { PowerReports } from '../../vehicle-client/power-reports.ts';

/** Moves when it is told to. */
class ToldClock implements Clock {
  nowMs = 1_000;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  monoMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  localTime() {
    return { weekday: 'mon', minuteOfDay: 0 } as const;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.nowMs = next.atMs;
      next.callback();
    }
    this.nowMs = untilMs;
  }
}

class ToldConversation {
  readonly posted: { readonly body: UpBody; readonly correlationId: number }[] = [];
  welcome: Welcome | undefined = { stationId: 'pile' } as Welcome;
  #correlationId = 0;

  nextCorrelationId(): number {
    return (this.#correlationId += 1);
  }

  post(body: UpBody, correlationId = 0): void {
    this.posted.push({ body, correlationId });
  }

  last(): { readonly body: UpBody; readonly correlationId: number } {
    return this.posted.at(-1)!;
  }
}

function scene(connector?: string) {
  const [clock, conversation] = [new ToldClock(), new ToldConversation()];
  return { clock, conversation, claims: new ConnectorClaims({ clock, conversation, connector }) };
}

const refused = (code: RefusalCode, retryable = false) =>
  ({
    kind: 'refused',
    reasons: [{ code, detail: 'why', hint: 'what to do' }],
    retryable,
  }) as const;

test('a code is answered by where the vehicle is bound', async () => {
  const { conversation, claims } = scene();
  const bound = claims.plugCode('048151', '3');
  const { body, correlationId } = conversation.last();
  assert.deepEqual(body, { kind: 'connectorClaim', code: '048151', connector: '3' });
  claims.heard({ kind: 'connectorBound', connectorId: 'p/3/1', assurance: 'code' }, correlationId);
  assert.deepEqual(await bound, { connectorId: 'p/3/1', assurance: 'code' });
  assert.equal(claims.bound?.connectorId, 'p/3/1');
});

test('what the pile refuses is told with its reason, and whether it may be tried again', async () => {
  const { conversation, claims } = scene();
  const bound = claims.plugCode('048151');
  assert.equal(claims.refused(refused('rate_limited', true), conversation.last().correlationId), true);
  await assert.rejects(bound, { code: 'rate_limited', hint: 'what to do', retryable: true });
  assert.equal(claims.refused(refused('code_wrong'), 77), false);
});

test('without an answer, without a connection and after a lost one the owner is told', async () => {
  const { clock, conversation, claims } = scene();
  const unanswered = claims.plugCode('048151');
  clock.pass(4_000);
  await assert.rejects(unanswered, { code: 'no_answer', retryable: true });
  const lost = claims.plugCode('048151');
  claims.lost();
  await assert.rejects(lost, { code: 'no_answer' });
  conversation.welcome = undefined;
  await assert.rejects(claims.plugCode('048151'), { code: 'no_answer' });
});

test('what can be no code and no connector is not sent', async () => {
  const { conversation, claims } = scene();
  for (const [code, connector] of [
    ['12345', undefined],
    ['abcdef', undefined],
    ['123456', 'a b'],
    ['123456', '1/2/3/4'],
  ] as const)
    await assert.rejects(claims.plugCode(code, connector), { code: 'invalid_argument' });
  assert.equal(conversation.posted.length, 0);
});

test('codes that are never answered do not pile up', async () => {
  const { claims } = scene();
  const waiting = Array.from({ length: 8 }, () => claims.plugCode('048151'));
  await assert.rejects(claims.plugCode('048151'), { code: 'no_answer' });
  claims.lost();
  for (const each of waiting) await assert.rejects(each);
});

test('where its owner says that it stands is claimed at each welcome, and again until the pile has heard of the plug', () => {
  const { clock, conversation, claims } = scene('3');
  claims.welcomed();
  assert.deepEqual(conversation.last().body, { kind: 'connectorClaim', connector: '3' });
  claims.refused(refused('not_plugged'), conversation.last().correlationId);
  clock.pass(60_000);
  assert.equal(conversation.posted.length, 2);
  claims.refused(refused('not_supported'), conversation.last().correlationId);
  clock.pass(600_000);
  assert.equal(conversation.posted.length, 2);
  scene().claims.welcomed();
});

function powerScene(signals: VehicleSignals) {
  const [clock, conversation] = [new ToldClock(), new ToldConversation()];
  const told = { signals };
  const reports = new PowerReports({ clock, conversation, signals: { latest: () => told.signals } });
  return { clock, conversation, reports, told };
}

test('charging power is told so often and so long as the pile asks, and no more', () => {
  const { clock, conversation, reports, told } = powerScene({ chargingPowerW: 7_200.4 });
  clock.pass(10_000);
  assert.equal(conversation.posted.length, 0);
  reports.watch({ everyMs: 2_000, forMs: 6_000 });
  told.signals = { chargingPowerW: 4_100 };
  clock.pass(60_000);
  const powers = conversation.posted.map(({ body }) => (body.kind === 'powerReport' ? body.powerMw : 0));
  assert.deepEqual(powers, [7_200_400, 4_100_000, 4_100_000]);
  reports.watch({ everyMs: 2_000, forMs: 600_000 });
  reports.watch({ everyMs: 0, forMs: 0 });
  clock.pass(60_000);
  assert.equal(conversation.posted.length, 4);
});

test('a pile that asks for a report each millisecond gets one a second, and a car that measures nothing tells nothing', () => {
  const eager = powerScene({ chargingPowerW: 1 });
  eager.reports.watch({ everyMs: 0, forMs: 10_000 });
  eager.clock.pass(10_000);
  assert.equal(eager.conversation.posted.length, 10);
  const silent = powerScene({});
  silent.reports.watch({ everyMs: 1_000, forMs: 10_000 });
  silent.clock.pass(10_000);
  assert.equal(silent.conversation.posted.length, 0);
});

test('the connector of the configuration is one as the pile writes it', () => {
  const vehicle = 'car' as VehicleId;
  const flags = { agent: 'mqtt://pile', vehicle };
  assert.equal(loadConfig({ flags, env: { PLUGPOOL_VEHICLE_CONNECTOR: '3' } }).connector, '3');
  assert.throws(
    () => loadConfig({ flags: { ...flags, connector: 'the left one' } }),
    /a connector such as 3, 3\/1/,
  );
});
