/** Leaving well, on the pile: checkpoints and who goes on from them, draining, a battery that must be charged in time. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { LeaseId, Offer, UpBody, VehicleId } from '@plugpool/proto';
import { explain } from '../../agent/core/explain/explain.ts';
import { CHECKPOINT_BYTES_MAX, DRAINED_VEHICLES_MAX } from '../../agent/core/limits.ts';
import { statusView, vehiclesView } from '../../agent/core/views.ts';
import type { OperatorAnswer, OperatorCommand } from '../../agent/core/events.ts';
import { step } from '../../agent/core/step.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  connectorOf,
  digestOf,
  leaseIn,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

/** Of a run of a hundred core-seconds, that long. */
const WORK_CORE_S = 100;

function pileThatKeeps(...donors: string[]): SimulatedPile {
  const pile = new SimulatedPile({ checkpoints: true, progressMinMs: 1_000 });
  pile.addAlgorithm('long', [{}], { checkpoints: true, workCoreS: WORK_CORE_S });
  for (const donor of donors) {
    pile.plug(donor);
    pile.lend(donor);
  }
  pile.ask('asker');
  return pile;
}

function offerIn(sent: readonly SentBody[]): Offer {
  const [offer] = bodiesOf(sent, 'offer');
  assert.ok(offer, 'no offer was sent');
  return offer;
}

function checkpoint(lease: LeaseId, name: string, cpuMs: number, sizeBytes = 100): UpBody {
  const used = { cpuMs, wallMs: cpuMs, memoryPeakMib: 1, gpuMs: 0 };
  return { kind: 'checkpoint', lease, state: { digest: digestOf(name), sizeBytes }, used };
}

function failed(lease: LeaseId, code: 'revoked' | 'exit_nonzero' | 'checkpoint_invalid'): UpBody {
  return {
    kind: 'result',
    lease,
    used: { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 },
    outcome: { ok: false, failure: { code, detail: 'a detail', stderrTail: '' } },
  };
}

/** The lease goes on for so long. */
function runFor(pile: SimulatedPile, clientId: string, lease: LeaseId, forMs: number): SentBody[] {
  const sent: SentBody[] = [];
  for (let passedMs = 0; passedMs < forMs; passedMs += 5_000) {
    sent.push(...pile.pass(Math.min(5_000, forMs - passedMs)));
    sent.push(...pile.say(clientId, { kind: 'renewal', held: [{ lease, progressPermille: 0, cpuMs: 0 }] }));
    sent.push(...pile.say(clientId, capacityReport({})));
  }
  return sent;
}

function operate(pile: SimulatedPile, command: OperatorCommand): OperatorAnswer {
  const effects = step(pile.state, [{ kind: 'operator', question: 7, command }], pile.now());
  pile.commit(effects);
  pile.sent.push(...effects.sends.map(({ clientId, envelope }) => ({ clientId: clientId, ...envelope })));
  const [answered] = effects.answers;
  assert.ok(answered);
  return answered.answer;
}

const of = (vehicleId: string): VehicleId => vehicleId as VehicleId;

test('a run goes on elsewhere from the last accepted checkpoint, and its donor is credited up to it', () => {
  const pile = pileThatKeeps('first');
  const {
    lease,
    checkpointEveryMs,
    checkpoint: none,
  } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  assert.ok(checkpointEveryMs !== undefined && none === undefined);
  runFor(pile, 'first.lend', lease, 60_000);
  const [ack] = bodiesOf(pile.say('first.lend', checkpoint(lease, 'sixty', 60_000)), 'checkpointAck');
  assert.deepEqual(ack, { kind: 'checkpointAck', lease, accepted: true, reason: '' });
  const sent = pile.unplug('first');
  const [revoke] = bodiesOf(sent, 'revoke');
  assert.equal(revoke?.graceMs, pile.settings.checkpointGraceMs);
  pile.plug('second');
  pile.lend('second');
  assert.equal(bodiesOf(pile.sent, 'offer').length, 1, 'while the first still has its grace');
  const onward = offerIn(pile.say('first.lend', failed(lease, 'revoked')));
  assert.equal(onward.checkpoint?.digest, digestOf('sixty'));
  assert.ok(onward.limits.cpuMs > 0);
  pile.say('second.lend', completed(onward.lease, 40_000));
  const credited = (vehicleId: string): number =>
    [...pile.disk.bookings.values()]
      .flatMap(({ entries }) => entries)
      .filter(({ account, unit }) => account === `vehicle:${vehicleId}` && unit === 'cpuMncs')
      .reduce((sum, { amount }) => sum + amount, 0);
  assert.ok(credited('first') > 0);
  assert.equal(statusView(pile.state, pile.now()).counters.savedMncs, 60_000);
});

test('a last checkpoint that comes within the grace counts, and one after it does not', () => {
  const pile = pileThatKeeps('first');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  runFor(pile, 'first.lend', lease, 30_000);
  pile.unplug('first');
  pile.pass(pile.settings.checkpointGraceMs - 1);
  const inTime = pile.say('first.lend', checkpoint(lease, 'in-time', 30_000));
  assert.equal(bodiesOf(inTime, 'checkpointAck')[0]?.accepted, true);
  pile.pass(1);
  const late = pile.say('first.lend', checkpoint(lease, 'too-late', 31_000));
  assert.deepEqual(bodiesOf(late, 'checkpointAck')[0], {
    kind: 'checkpointAck',
    lease,
    accepted: false,
    reason: 'lease_void',
  });
  pile.plug('second');
  assert.equal(offerIn(pile.lend('second')).checkpoint?.digest, digestOf('in-time'));
});

test('a checkpoint that is too large, of an old token, of another vehicle or of a program that keeps none changes nothing', () => {
  const pile = pileThatKeeps('first', 'other');
  pile.addAlgorithm('forgets');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  const holder = [...pile.state.donors.values()].find(({ leased }) => leased.size > 0)?.vehicleId ?? '';
  const stranger = holder === 'first' ? 'other' : 'first';
  const tooLarge = pile.say(`${holder}.lend`, checkpoint(lease, 'huge', 1, CHECKPOINT_BYTES_MAX + 1));
  assert.equal(bodiesOf(tooLarge, 'checkpointAck')[0]?.reason, 'too_large');
  const old = { ...lease, fencingToken: (lease.fencingToken - 1) as LeaseId['fencingToken'] };
  for (const [clientId, id] of [
    [`${holder}.lend`, old],
    [`${stranger}.lend`, lease],
  ] as const) {
    const sent = pile.say(clientId, checkpoint(id, 'not-mine', 1));
    assert.equal(bodiesOf(sent, 'checkpointAck')[0]?.reason, 'lease_void');
  }
  const [task] = pile.state.tasks.values();
  assert.equal(task?.instances[0]?.checkpoint, undefined);
  const forgetting = offerIn(pile.say('asker.ask-1', request('r2', 'forgets')));
  assert.equal(forgetting.checkpointEveryMs, undefined);
  const runner = [...pile.state.donors.values()].find(({ leased }) =>
    leased.has(forgetting.lease.instanceId),
  );
  const refused = pile.say(`${runner?.vehicleId}.lend`, checkpoint(forgetting.lease, 'x', 1));
  assert.equal(bodiesOf(refused, 'refused')[0]?.reasons[0]?.code, 'not_supported');
});

test('bytes that are not those of the digest leave the checkpoint before in force', () => {
  const pile = pileThatKeeps('first');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  pile.say('first.lend', checkpoint(lease, 'good', 1_000));
  pile.step(pile.message('first.lend', checkpoint(lease, 'bad', 2_000), 9, false));
  const from = { digest: digestOf('bad'), vehicleId: 'first' as VehicleId };
  assert.deepEqual(pile.fetches, [from]);
  const why = { code: 'digest_mismatch', detail: 'other bytes' } as const;
  const [refused] = bodiesOf(pile.step({ kind: 'blobFailed', ...from, why }), 'refused');
  assert.deepEqual([refused?.reasons[0]?.code, refused?.retryable], ['digest_mismatch', true]);
  const [task] = pile.state.tasks.values();
  assert.equal(task?.instances[0]?.checkpoint?.state.digest, digestOf('good'));
});

test('a run that fails after it went on from a checkpoint starts anew, and fails only if it fails then', () => {
  const pile = pileThatKeeps('first', 'second');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  const holder = [...pile.state.donors.values()].find(({ leased }) => leased.size > 0)?.vehicleId ?? '';
  const other = holder === 'first' ? 'second' : 'first';
  runFor(pile, `${holder}.lend`, lease, 10_000);
  pile.say(`${holder}.lend`, checkpoint(lease, 'poisoned', 10_000));
  pile.unplug(holder);
  const onward = offerIn(pile.say(`${holder}.lend`, failed(lease, 'revoked')));
  assert.equal(onward.checkpoint?.digest, digestOf('poisoned'));
  pile.say(`${other}.lend`, failed(onward.lease, 'exit_nonzero'));
  const anew = offerIn([
    ...pile.pass(pile.settings.restMs),
    ...pile.say(`${other}.lend`, capacityReport({})),
  ]);
  assert.equal(anew.checkpoint, undefined);
  const sent = pile.say(`${other}.lend`, failed(anew.lease, 'exit_nonzero'));
  assert.equal(bodiesOf(sent, 'delivery')[0]?.state, 'failed');
});

test('what is no checkpoint is dropped', () => {
  const pile = pileThatKeeps('first', 'second');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  const holder = [...pile.state.donors.values()].find(({ leased }) => leased.size > 0)?.vehicleId ?? '';
  pile.pass(5_000);
  pile.say(`${holder}.lend`, checkpoint(lease, 'rubbish', 5_000));
  pile.unplug(holder);
  const onward = offerIn(pile.say(`${holder}.lend`, failed(lease, 'revoked')));
  const other = holder === 'first' ? 'second' : 'first';
  pile.say(`${other}.lend`, failed(onward.lease, 'checkpoint_invalid'));
  const [task] = pile.state.tasks.values();
  assert.equal(task?.instances[0]?.checkpoint, undefined);
  assert.equal(task?.instances[0]?.crashes, 1);
});

test('a lease that was held over a restart still takes checkpoints', () => {
  const pile = pileThatKeeps('first');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  pile.restart();
  pile.plug('first');
  pile.lend('first', {}, [lease]);
  const sent = pile.say('first.lend', checkpoint(lease, 'after', 2_000));
  assert.equal(bodiesOf(sent, 'checkpointAck')[0]?.accepted, true);
});

test('before its vehicle is to leave a run is told to keep its state, at each renewal', () => {
  const pile = pileThatKeeps('first');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  pile.firmware({ kind: 'evInfo', connectorId: connectorOf('first'), departureInMs: 90_000 });
  const renewedIn = (sent: readonly SentBody[]) =>
    bodiesOf(sent, 'renewed').map(({ keepState }) => keepState);
  assert.deepEqual(renewedIn(runFor(pile, 'first.lend', lease, 25_000)), Array(5).fill(undefined));
  assert.deepEqual(renewedIn(runFor(pile, 'first.lend', lease, 10_000)), [[lease], [lease]]);
});

test('a run that its owner stopped is held longer, but not for ever', () => {
  const pile = new SimulatedPile({ runTimeFloorMs: 1_000, blobWaitMs: 1_000, suspendedMaxMs: 60_000 });
  pile.addAlgorithm('short', [{}], { workCoreS: 0.01 });
  pile.plug('first');
  pile.lend('first');
  pile.ask('asker');
  const lease = leaseIn(pile.say('asker.ask-1', request('r', 'short')));
  const startMs = pile.nowMs;
  for (;;) {
    pile.pass(5_000);
    const held = [{ lease, progressPermille: 0, cpuMs: 0, suspended: true as const }];
    const [renewed] = bodiesOf(pile.say('first.lend', { kind: 'renewal', held }), 'renewed');
    if (renewed?.held.length === 0) break;
  }
  const heldMs = pile.nowMs - startMs;
  assert.ok(heldMs > 60_000 && heldMs < 100_000, `${heldMs}`);
});

test('a drained vehicle keeps nothing and gets nothing, over a restart too, until it is resumed', () => {
  const pile = pileThatKeeps('first', 'second');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  const holder = [...pile.state.donors.values()].find(({ leased }) => leased.size > 0)?.vehicleId ?? of('');
  const other = holder === 'first' ? 'second' : 'first';
  pile.disconnect(`${other}.lend`);
  assert.deepEqual(operate(pile, { verb: 'drain', vehicleId: holder }), {
    ok: true,
    value: { all: false, vehicles: [holder], running: 1 },
  });
  const [revoke] = bodiesOf(pile.sent, 'revoke');
  assert.deepEqual([revoke?.reason, revoke?.graceMs], ['draining', pile.settings.checkpointGraceMs]);
  pile.say(`${holder}.lend`, checkpoint(lease, 'drained', 0));
  pile.say(`${holder}.lend`, failed(lease, 'revoked'));
  const [task] = pile.state.tasks.values();
  assert.ok(task);
  assert.deepEqual([task.instances[0]?.lease, task.instances[0]?.departures], [undefined, 0]);
  assert.equal(statusView(pile.state, pile.now()).draining.running, 0);
  pile.restart();
  pile.plug(holder);
  assert.deepEqual(bodiesOf(pile.lend(holder), 'offer'), []);
  pile.ask('asker');
  assert.equal(
    vehiclesView(pile.state, pile.now()).find((v) => v.vehicleId === holder)?.ineligible,
    'draining',
  );
  const explained = JSON.stringify(explain(pile.state, task.record.taskId, pile.now()));
  assert.match(explained, /the operator drains it/);
  assert.match(explained, /it being resumed \(plugpool resume\)/);
  assert.equal(operate(pile, { verb: 'resume', vehicleId: holder }).ok, true);
  assert.equal(offerIn(pile.sent.slice(-3)).checkpoint?.digest, digestOf('drained'));
});

test('the whole pile drains, whoever comes, and resumes at once', () => {
  const pile = pileThatKeeps('first');
  assert.equal(operate(pile, { verb: 'drain' }).ok, true);
  pile.plug('second');
  pile.lend('second');
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r', 'long')), 'offer'), []);
  assert.deepEqual(statusView(pile.state, pile.now()).draining, { all: true, vehicles: [], running: 0 });
  operate(pile, { verb: 'resume' });
  assert.equal(bodiesOf(pile.sent, 'offer').length, 1);
});

test('a vehicle that nobody knows cannot be drained, one that is not drained not resumed, and their number is bounded', () => {
  const pile = pileThatKeeps('van-7');
  const unknown = operate(pile, { verb: 'drain', vehicleId: of('van-77') });
  assert.ok(!unknown.ok);
  assert.deepEqual([unknown.code, unknown.hint], ['vehicle_unknown', 'is it van-7?']);
  const not = operate(pile, { verb: 'resume', vehicleId: of('van-7') });
  assert.ok(!not.ok && not.code === 'not_draining');
  for (let i = 0; i < DRAINED_VEHICLES_MAX; i++) pile.state.draining.vehicles.add(of(`v${i}`));
  const tooMany = operate(pile, { verb: 'drain', vehicleId: of('van-7') });
  assert.ok(!tooMany.ok && tooMany.code === 'too_many_drained');
});

test('what is drained and damaged on disk is said, and nothing is drained', () => {
  const pile = pileThatKeeps();
  pile.disk.learned.set('draining', '{"all":"perhaps"}');
  pile.restart();
  assert.deepEqual(pile.state.damaged, ['draining']);
  assert.equal(pile.state.draining.all, false);
});

/** Charges with that power, full in so long and gone in so long. */
function charge(pile: SimulatedPile, powerW: number, fullInMs: number, departureInMs: number): SentBody[] {
  const connectorId = connectorOf('car');
  return [
    ...pile.firmware({ kind: 'meter', connectorId, powerMw: powerW * 1000 }),
    ...pile.firmware({ kind: 'evInfo', connectorId, estimatedFullInMs: fullInMs, departureInMs }),
  ];
}

const HOUR_MS = 3_600_000;

test('who would not be charged in time if it computed is no donor, and what it runs is taken back', () => {
  const pile = pileThatKeeps('car');
  const { lease } = offerIn(pile.say('asker.ask-1', request('r', 'long')));
  assert.deepEqual(bodiesOf(charge(pile, 3_000, HOUR_MS, 2 * HOUR_MS), 'revoke'), []);
  const [revoke] = bodiesOf(charge(pile, 3_000, 1.9 * HOUR_MS, 2 * HOUR_MS), 'revoke');
  assert.deepEqual([revoke?.lease, revoke?.reason], [lease, 'ready_by']);
  pile.say('car.lend', failed(lease, 'revoked'));
  assert.equal(vehiclesView(pile.state, pile.now())[0]?.ineligible, 'ready_by');
  const [task] = pile.state.tasks.values();
  assert.ok(task);
  assert.match(
    JSON.stringify(explain(pile.state, task.record.taskId, pile.now())),
    /computing would keep its battery from being charged when its driver leaves/,
  );
});

test('an estimate that trembles around the limit turns a donor at most once', () => {
  const trembling = fc.array(fc.integer({ min: -200_000, max: 200_000 }), { minLength: 2, maxLength: 40 });
  fc.assert(
    fc.property(trembling, (byMs) => {
      const pile = pileThatKeeps('car');
      let turns = 0;
      let was = false;
      for (const ms of byMs) {
        charge(pile, 7_000, 1.8 * HOUR_MS + ms, 2 * HOUR_MS);
        const is = pile.state.donors.get(of('car'))?.isBehind === true;
        if (is !== was) turns += 1;
        was = is;
      }
      assert.ok(turns <= 1, `${turns} turns`);
    }),
    { numRuns: 50 },
  );
});

/** A battery that gets what computing leaves of the charge; the station tells its state every minute. */
test('law 9: the battery is charged when the driver leaves, whatever is computed meanwhile', () => {
  const car = fc.record({
    powerW: fc.integer({ min: 1_400, max: 22_000 }),
    missingWh: fc.integer({ min: 100, max: 60_000 }),
    /** Beyond what the charge alone takes, in thousandths of it. */
    slackMillis: fc.integer({ min: 150, max: 3_000 }),
    cpu: fc.integer({ min: 1_000, max: 64_000 }),
    gpu: fc.integer({ min: 0, max: 1_000 }),
  });
  fc.assert(
    fc.property(car, ({ powerW, missingWh, slackMillis, cpu, gpu }) => {
      const pile = new SimulatedPile();
      pile.plug('car');
      const has = { cpu, gpu };
      pile.lend('car', has);
      const { coreDrawsMw, gpuDrawsMw, computingPowerMaxMw } = pile.settings;
      const drawW = Math.min(computingPowerMaxMw, (cpu * coreDrawsMw + gpu * gpuDrawsMw) / 1000) / 1000;
      const aloneMs = (missingWh / powerW) * HOUR_MS;
      const departureMs = pile.nowMs + aloneMs * (1 + slackMillis / 1000);
      let leftWh = missingWh;
      const stepMs = Math.max(1_000, aloneMs / 100);
      while (pile.nowMs + stepMs <= departureMs) {
        charge(pile, powerW, (leftWh / powerW) * HOUR_MS, departureMs - pile.nowMs);
        pile.say('car.lend', capacityReport(has));
        // All that is lent computes whenever the pile might grant it.
        const computes = vehiclesView(pile.state, pile.now())[0]?.ineligible === null;
        leftWh -= ((powerW - (computes ? drawW : 0)) * stepMs) / HOUR_MS;
        if (leftWh <= 0) break;
        pile.pass(stepMs);
      }
      assert.ok(leftWh <= missingWh / 50, `${leftWh} Wh of ${missingWh} are missing`);
    }),
    { numRuns: 40 },
  );
});

test('a vehicle that comes and goes is left in peace for longer and longer, and one that stays is not', () => {
  const pile = pileThatKeeps('car');
  const eligibleAfterMs: number[] = [];
  for (let round = 0; round < 4; round++) {
    pile.pass(1_000);
    pile.unplug('car');
    pile.pass(1_000);
    pile.plug('car');
    pile.say('car.lend', capacityReport({}));
    const startMs = pile.nowMs;
    while (vehiclesView(pile.state, pile.now())[0]?.ineligible === 'settling') pile.pass(1_000);
    eligibleAfterMs.push(pile.nowMs - startMs);
  }
  assert.deepEqual(eligibleAfterMs, [0, 5_000, 10_000, 20_000]);
  pile.pass(60_000);
  pile.unplug('car');
  pile.plug('car');
  pile.say('car.lend', capacityReport({}));
  assert.notEqual(vehiclesView(pile.state, pile.now())[0]?.ineligible, 'settling');
});

test('work that waits is given to a restless vehicle as soon as its peace is over', () => {
  const pile = pileThatKeeps('car');
  for (let round = 0; round < 3; round++) {
    pile.unplug('car');
    pile.plug('car');
  }
  pile.say('car.lend', capacityReport({}));
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r', 'long')), 'offer'), []);
  assert.equal(bodiesOf(pile.pass(11_000), 'offer').length, 1);
});

test('a failed commit prolongs nobody his peace: the vehicle lends when it would have', () => {
  const pile = pileThatKeeps('car');
  for (let round = 0; round < 3; round++) {
    pile.unplug('car');
    pile.plug('car');
  }
  pile.say('car.lend', capacityReport({}));
  pile.say('asker.ask-1', request('r', 'long'));
  pile.failedStep();
  pile.step({ kind: 'tick' });
  assert.equal(bodiesOf(pile.pass(11_000), 'offer').length, 1);
});
