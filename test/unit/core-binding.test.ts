/** Who is plugged in where: what was bound names a vehicle, a stay has one, and the operator says how sure is sure enough. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CredentialKind, IdentityAssurance } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import { bindingsView } from '../../agent/core/binding/bindings.ts';
import type { OperatorAnswer, OperatorCommand } from '../../agent/core/events.ts';
import { BINDINGS_MAX } from '../../agent/core/limits.ts';
import { step } from '../../agent/core/step.ts';
import { connectorsView, vehiclesView } from '../../agent/core/views.ts';
import { bodiesOf, connectorOf, pileWith, request, SimulatedPile } from '../simulation/simulated-pile.ts';

const connectorId = connectorOf('1');
const [car, other] = ['car', 'other'] as VehicleId[] as [VehicleId, VehicleId];

function pseudonymOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32);
}

function show(pile: SimulatedPile, kind: CredentialKind, name: string, connector = '1') {
  return pile.firmware({
    kind: 'credential',
    connectorId: connectorOf(connector),
    credential: { kind, pseudonym: pseudonymOf(name) },
  });
}

function operate(pile: SimulatedPile, command: OperatorCommand): OperatorAnswer {
  const effects = step(pile.state, [{ kind: 'operator', question: 1, command }], pile.now());
  pile.commit(effects);
  return effects.answers[0]!.answer;
}

function bind(pile: SimulatedPile, kind: CredentialKind, name: string, vehicleId = car, replace = false) {
  const credential = { kind, pseudonym: pseudonymOf(name) };
  return operate(pile, { verb: 'bindCredential', vehicleId, credential, replace });
}

function identify(pile: SimulatedPile, vehicleId: VehicleId, assurance: IdentityAssurance, connector = '1') {
  return pile.firmware({
    kind: 'identity',
    connectorId: connectorOf(connector),
    vehicleId,
    assurance,
  });
}

function plugged(pile = new SimulatedPile()): SimulatedPile {
  pile.firmware({ kind: 'plugged', connectorId });
  pile.firmware({ kind: 'chargingStarted', connectorId });
  return pile;
}

function at(pile: SimulatedPile, connector = '1') {
  const found = connectorsView(pile.state, pile.now()).find(
    (each) => each.connectorId === connectorOf(connector),
  );
  assert.ok(found);
  return found;
}

function ineligible(pile: SimulatedPile, vehicleId: VehicleId = car) {
  return vehiclesView(pile.state, pile.now()).find((each) => each.vehicleId === vehicleId)?.ineligible;
}

for (const [kind, assurance] of [
  ['idToken', 'token'],
  ['evccid', 'mac'],
  ['vin', 'vin'],
  ['emaid', 'certificate'],
] as const)
  test(`a bound ${kind} that is shown names its vehicle, with the assurance ${assurance}`, () => {
    const pile = new SimulatedPile();
    assert.ok(bind(pile, kind, 'x').ok);
    plugged(pile);
    show(pile, kind, 'x');
    assert.deepEqual([at(pile).vehicleId, at(pile).assurance], ['car', assurance]);
  });

test('what nobody bound names nobody', () => {
  const pile = plugged();
  show(pile, 'idToken', 'x');
  assert.equal(at(pile).vehicleId, null);
});

test('a credential of one kind is not one of another kind with the same pseudonym', () => {
  const pile = plugged();
  bind(pile, 'vin', 'x');
  show(pile, 'emaid', 'x');
  assert.equal(at(pile).vehicleId, null);
});

test('bindings outlive a restart', () => {
  const pile = new SimulatedPile();
  bind(pile, 'vin', 'x');
  bind(pile, 'evccid', 'y');
  operate(pile, { verb: 'unbind', vehicleId: car, kind: 'evccid' });
  pile.restart();
  assert.deepEqual(
    bindingsView(pile.state.bindings).map(({ vehicleId, kind }) => [vehicleId, kind]),
    [['car', 'vin']],
  );
});

test('a credential is bound to one vehicle, and taken from it only where that is said', () => {
  const pile = plugged();
  bind(pile, 'idToken', 'x');
  show(pile, 'idToken', 'x');
  const refused = bind(pile, 'idToken', 'x', other);
  assert.equal(refused.ok ? '' : refused.code, 'bound_to_another');
  assert.equal(at(pile).vehicleId, 'car');
  assert.ok(bind(pile, 'idToken', 'x', other, true).ok);
  assert.deepEqual([at(pile).vehicleId, at(pile).assurance], ['other', 'token']);
});

test('bound while it is shown, it names the vehicle at once', () => {
  const pile = plugged();
  show(pile, 'vin', 'x');
  bind(pile, 'vin', 'x');
  assert.equal(at(pile).vehicleId, 'car');
});

test('the operator binds all that was shown at a connector to the vehicle that he sees there', () => {
  const pile = plugged();
  show(pile, 'vin', 'x');
  show(pile, 'evccid', 'y');
  const answer = operate(pile, { verb: 'bindConnector', vehicleId: car, connectorId, replace: false });
  assert.deepEqual(answer, { ok: true, value: { vehicleId: car, connectorId, kinds: ['vin', 'evccid'] } });
  assert.deepEqual([at(pile).vehicleId, at(pile).assurance], ['car', 'operator']);
  pile.unplug('1');
  plugged(pile);
  show(pile, 'vin', 'x');
  assert.deepEqual([at(pile).vehicleId, at(pile).assurance], ['car', 'vin']);
});

test('of a free connector, and of a kind that was not shown, nothing can be bound', () => {
  const pile = new SimulatedPile();
  const codeOf = (answer: OperatorAnswer): string => (answer.ok ? '' : answer.code);
  const order = { verb: 'bindConnector', vehicleId: car, connectorId, replace: false } as const;
  assert.equal(codeOf(operate(pile, order)), 'not_plugged');
  plugged(pile);
  assert.equal(codeOf(operate(pile, { ...order, kind: 'vin' })), 'credential_unknown');
  assert.ok(operate(pile, order).ok);
});

test('at a connector that is faulted nothing is bound: nobody sees who is there', () => {
  for (const before of [plugged(), new SimulatedPile()]) {
    before.firmware({ kind: 'faulted', connectorId, reason: 'ground' });
    const answer = operate(before, { verb: 'bindConnector', vehicleId: car, connectorId, replace: false });
    assert.equal(answer.ok === false && answer.code, 'not_plugged');
    before.firmware({ kind: 'chargingStarted', connectorId });
    assert.equal(at(before).vehicleId, null);
  }
});

test('after a fault a known vehicle lends again when what it shows is shown again', () => {
  const pile = plugged();
  bind(pile, 'idToken', 'card');
  show(pile, 'idToken', 'card');
  pile.lend('car');
  assert.equal(ineligible(pile), null);
  pile.firmware({ kind: 'faulted', connectorId, reason: 'ground' });
  pile.firmware({ kind: 'chargingStarted', connectorId });
  assert.equal(ineligible(pile), 'identity_too_weak');
  show(pile, 'idToken', 'card');
  assert.equal(ineligible(pile), null);
});

test('unbound while it stands there, that it stands there is a claim and lends nothing', () => {
  const pile = plugged();
  bind(pile, 'idToken', 'x');
  show(pile, 'idToken', 'x');
  pile.lend('car');
  assert.equal(ineligible(pile), null);
  operate(pile, { verb: 'unbind', vehicleId: car });
  assert.equal(at(pile).assurance, 'claimed');
  assert.equal(ineligible(pile), 'identity_too_weak');
});

test('the number of bindings is bounded', () => {
  const pile = new SimulatedPile();
  for (let i = 0; i < BINDINGS_MAX; i += 1)
    pile.state.bindings.set(`vin/${i}`, {
      credential: { kind: 'vin', pseudonym: String(i) },
      vehicleId: car,
      boundWallMs: 1,
    });
  const answer = bind(pile, 'vin', 'one more');
  assert.equal(answer.ok ? '' : answer.code, 'too_many_bindings');
});

test('a stronger sign of the same vehicle is believed, a weaker one changes nothing', () => {
  const pile = plugged();
  identify(pile, car, 'mac');
  identify(pile, car, 'token');
  identify(pile, car, 'vin');
  assert.equal(at(pile).assurance, 'token');
});

test('in mid-session a weaker sign of another vehicle is refused', () => {
  const pile = plugged();
  identify(pile, car, 'token');
  pile.lend('car');
  identify(pile, other, 'vin');
  assert.equal(at(pile).vehicleId, 'car');
  assert.equal(ineligible(pile), null);
});

for (const assurance of ['token', 'certificate'] as const)
  test(`in mid-session another vehicle by ${assurance} is refused: who is there is disputed, and nobody lends until the stay ends`, () => {
    const pile = plugged(pileWith());
    identify(pile, car, 'token');
    pile.lend('car');
    pile.lend('other');
    pile.say('asker.ask-1', request('r-1', 'sum'));
    const sent = identify(pile, other, assurance);
    assert.equal(bodiesOf(sent, 'revoke')[0]?.reason, 'session_unverified');
    assert.equal(at(pile).vehicleId, 'car');
    assert.equal(ineligible(pile), 'identity_disputed');
    assert.equal(ineligible(pile, other), 'not_plugged');
    identify(pile, car, 'certificate');
    assert.equal(ineligible(pile), 'identity_disputed');
    pile.unplug('1');
    plugged(pile);
    identify(pile, car, 'token');
    assert.equal(ineligible(pile), null);
  });

test('a dispute ends where the operator says who it is', () => {
  const pile = plugged();
  identify(pile, car, 'token');
  identify(pile, other, 'token');
  pile.lend('other');
  operate(pile, { verb: 'bindConnector', vehicleId: other, connectorId, replace: false });
  assert.equal(at(pile).vehicleId, 'other');
  assert.equal(ineligible(pile, other), null);
});

test('a car that tells another VIN in one stay is another car, whatever it was known by', () => {
  const pile = plugged();
  show(pile, 'vin', 'x');
  identify(pile, car, 'operator');
  pile.lend('car');
  show(pile, 'vin', 'x');
  assert.equal(ineligible(pile), null);
  show(pile, 'vin', 'y');
  assert.equal(ineligible(pile), 'identity_disputed');
});

test('a randomised MAC address disputes only what rests on the MAC address', () => {
  const pile = plugged();
  bind(pile, 'evccid', 'x');
  show(pile, 'evccid', 'x');
  identify(pile, car, 'code');
  pile.lend('car');
  show(pile, 'evccid', 'y');
  assert.equal(ineligible(pile), null);
  pile.unplug('1');
  plugged(pile);
  show(pile, 'evccid', 'x');
  show(pile, 'evccid', 'y');
  assert.equal(ineligible(pile), 'identity_disputed');
});

test('a weaker sign elsewhere does not take a vehicle away from where it is seen to stand', () => {
  const pile = plugged();
  identify(pile, car, 'token');
  pile.lend('car');
  pile.firmware({ kind: 'plugged', connectorId: connectorOf('2') });
  identify(pile, car, 'mac', '2');
  assert.equal(pile.state.connectorOf.get(car), connectorId);
  assert.equal(ineligible(pile), null);
  identify(pile, car, 'certificate', '2');
  assert.equal(pile.state.connectorOf.get(car), connectorOf('2'));
});

test('a vehicle is shown at one connector: where it was before, nobody is known', () => {
  const pile = plugged();
  identify(pile, car, 'code');
  pile.lend('car');
  pile.firmware({ kind: 'plugged', connectorId: connectorOf('2') });
  identify(pile, car, 'operator', '2');
  pile.firmware({ kind: 'meter', connectorId, powerMw: 1 });
  assert.deepEqual([at(pile).vehicleId, at(pile).state], [null, 'charging']);
  assert.deepEqual([at(pile, '2').vehicleId, at(pile, '2').assurance], ['car', 'operator']);
  assert.equal(pile.state.connectorOf.get(car), connectorOf('2'));
  pile.unplug('2');
  pile.firmware({ kind: 'meter', connectorId, powerMw: 1 });
  assert.equal(pile.state.connectorOf.get(car), undefined);
});

test('who left unseen contradicts nobody who comes after', () => {
  const pile = plugged();
  identify(pile, car, 'token');
  pile.firmware({ kind: 'plugged', connectorId: connectorOf('2') });
  identify(pile, car, 'token', '2');
  identify(pile, other, 'token');
  assert.deepEqual([at(pile).vehicleId, at(pile).disputed], ['other', false]);
});

test('a vehicle lends from the assurance on that the operator wants', () => {
  for (const [wanted, lends] of [
    ['claimed', true],
    ['vin', true],
    ['code', false],
    ['certificate', false],
  ] as const) {
    const pile = plugged(new SimulatedPile({ identityAssurance: wanted }));
    identify(pile, car, 'vin');
    pile.lend('car');
    assert.equal(ineligible(pile) === null, lends, wanted);
  }
});

test('after a lost link who is there is a claim: its runs go on for the grace, nothing more is granted until it is said again', () => {
  const pile = pileWith();
  plugged(pile);
  identify(pile, car, 'token');
  pile.lend('car');
  pile.say('asker.ask-1', request('r-1', 'sum'));
  pile.firmware({ kind: 'linkLost', connectorId, reason: 'x' });
  pile.firmware({ kind: 'linkUp', connectorId });
  plugged(pile);
  assert.equal(ineligible(pile), 'identity_too_weak');
  assert.equal(bodiesOf(pile.sent, 'revoke').length, 0);
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r-2', 'sum')), 'offer').length, 0);
  const anew = identify(pile, car, 'token');
  assert.equal(bodiesOf(anew, 'offer').length, 1);
  assert.equal(bodiesOf(pile.pass(pile.settings.unverifiedGraceMs + 1), 'revoke').length, 0);
});

test('who is not named again within the grace loses its runs', () => {
  const pile = pileWith();
  plugged(pile);
  identify(pile, car, 'token');
  pile.lend('car');
  pile.say('asker.ask-1', request('r-1', 'sum'));
  pile.firmware({ kind: 'linkLost', connectorId, reason: 'x' });
  pile.firmware({ kind: 'linkUp', connectorId });
  plugged(pile);
  const { lease } = [...pile.state.donors.get(car)!.leased.values()][0]!;
  const id = {
    instanceId: [...pile.state.donors.get(car)!.leased.keys()][0]!,
    fencingToken: lease!.fencingToken,
  };
  const sent = [];
  for (let passedMs = 0; passedMs <= pile.settings.unverifiedGraceMs; passedMs += 5_000) {
    sent.push(...pile.pass(5_000));
    pile.say('car.lend', { kind: 'renewal', held: [{ lease: id, progressPermille: 1, cpuMs: 1 }] });
  }
  assert.equal(bodiesOf(sent, 'revoke')[0]?.reason, 'session_unverified');
});
