/** Vehicles that mean harm with what they keep and with replicas: what they may earn, learn and break by it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { LeaseId, Offer, UpBody, VehicleId } from '@plugpool/proto';
import type { AlgorithmRecord } from '../../agent/core/records.ts';
import {
  CHECKPOINT_BUDGET_BYTES_MAX,
  CHECKPOINT_BYTES_MAX,
  CHECKPOINT_COUNTED_BYTES_MIN,
} from '../../agent/core/limits.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  bodiesOf,
  digestOf,
  request,
  SimulatedPile,
  type Has,
  type SentBody,
} from '../simulation/simulated-pile.ts';

type ResultBody = Extract<UpBody, { kind: 'result' }>;
type FailureCode = Extract<ResultBody['outcome'], { ok: false }>['failure']['code'];

/** A lease is so long that nothing has to be renewed. */
const LONG_MS = 3_600_000;

function pileWith(
  donors: readonly string[],
  { settings = {}, program = {}, has = {} }: Partial<Scene> = {},
): SimulatedPile {
  const pile = new SimulatedPile({ leaseMs: LONG_MS, capacityStaleMs: LONG_MS, ...settings });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  pile.addAlgorithm('long', [{}], { checkpoints: true, workCoreS: 100, ...program });
  for (const donor of donors) join(pile, donor, has);
  pile.ask('asker');
  return pile;
}

interface Scene {
  readonly settings: Partial<Settings>;
  readonly program: Partial<AlgorithmRecord>;
  readonly has: Has;
}

function join(pile: SimulatedPile, donor: string, has: Has = {}, held: LeaseId[] = []): void {
  pile.plug(donor);
  pile.lend(donor, has, held);
}

function ask(pile: SimulatedPile, id: string): SentBody[] {
  return pile.say('asker.ask-1', request(id, 'long', { deadlineMs: LONG_MS }));
}

function offersIn(sent: readonly SentBody[]): (Offer & { readonly donor: string })[] {
  return sent.flatMap(({ clientId, body }) =>
    body.kind === 'offer' ? [{ ...body, donor: clientId.replace('.lend', '') }] : [],
  );
}

function used(cpuMs: number): ResultBody['used'] {
  return { cpuMs, wallMs: cpuMs, memoryPeakMib: 1, gpuMs: 0 };
}

function keep(pile: SimulatedPile, donor: string, lease: LeaseId, cpuMs: number): SentBody[] {
  const state = { digest: digestOf('kept'), sizeBytes: 10 };
  return pile.say(`${donor}.lend`, { kind: 'checkpoint', lease, state, used: used(cpuMs) });
}

function finish(pile: SimulatedPile, donor: string, lease: LeaseId, cpuMs = 1_000): SentBody[] {
  const outcome = { ok: true, output: { where: 'inline', bytes: Uint8Array.of(1) } } as const;
  return pile.say(`${donor}.lend`, { kind: 'result', lease, used: used(cpuMs), outcome });
}

function fail(pile: SimulatedPile, donor: string, lease: LeaseId, code: FailureCode): SentBody[] {
  const outcome = { ok: false, failure: { code, detail: 'a detail', stderrTail: '' } } as const;
  return pile.say(`${donor}.lend`, { kind: 'result', lease, used: used(1), outcome });
}

function earned(pile: SimulatedPile, donor: string): number {
  return [...pile.disk.bookings.values()]
    .flatMap(({ entries }) => entries)
    .filter(({ account, unit }) => account === `vehicle:${donor}` && unit === 'cpuMncs')
    .reduce((sum, { amount }) => sum + amount, 0);
}

const COMPARED = { program: { compare: { by: 'bytes' } } } as const;
/** Room for one run: the next goes to the other. */
const ONE_RUN: Has = { cpu: 1000 };

test('a replica that keeps its state, told to or not, earns nothing by it beside what it earns when it agrees', () => {
  for (const restarts of [false, true]) {
    const pile = pileWith(['liar', 'honest'], COMPARED);
    const offers = offersIn(ask(pile, 'r1'));
    assert.deepEqual(offers.map(({ donor }) => donor).sort(), ['honest', 'liar']);
    pile.pass(50_000);
    if (restarts) {
      pile.restart();
      for (const { donor, lease } of offers) join(pile, donor, {}, [lease]);
    }
    for (const { donor, lease } of offers) if (donor === 'liar') keep(pile, donor, lease, 50_000);
    assert.equal(earned(pile, 'liar'), 0, 'a checkpoint of a replica is paid');
    for (const { donor, lease } of offers) finish(pile, donor, lease, 50_000);
    assert.equal(earned(pile, 'honest'), 45_000);
    assert.equal(earned(pile, 'liar'), 45_000);
  }
});

test('who is believed cannot tell by its offer, nor by what becomes of what it keeps, whether it is checked', () => {
  const pile = pileWith(['a', 'b'], {
    ...COMPARED,
    settings: { trustAfter: 2, auditFloorMillis: 500 },
    has: ONE_RUN,
  });
  const seen = new Map<boolean, Set<string>>();
  for (let i = 0; i < 40; i += 1) {
    const offers = offersIn(ask(pile, `r${i}`));
    const told = offers.flatMap(({ donor, lease, checkpointEveryMs }) => {
      if (!pile.state.trust.isBelieved(donor as VehicleId, 'long@1', pile.now())) return [];
      pile.pass(100);
      const [ack] = bodiesOf(keep(pile, donor, lease, 100), 'checkpointAck');
      return `${checkpointEveryMs !== undefined} ${ack?.accepted}`;
    });
    const isChecked = offers.length > 1;
    seen.set(isChecked, new Set([...(seen.get(isChecked) ?? []), ...told]));
    for (const { donor, lease } of offers) finish(pile, donor, lease);
  }
  assert.deepEqual(seen.get(false), new Set(['true true']));
  assert.deepEqual(seen.get(true), new Set(['true true']));
});

test('a donor that is told to stop, and sends what it keeps a hundred times before it does, is booked a few times', () => {
  const pile = pileWith(['greedy']);
  const [offer] = offersIn(ask(pile, 'r1'));
  assert.ok(offer);
  pile.pass(1_000);
  keep(pile, 'greedy', offer.lease, 1_000);
  pile.step({ kind: 'operator', question: 2, command: { verb: 'drain', vehicleId: 'greedy' as VehicleId } });
  for (let i = 1; i <= 100; i += 1) {
    pile.pass(10);
    keep(pile, 'greedy', offer.lease, 1_000 + 10 * i);
  }
  fail(pile, 'greedy', offer.lease, 'revoked');
  assert.ok(pile.disk.bookings.size <= 2, `${pile.disk.bookings.size} bookings`);
  assert.equal(earned(pile, 'greedy'), 1_800);
});

test('who spoils each task after he kept something is paid for a day of it, and no more until it has faded', () => {
  const pile = pileWith(['spoiler'], {
    settings: { unprovenMncsPerDay: 100_000, operatorShareMillis: 0, healthFaultsMax: 1_000, crashesMax: 1 },
  });
  const spoil = (id: string): void => {
    const [offer] = offersIn(ask(pile, id));
    assert.ok(offer, `${id} is not offered`);
    pile.pass(40_000);
    keep(pile, 'spoiler', offer.lease, 40_000);
    fail(pile, 'spoiler', offer.lease, 'trap');
  };
  for (let i = 0; i < 6; i += 1) spoil(`r${i}`);
  assert.equal(earned(pile, 'spoiler'), 80_000);
  pile.pass(24 * 3_600_000);
  join(pile, 'spoiler');
  spoil('next-day');
  assert.equal(earned(pile, 'spoiler'), 120_000);
});

test('what came to a result counts against nobody, and beyond a day of trust it is credited with the result', () => {
  const pile = pileWith(['honest'], { settings: { unprovenMncsPerDay: 50_000, operatorShareMillis: 0 } });
  for (let i = 0; i < 5; i += 1) {
    const [offer] = offersIn(ask(pile, `r${i}`));
    assert.ok(offer);
    pile.pass(40_000);
    keep(pile, 'honest', offer.lease, 40_000);
    assert.equal(earned(pile, 'honest'), i * 70_000 + 40_000, 'kept');
    pile.pass(Math.max(20_000, offer.checkpointEveryMs ?? 0));
    keep(pile, 'honest', offer.lease, 60_000);
    assert.equal(earned(pile, 'honest'), i * 70_000 + 40_000, 'beyond what he is trusted with');
    pile.pass(10_000);
    finish(pile, 'honest', offer.lease, 70_000);
    assert.equal(earned(pile, 'honest'), (i + 1) * 70_000);
  }
});

test('who leaves a state that is none is not asked to go on after it, and it is held against him too', () => {
  const pile = pileWith(['poisoner'], { settings: { healthFaultsMax: 1 } });
  const [first] = offersIn(ask(pile, 'r0'));
  assert.ok(first);
  finish(pile, 'poisoner', first.lease);
  const [offer] = offersIn(ask(pile, 'r1'));
  assert.ok(offer);
  pile.pass(10_000);
  keep(pile, 'poisoner', offer.lease, 5_000);
  join(pile, 'honest');
  pile.step({
    kind: 'operator',
    question: 2,
    command: { verb: 'drain', vehicleId: 'poisoner' as VehicleId },
  });
  const [next] = offersIn(fail(pile, 'poisoner', offer.lease, 'revoked'));
  assert.equal(next?.donor, 'honest');
  pile.step({
    kind: 'operator',
    question: 3,
    command: { verb: 'resume', vehicleId: 'poisoner' as VehicleId },
  });
  assert.deepEqual(offersIn(fail(pile, 'honest', next.lease, 'checkpoint_invalid')), []);
  const health = pile.state.health.verdict('poisoner' as VehicleId, 'cpu', pile.now());
  assert.equal(health.state, 'resting');
});

test('who breaks one replica again and again does not end what another one runs', () => {
  const pile = pileWith(['honest', 'breaker'], COMPARED);
  const offers = offersIn(ask(pile, 'r1'));
  const honest = offers.find(({ donor }) => donor === 'honest');
  assert.ok(honest);
  let breakers = offers.filter(({ donor }) => donor === 'breaker');
  const breakIt = (): SentBody[] =>
    breakers.flatMap(({ lease }) => fail(pile, 'breaker', lease, 'runtime_crashed'));
  for (let i = 0; i < 10; i += 1) {
    assert.deepEqual(bodiesOf(breakIt(), 'delivery'), [], 'the task is given up');
    breakers = offersIn(pile.pass(pile.settings.restMs));
  }
  const sent = [...finish(pile, 'honest', honest.lease), ...breakIt(), ...pile.pass(LONG_MS / 2)];
  assert.equal(bodiesOf(sent, 'delivery')[0]?.state, 'completed');
});

/** It is announced, and its bytes are not on the pile yet. */
function announce(
  pile: SimulatedPile,
  donor: string,
  lease: LeaseId,
  id: string,
  sizeBytes: number,
): SentBody[] {
  const state = { digest: digestOf(id), sizeBytes };
  const body = { kind: 'checkpoint', lease, state, used: used(1) } as const;
  const sent = pile.step(pile.message(`${donor}.lend`, body, 7, false));
  return [
    ...sent,
    ...pile.step({ kind: 'blobArrived', digest: state.digest, vehicleId: donor as VehicleId }),
  ];
}

test('a run that keeps the largest state as often as any is told to is never told to wait', () => {
  const pile = pileWith(['donor']);
  const [{ lease } = assert.fail('no offer')] = offersIn(ask(pile, 'r1'));
  for (let i = 0; i < 60; i++) {
    const sent = announce(pile, 'donor', lease, `kept ${i}`, CHECKPOINT_BYTES_MAX);
    assert.equal(bodiesOf(sent, 'checkpointAck').length, 1);
    pile.pass(30_000);
  }
});

test('a lease that sends checkpoints without end is told when to try again, and is heard again then', () => {
  for (const sizeBytes of [CHECKPOINT_BYTES_MAX, 100]) {
    const pile = pileWith(['donor']);
    const [{ lease } = assert.fail('no offer')] = offersIn(ask(pile, 'r1'));
    const sent = Array.from({ length: 400 }, (_, i) =>
      announce(pile, 'donor', lease, `${i}`, sizeBytes),
    ).flat();
    const bytes = Math.max(sizeBytes, CHECKPOINT_COUNTED_BYTES_MIN);
    assert.equal(bodiesOf(sent, 'checkpointAck').length, CHECKPOINT_BUDGET_BYTES_MAX / bytes);
    assert.equal(pile.state.awaitedBlobs.size, 0);
    const [refused] = bodiesOf(sent, 'refused');
    const { retryable, retryAfterMs = 0, reasons } = refused ?? assert.fail('none was refused');
    assert.deepEqual([retryable, reasons[0]?.code], [true, 'rate_limited']);
    pile.pass(retryAfterMs - 1);
    assert.equal(bodiesOf(announce(pile, 'donor', lease, 'too soon', sizeBytes), 'refused').length, 1);
    pile.pass(1);
    assert.equal(bodiesOf(announce(pile, 'donor', lease, 'in time', sizeBytes), 'checkpointAck').length, 1);
  }
});

test('a lease that is taken back may send what its donor has in hand, and once', () => {
  const pile = pileWith(['donor']);
  const [{ lease } = assert.fail('no offer')] = offersIn(ask(pile, 'r1'));
  for (let i = 0; i < 5; i++) announce(pile, 'donor', lease, `${i}`, CHECKPOINT_BYTES_MAX);
  pile.unplug('donor');
  const last = announce(pile, 'donor', lease, 'in hand', CHECKPOINT_BYTES_MAX);
  assert.equal(bodiesOf(last, 'checkpointAck')[0]?.accepted, true);
  assert.equal(bodiesOf(announce(pile, 'donor', lease, 'more', CHECKPOINT_BYTES_MAX), 'refused').length, 1);
});
