/** The code on the pile's display: whoever repeats it stands there, and guessing it comes to nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ConnectorClaim, VehicleId } from '@plugpool/proto';
import type { Control } from '../../agent/core/effects.ts';
import { CODE_TRIERS_MAX, WRONG_CODES_PER_STAY_MAX } from '../../agent/core/limits.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { step } from '../../agent/core/step.ts';
import { connectorsView, vehiclesView } from '../../agent/core/views.ts';
import { bodiesOf, connectorOf, hello, SimulatedPile } from '../simulation/simulated-pile.ts';

const DAY_MS = 24 * 3_600_000;

/** Connectors 1 and 2 with a vehicle each, of which nothing is known; `car` and `other` have their clients there. */
function pileWithCodes(settings: Partial<Settings> = {}): SimulatedPile {
  const pile = new SimulatedPile(settings);
  for (const connector of ['1', '2']) plug(pile, connector);
  for (const vehicle of ['car', 'other']) pile.lend(vehicle);
  return pile;
}

function plug(pile: SimulatedPile, connector: string): void {
  pile.firmware({ kind: 'plugged', connectorId: connectorOf(connector) });
  pile.firmware({ kind: 'chargingStarted', connectorId: connectorOf(connector) });
}

function codeAt(pile: SimulatedPile, connector: string): string {
  const { code } = viewOf(pile, connector);
  assert.ok(code !== null, `no code at ${connector}`);
  return code;
}

function viewOf(pile: SimulatedPile, connector: string) {
  const connectorId = connectorOf(connector);
  return connectorsView(pile.state, pile.now()).find((each) => each.connectorId === connectorId)!;
}

function wrongAt(pile: SimulatedPile): string {
  const shown = new Set([...pile.state.codes.of.values()].map(({ code }) => code));
  for (let n = 0; ; n += 1) {
    const code = String(n).padStart(6, '0');
    if (!shown.has(code)) return code;
  }
}

/** `bound`, or the code of the refusal. */
function claim(pile: SimulatedPile, vehicle: string, about: Omit<ConnectorClaim, 'kind'>): string {
  const sent = pile.say(`${vehicle}.lend`, { kind: 'connectorClaim', ...about });
  const [bound] = bodiesOf(sent, 'connectorBound');
  return bound === undefined ? (bodiesOf(sent, 'refused')[0]?.reasons[0]?.code ?? 'no answer') : 'bound';
}

function join(pile: SimulatedPile, vehicle: string): void {
  pile.connect(`${vehicle}.lend`);
  pile.say(`${vehicle}.lend`, hello({}));
}

test('the code that a connector shows binds its vehicle there, and is shown no more', () => {
  const pile = pileWithCodes();
  const code = codeAt(pile, '1');
  assert.match(code, /^\d{6}$/);
  const sent = pile.say('car.lend', { kind: 'connectorClaim', connector: '1', code });
  const bound = { kind: 'connectorBound', connectorId: 'station/1/1', assurance: 'code' };
  assert.deepEqual(bodiesOf(sent, 'connectorBound'), [bound]);
  assert.partialDeepStrictEqual(viewOf(pile, '1'), { vehicleId: 'car', assurance: 'code', code: null });
  const car = vehiclesView(pile.state, pile.now()).find(({ vehicleId }) => vehicleId === 'car');
  assert.equal(car?.ineligible, null);
});

test('a code says by itself which connector it is of', () => {
  const pile = pileWithCodes();
  assert.equal(claim(pile, 'car', { code: codeAt(pile, '2') }), 'bound');
  assert.equal(viewOf(pile, '2').vehicleId, 'car');
  assert.equal(viewOf(pile, '1').vehicleId, null);
});

test('said again by who is bound, a claim is answered again and no code is looked at', () => {
  const pile = pileWithCodes();
  claim(pile, 'car', { code: codeAt(pile, '1') });
  assert.equal(claim(pile, 'car', { connector: '1', code: wrongAt(pile) }), 'bound');
  assert.equal(claim(pile, 'car', { connector: 'station/1/1' }), 'bound');
});

test('the code that bound a vehicle is right for it again without its connector, and for it alone', () => {
  const pile = pileWithCodes();
  const code = codeAt(pile, '1');
  assert.equal(claim(pile, 'car', { code }), 'bound');
  for (let i = 0; i < 6; i += 1) assert.equal(claim(pile, 'car', { code }), 'bound', 'none counts as wrong');
  assert.equal(claim(pile, 'other', { code }), 'code_wrong');
  assert.equal(claim(pile, 'car', { code: wrongAt(pile) }), 'code_wrong');
  pile.unplug('1');
  plug(pile, '1');
  assert.equal(claim(pile, 'car', { code }), 'code_wrong', 'in the next stay');
});

test('a wrong code is refused', () => {
  const pile = pileWithCodes();
  assert.equal(claim(pile, 'car', { connector: '1', code: wrongAt(pile) }), 'code_wrong');
  assert.equal(claim(pile, 'car', { code: wrongAt(pile) }), 'code_wrong');
  assert.equal(viewOf(pile, '1').vehicleId, null);
});

test('the code of another connector is a wrong one', () => {
  const pile = pileWithCodes();
  assert.equal(claim(pile, 'car', { connector: '1', code: codeAt(pile, '2') }), 'code_wrong');
});

test('a code that is replayed after the stay is a wrong one', () => {
  const pile = pileWithCodes();
  const code = codeAt(pile, '1');
  assert.equal(claim(pile, 'car', { connector: '1', code }), 'bound');
  pile.unplug('1');
  assert.equal(claim(pile, 'other', { connector: '1', code }), 'not_plugged');
  plug(pile, '1');
  assert.notEqual(codeAt(pile, '1'), code);
  assert.equal(claim(pile, 'other', { connector: '1', code }), 'code_wrong');
});

test('after a lost link another code is shown, since another vehicle may stand there', () => {
  const pile = pileWithCodes();
  const code = codeAt(pile, '1');
  pile.firmware({ kind: 'linkLost', connectorId: connectorOf('1'), reason: 'x' });
  assert.equal(viewOf(pile, '1').code, null);
  assert.equal(claim(pile, 'car', { connector: '1', code }), 'not_plugged');
  pile.firmware({ kind: 'linkUp', connectorId: connectorOf('1') });
  plug(pile, '1');
  assert.notEqual(codeAt(pile, '1'), code);
});

test('a second vehicle that claims a taken connector is refused, whatever code it gives', () => {
  const pile = pileWithCodes();
  const code = codeAt(pile, '1');
  claim(pile, 'car', { code });
  assert.equal(claim(pile, 'other', { connector: '1', code }), 'connector_taken');
  const connectorId = connectorOf('2');
  pile.firmware({ kind: 'identity', connectorId, vehicleId: 'third' as VehicleId, assurance: 'mac' });
  assert.equal(claim(pile, 'other', { connector: '2', code: codeAt(pile, '2') }), 'connector_taken');
  assert.equal(claim(pile, 'other', { code: codeAt(pile, '2') }), 'connector_taken');
  assert.equal(viewOf(pile, '2').vehicleId, 'third');
});

test('a vehicle that is known to stand elsewhere is refused, unless it was known by less', () => {
  const pile = pileWithCodes();
  const named = { kind: 'identity', connectorId: connectorOf('1'), vehicleId: 'car' as VehicleId } as const;
  pile.firmware({ ...named, assurance: 'token' });
  assert.equal(claim(pile, 'car', { code: codeAt(pile, '2') }), 'bound_elsewhere');
  pile.unplug('1');
  plug(pile, '1');
  pile.firmware({ ...named, assurance: 'mac' });
  assert.equal(claim(pile, 'car', { code: codeAt(pile, '2') }), 'bound');
  assert.equal(pile.state.connectorOf.get('car' as VehicleId), connectorOf('2'));
});

test('a connector of another station, and one that nobody has heard of, is not known', () => {
  const pile = pileWithCodes();
  for (const connector of ['north/1/1', '9', '1/2', '/'])
    assert.equal(claim(pile, 'car', { connector, code: codeAt(pile, '1') }), 'connector_unknown');
});

test('a claim is a matter of the slot that lends', () => {
  const pile = pileWithCodes();
  pile.ask('car');
  const sent = pile.say('car.ask-1', { kind: 'connectorClaim', code: codeAt(pile, '1') });
  assert.equal(bodiesOf(sent, 'refused')[0]?.reasons[0]?.code, 'wrong_slot');
});

test('a vehicle that gives wrong codes is not heard for some minutes, at no connector', () => {
  const pile = pileWithCodes();
  for (let i = 0; i < 4; i += 1) claim(pile, 'car', { connector: '1', code: wrongAt(pile) });
  assert.equal(claim(pile, 'car', { connector: '2', code: wrongAt(pile) }), 'code_wrong');
  assert.equal(claim(pile, 'car', { connector: '2', code: codeAt(pile, '2') }), 'rate_limited');
  pile.pass(600_000);
  assert.equal(claim(pile, 'car', { connector: '2', code: codeAt(pile, '2') }), 'bound');
});

test('a vehicle that guesses patiently gives 40 codes a day at most, however it spreads them', () => {
  // Each waits as little as it may, and so many codes at a time.
  for (const atOnce of [1, 4, 5]) {
    const pile = pileWithCodes();
    let looked = 0;
    for (let minute = 0; minute < 24 * 60; minute += 10) {
      for (let i = 0; i < atOnce; i += 1) {
        // Another stay each time, so that the connectors are never what holds it back.
        for (const stay of pile.state.codes.of.values()) Object.assign(stay, { wrong: 0, wrongInStay: 0 });
        if (claim(pile, 'car', { code: wrongAt(pile) }) === 'code_wrong') looked += 1;
      }
      pile.pass(600_000);
    }
    assert.ok(looked >= 30 && looked <= 40, `${looked} were looked at, ${atOnce} at once`);
    assert.equal(claim(pile, 'car', { code: codeAt(pile, '1') }), 'bound', 'a day later it is forgiven');
  }
});

test('a connector that got wrong codes from many vehicles is left in peace, for longer each time', () => {
  const pile = pileWithCodes();
  for (let i = 0; i < 6; i += 1) join(pile, `liar-${i}`);
  for (let i = 0; i < 5; i += 1) claim(pile, `liar-${i}`, { connector: '1', code: wrongAt(pile) });
  assert.equal(claim(pile, 'car', { connector: '1', code: codeAt(pile, '1') }), 'rate_limited');
  assert.equal(claim(pile, 'other', { connector: '2', code: codeAt(pile, '2') }), 'bound');
  pile.pass(60_000);
  for (let i = 0; i < 5; i += 1)
    assert.equal(claim(pile, `liar-${i}`, { connector: '1', code: wrongAt(pile) }), 'code_wrong');
  pile.pass(60_000);
  assert.equal(claim(pile, 'car', { connector: '1', code: codeAt(pile, '1') }), 'rate_limited');
  pile.pass(60_000);
  assert.equal(claim(pile, 'car', { connector: '1', code: codeAt(pile, '1') }), 'bound');
});

test('a fleet of liars that guesses for a day has 10⁻⁴ of a chance: no more codes than a hundred are looked at in a stay', () => {
  const pile = pileWithCodes();
  const [real, foreign] = [codeAt(pile, '1'), codeAt(pile, '2')];
  let looked = 0;
  for (let n = 0, minute = 0; minute < DAY_MS / 60_000; minute += 1) {
    for (let i = 0; i < 6; i += 1, n += 1) {
      const code = String(n).padStart(6, '0');
      if (code === real || code === foreign) continue;
      const liar = `liar-${n}`;
      join(pile, liar);
      if (claim(pile, liar, n % 2 === 0 ? { code } : { connector: '1', code }) === 'code_wrong') looked += 1;
      pile.disconnect(`${liar}.lend`);
    }
    pile.pass(60_000);
  }
  assert.ok(looked >= WRONG_CODES_PER_STAY_MAX, `${looked} were looked at`);
  assert.ok(looked <= 2 * WRONG_CODES_PER_STAY_MAX, `${looked} were looked at`);
  assert.ok(WRONG_CODES_PER_STAY_MAX / 1_000_000 <= 1e-4);
  assert.equal(claim(pile, 'car', { connector: '1', code: real }), 'rate_limited');
  assert.ok(pile.state.codes.triers.size <= CODE_TRIERS_MAX);
  pile.unplug('1');
  plug(pile, '1');
  assert.equal(claim(pile, 'car', { connector: '1', code: codeAt(pile, '1') }), 'bound');
});

test('a flood of claims in one frame is answered one by one, and leaves nothing behind but its count', () => {
  const pile = pileWithCodes();
  const code = wrongAt(pile);
  const flood = Array.from({ length: 256 }, (_, i) =>
    pile.message('car.lend', { kind: 'connectorClaim', code }, i + 1),
  );
  const codes = bodiesOf(pile.step(...flood), 'refused').map(({ reasons }) => reasons[0]?.code);
  assert.deepEqual(
    [codes.length, codes.filter((each) => each === 'code_wrong').length, codes.at(-1)],
    [256, 5, 'rate_limited'],
  );
  assert.equal(pile.state.codes.triers.size, 1);
});

test('codes come from the key of the start, and not from the seed of which vehicles see traces', () => {
  const keys = [1, 2].map((word) => [word, 0, 0, 0, 0, 0, 0, 0]);
  const [one, two] = keys.map((secretKey) => codeAt(pileWithCodes({ secretKey, seed: 7 }), '1'));
  assert.notEqual(one, two);
  assert.equal(codeAt(pileWithCodes({ secretKey: keys[0]!, seed: 8 }), '1'), one);
});

test('a thousand codes are spread evenly, and no two that are shown at once are alike', () => {
  const pile = new SimulatedPile();
  for (let i = 0; i < 1_000; i += 1) pile.firmware({ kind: 'plugged', connectorId: connectorOf(`c${i}`) });
  const codes = [...pile.state.codes.of.values()].map(({ code }) => Number(code));
  assert.equal(new Set(codes).size, 1_000);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const within = codes.filter((code) => Math.floor(code / 100_000) === tenth).length;
    assert.ok(within > 60 && within < 140, `${within} of a thousand begin with ${tenth}`);
  }
});

test('no code is shown where it would say nothing new, or nothing that counts', () => {
  const named = { kind: 'identity', connectorId: connectorOf('1'), vehicleId: 'car' as VehicleId } as const;
  const pile = pileWithCodes();
  pile.firmware({ ...named, assurance: 'vin' });
  assert.notEqual(viewOf(pile, '1').code, null);
  pile.firmware({ ...named, assurance: 'token' });
  assert.equal(viewOf(pile, '1').code, null);
  assert.equal(viewOf(pileWithCodes({ plugCodes: false }), '1').code, null);
  assert.equal(viewOf(pileWithCodes({ identityAssurance: 'certificate' }), '1').code, null);
  assert.equal(viewOf(pileWithCodes({ identityAssurance: 'code' }), '1').code?.length, 6);
  const disputed = pileWithCodes();
  disputed.firmware({ ...named, assurance: 'mac' });
  disputed.firmware({ ...named, vehicleId: 'other' as VehicleId, assurance: 'mac' });
  assert.deepEqual([viewOf(disputed, '1').disputed, viewOf(disputed, '1').code], [true, null]);
});

test('the code goes to the display, again before it would go out there, and not once it was given', () => {
  const pile = new SimulatedPile();
  const shown: Control[] = [];
  const passing = (ms: number): void => {
    pile.nowMs += ms;
    shown.push(...step(pile.state, [{ kind: 'tick' }], pile.now()).controls);
  };
  const connectorId = connectorOf('1');
  const at = { receivedWallMs: pile.now().wallMs };
  const source = { name: 'x', staleAfterMs: 0 };
  const plugged = { kind: 'firmware', event: { kind: 'plugged', connectorId, at }, source } as const;
  shown.push(...step(pile.state, [plugged], pile.now()).controls);
  assert.deepEqual(shown, [], 'who is known by something else in a moment needs none');
  passing(5_000);
  const text = `Plugpool: ${codeAt(pile, '1')}`;
  assert.deepEqual(shown, [{ kind: 'showText', connectorId, text, forMs: 600_000 }]);
  passing(600_000);
  assert.equal(shown.length, 2);
  pile.lend('car');
  claim(pile, 'car', { code: codeAt(pile, '1') });
  passing(600_000);
  assert.equal(shown.length, 2);
});

test('a mere claim is taken only where the operator lets claims lend, by the first who makes it', () => {
  assert.equal(claim(pileWithCodes(), 'car', { connector: '1' }), 'not_supported');
  const pile = pileWithCodes({ identityAssurance: 'claimed' });
  assert.equal(claim(pile, 'car', { connector: '1' }), 'bound');
  assert.equal(claim(pile, 'other', { connector: '1' }), 'connector_taken');
  assert.equal(claim(pile, 'other', { connector: '1', code: codeAt(pile, '1') }), 'bound');
  assert.equal(viewOf(pile, '1').vehicleId, 'other');
});

test('a code that was shown before the disk refused is good after it', () => {
  const pile = pileWithCodes();
  const code = codeAt(pile, '1');
  pile.failedStep();
  assert.equal(codeAt(pile, '1'), code);
  join(pile, 'car');
  assert.equal(claim(pile, 'car', { code }), 'bound');
});
