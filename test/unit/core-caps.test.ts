/** Caps on connectors: who may want one, how long the station is held to it, and whether it is seen to work. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import type { Control } from '../../agent/core/effects.ts';
import type { OperatorAnswer, OperatorCommand } from '../../agent/core/events.ts';
import { CAPPED_CONNECTORS_MAX } from '../../agent/core/limits.ts';
import { capsSeenToWork } from '../../agent/core/power/cap-evidence.ts';
import { dropCap, wantCap } from '../../agent/core/power/caps.ts';
import { DEFAULT_POWER } from '../../agent/core/power/power-settings.ts';
import { step } from '../../agent/core/step.ts';
import { beginTurn } from '../../agent/core/turn.ts';
import { connectorsView } from '../../agent/core/views.ts';
import {
  bodiesOf,
  capacityReport,
  connectorOf,
  request,
  SimulatedPile,
} from '../simulation/simulated-pile.ts';

const KW = 1_000_000;
const HOUR_MS = 3_600_000;
const CONNECTOR = connectorOf('a');
const OK: ControlOutcome = { ok: true };

function pileThatCaps(): SimulatedPile {
  const pile = new SimulatedPile({ power: { ...DEFAULT_POWER, caps: true } });
  pile.plug('a');
  pile.answerControl = () => OK;
  return pile;
}

/** In a step of its own, with what comes of it. */
function operate(pile: SimulatedPile, command: OperatorCommand): OperatorAnswer {
  const effects = step(pile.state, [{ kind: 'operator', question: 7, command }], pile.now());
  pile.commit(effects);
  pile.controls.push(...effects.controls);
  for (const control of effects.controls) answer(pile, control);
  const [answered] = effects.answers;
  assert.ok(answered);
  return answered.answer;
}

function answer(pile: SimulatedPile, control: Control): void {
  const outcome = pile.answerControl(control);
  if (outcome !== undefined) pile.step({ kind: 'controlled', control, outcome });
}

const capTo = (kw: number, forMs = HOUR_MS): OperatorCommand => ({
  verb: 'setCap',
  connectorId: CONNECTOR,
  powerMw: kw * KW,
  forMs,
});

function readPower(pile: SimulatedPile, kw: number): void {
  pile.firmware({ kind: 'meter', connectorId: CONNECTOR, powerMw: kw * KW });
}

function capOf(pile: SimulatedPile) {
  return connectorsView(pile.state, pile.now())[0]?.cap ?? null;
}

test('a cap is told with a time after which the station forgets it, renewed at half of it, and cleared when it is over', () => {
  const pile = pileThatCaps();
  assert.equal(operate(pile, capTo(11, 5 * 60_000)).ok, true);
  assert.deepEqual(pile.controls, [
    { kind: 'setCap', connectorId: CONNECTOR, powerMw: 11 * KW, forMs: 120_000 },
  ]);
  assert.deepEqual([capOf(pile)?.answer, capOf(pile)?.wantedBy], ['set', ['operator']]);
  pile.controls.length = 0;
  pile.pass(60_000);
  assert.equal(pile.controls.length, 1);
  pile.pass(3 * 60_000 + 1);
  // What is left of the five minutes is less than the station would remember by itself.
  assert.deepEqual(pile.controls.at(-1), {
    kind: 'setCap',
    connectorId: CONNECTOR,
    powerMw: 11 * KW,
    forMs: 60_000,
  });
  pile.pass(60_000);
  assert.deepEqual(pile.controls.at(-1), { kind: 'clearCap', connectorId: CONNECTOR });
  assert.equal(capOf(pile), null);
  const { length } = pile.controls;
  pile.pass(HOUR_MS);
  assert.equal(pile.controls.length, length, 'a cap that is over is told no more');
});

test('while nobody reaches the station, it is not said that a cap is set', () => {
  const pile = pileThatCaps();
  operate(pile, capTo(11));
  assert.equal(capOf(pile)?.answer, 'set');
  pile.firmware({ kind: 'linkLost', connectorId: CONNECTOR, reason: 'cut' });
  assert.equal(capOf(pile)?.answer, 'link_lost');
  pile.firmware({ kind: 'linkUp', connectorId: CONNECTOR });
  pile.firmware({ kind: 'chargingStarted', connectorId: CONNECTOR });
  assert.equal(capOf(pile)?.answer, 'set');
});

test('at no time is the station told to remember a cap for longer than it is wanted, nor left without one that is', () => {
  const wants = fc.array(
    fc.record({
      by: fc.constantFrom('operator' as const, 'presence' as const),
      kw: fc.integer({ min: 5, max: 50 }),
      forMs: fc.integer({ min: 1_000, max: 10 * 60_000 }),
      thenMs: fc.integer({ min: 0, max: 4 * 60_000 }),
      drops: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(wants, (all) => {
      const pile = pileThatCaps();
      const wanted = new Map<string, { kw: number; untilMs: number }>();
      let station: { powerMw: number; untilMs: number } | undefined;
      pile.answerControl = (control) => {
        if (control.kind === 'setCap')
          station = { powerMw: control.powerMw, untilMs: pile.nowMs + control.forMs };
        if (control.kind === 'clearCap') station = undefined;
        return OK;
      };
      const check = (): void => {
        const live = [...wanted.values()].filter(({ untilMs }) => untilMs > pile.nowMs);
        const held = station !== undefined && station.untilMs > pile.nowMs ? station.powerMw : undefined;
        const lowest = live.length === 0 ? undefined : Math.min(...live.map(({ kw }) => kw * KW));
        assert.equal(held, lowest);
      };
      for (const { by, kw, forMs, thenMs, drops } of all) {
        const turn = beginTurn(pile.state, pile.now());
        if (drops) dropCap(turn, CONNECTOR, by);
        else wantCap(turn, CONNECTOR, by, { powerMw: kw * KW, forMs });
        if (drops) wanted.delete(by);
        else wanted.set(by, { kw, untilMs: pile.nowMs + forMs });
        pile.commit(turn.effects);
        for (const control of turn.effects.controls) answer(pile, control);
        check();
        for (let passedMs = 0; passedMs < thenMs; passedMs += 7_001) {
          pile.pass(Math.min(7_001, thenMs - passedMs));
          check();
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a cap needs the operator’s switch, a connector that is known, power enough to go on charging, and an end', () => {
  const off = new SimulatedPile();
  off.plug('a');
  const codeOf = (pile: SimulatedPile, command: OperatorCommand): string => {
    const answered = operate(pile, command);
    return answered.ok ? 'ok' : answered.code;
  };
  assert.equal(codeOf(off, capTo(11)), 'caps_off');
  const pile = pileThatCaps();
  assert.equal(codeOf(pile, capTo(4.1)), 'cap_too_low');
  assert.equal(codeOf(pile, capTo(4.2)), 'ok');
  assert.equal(codeOf(pile, capTo(11, 8 * 24 * HOUR_MS)), 'cap_too_long');
  assert.equal(
    codeOf(pile, { ...capTo(11), connectorId: connectorOf('b') } as OperatorCommand),
    'connector_unknown',
  );
  assert.equal(codeOf(pile, { verb: 'clearCap', connectorId: connectorOf('b') }), 'connector_unknown');
  assert.equal(off.controls.length, 0, 'what is switched off tells a station nothing');
});

test('no more connectors are capped than the bound', () => {
  const pile = pileThatCaps();
  const turn = beginTurn(pile.state, pile.now());
  for (let n = 0; n < CAPPED_CONNECTORS_MAX; n += 1)
    assert.ok(wantCap(turn, connectorOf(`n${n}`), 'operator', { powerMw: 11 * KW, forMs: HOUR_MS }));
  assert.equal(wantCap(turn, CONNECTOR, 'operator', { powerMw: 11 * KW, forMs: HOUR_MS }), false);
});

test('what the operator wants outlives a restart for the rest of its time, what the agent wants for itself does not', () => {
  const pile = pileThatCaps();
  operate(pile, capTo(11));
  const turn = beginTurn(pile.state, pile.now());
  wantCap(turn, CONNECTOR, 'presence', { powerMw: 7 * KW, forMs: HOUR_MS });
  pile.commit(turn.effects);
  pile.pass(20 * 60_000);
  pile.restart();
  pile.controls.length = 0;
  pile.pass(1);
  const told = pile.controls.map((control) => control.kind === 'setCap' && [control.powerMw, control.forMs]);
  assert.deepEqual(told, [[11 * KW, 120_000]]);
  pile.plug('a');
  pile.pass(39 * 60_000);
  assert.equal(capOf(pile)?.powerMw, 11 * KW);
  pile.pass(2 * 60_000);
  assert.equal(capOf(pile), null);
});

test('a cap that was over while the agent was away is cleared at its start', () => {
  const pile = pileThatCaps();
  operate(pile, capTo(11, 60_000));
  pile.nowMs += 10 * 60_000;
  pile.restart();
  pile.controls.length = 0;
  pile.pass(1);
  assert.deepEqual(pile.controls, [{ kind: 'clearCap', connectorId: CONNECTOR }]);
});

test('a cap whose commit failed is no cap: what the station may have heard of it is cleared', () => {
  const pile = pileThatCaps();
  const turn = beginTurn(pile.state, pile.now());
  wantCap(turn, CONNECTOR, 'presence', { powerMw: 7 * KW, forMs: HOUR_MS });
  pile.failedStep({ kind: 'tick' });
  pile.pass(1);
  assert.deepEqual(pile.controls, [{ kind: 'clearCap', connectorId: CONNECTOR }]);
});

test('a station that refuses is asked again, ever more seldom, and the operator sees why', () => {
  const pile = pileThatCaps();
  pile.answerControl = () => ({ ok: false, code: 'refused', message: 'no' });
  operate(pile, capTo(11, 24 * HOUR_MS));
  assert.equal(capOf(pile)?.answer, 'refused');
  pile.pass(HOUR_MS);
  const asked = pile.controls.length;
  assert.ok(asked >= 6 && asked <= 12, `asked ${asked} times in an hour`);
  pile.answerControl = () => OK;
  pile.pass(10 * 60_000);
  assert.equal(capOf(pile)?.answer, 'set');
});

test('a station that knows no cap without a transaction is told it as soon as one begins, and again with the next', () => {
  const pile = pileThatCaps();
  let isOpen = false;
  pile.answerControl = () => (isOpen ? OK : { ok: false, code: 'refused', message: 'no transaction' });
  operate(pile, capTo(11, 24 * HOUR_MS));
  pile.pass(HOUR_MS);
  assert.equal(capOf(pile)?.answer, 'refused');
  for (const transactionId of ['tx-1', 'tx-2']) {
    isOpen = true;
    pile.controls.length = 0;
    pile.firmware({ kind: 'transactionStarted', connectorId: CONNECTOR, transactionId });
    assert.deepEqual([pile.controls.length, capOf(pile)?.answer], [1, 'set']);
  }
});

test('power that falls to a new cap shows that caps work; that which stays above shows that they do not', () => {
  const pile = pileThatCaps();
  readPower(pile, 22);
  operate(pile, capTo(11));
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), false, 'nothing was seen yet');
  pile.pass(10_000);
  readPower(pile, 10.9);
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), true);
  assert.equal(capOf(pile)?.seen, 'works');
  operate(pile, capTo(7));
  pile.pass(60_000);
  readPower(pile, 10.9);
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), true, 'it may still be on its way');
  pile.pass(121_000);
  readPower(pile, 10.9);
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), false);
  assert.equal(capOf(pile)?.seen, 'ignored');
});

test('a vehicle that took less than the cap anyway, or that stops, shows nothing', () => {
  const pile = pileThatCaps();
  readPower(pile, 8);
  operate(pile, capTo(11));
  pile.pass(10_000);
  readPower(pile, 7.9);
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), false);
  readPower(pile, 22);
  operate(pile, capTo(9));
  pile.pass(10_000);
  readPower(pile, 0.1);
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), false, 'a car that is full stops too');
  readPower(pile, 22);
  operate(pile, capTo(8));
  pile.firmware({ kind: 'suspended', connectorId: CONNECTOR, by: 'EV' });
  pile.pass(10_000);
  readPower(pile, 8);
  assert.equal(capsSeenToWork(pile.state, CONNECTOR), false);
});

const MINUTE_MS = 60_000;

function pileWithALender(kw: number, fullInMs: number, departureInMs: number): SimulatedPile {
  const pile = pileThatCaps();
  pile.addAlgorithm('sum');
  pile.lend('a');
  pile.ask('asker');
  readPower(pile, kw);
  pile.firmware({ kind: 'evInfo', connectorId: CONNECTOR, estimatedFullInMs: fullInMs, departureInMs });
  return pile;
}

test('a cap that would keep the battery from being charged in time ends what computes there, and its end lets it lend again', () => {
  const pile = pileWithALender(22, HOUR_MS, 3 * HOUR_MS);
  const [offer] = bodiesOf(pile.say('asker.ask-1', request('r', 'sum')), 'offer');
  assert.ok(offer);
  operate(pile, capTo(11));
  // Two hours of three: there is time.
  assert.equal(bodiesOf(pile.sent, 'revoke').length, 0);
  operate(pile, capTo(7));
  assert.deepEqual(
    bodiesOf(pile.sent, 'revoke').map(({ reason }) => reason),
    ['ready_by'],
  );
  assert.equal(isBehind(pile), true);
  operate(pile, { verb: 'clearCap', connectorId: CONNECTOR });
  pile.say('a.lend', capacityReport({}));
  assert.equal(isBehind(pile), false);
});

test('a cap for a moment, as a proof of presence sets it, takes nothing back', () => {
  const pile = pileWithALender(22, HOUR_MS, 2 * HOUR_MS);
  pile.say('asker.ask-1', request('r', 'sum'));
  const turn = beginTurn(pile.state, pile.now());
  wantCap(turn, CONNECTOR, 'presence', { powerMw: 5 * KW, forMs: 15_000 });
  pile.commit(turn.effects);
  for (const control of turn.effects.controls) answer(pile, control);
  assert.equal(capOf(pile)?.answer, 'set');
  pile.say('a.lend', capacityReport({}));
  assert.equal(isBehind(pile), false);
});

test('under a cap it counts what has flowed since the estimate, and not the time that went by', () => {
  const pile = pileWithALender(22, HOUR_MS, 2.7 * HOUR_MS);
  operate(pile, capTo(11));
  readPower(pile, 11);
  for (let minutes = 0; minutes < 80; minutes += 1) {
    pile.pass(MINUTE_MS);
    if (minutes === 50) operate(pile, capTo(11, 4 * HOUR_MS));
    readPower(pile, 11);
    pile.say('a.lend', capacityReport({}));
  }
  // The estimate is over, and a third of the charge is still to come: 40 min of the 82 that are left.
  assert.equal(isBehind(pile), false);
  operate(pile, capTo(5, 4 * HOUR_MS));
  readPower(pile, 5);
  assert.equal(isBehind(pile), true);
});

function isBehind(pile: SimulatedPile): boolean {
  return pile.state.donors.get('a' as VehicleId)?.isBehind === true;
}
