/** What piles of OCPP 2.0.1 say, and what the agent makes of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pile201, TOKEN_ACCEPTED as TOKEN_OK, tells } from '../ocpp-pile.ts';

const MINUTE_MS = 60_000;

describe('OCPP 2.0.1', () => {
  it('a stay goes through all of its states', () => {
    const pile = new Pile201().status('Available').status('Occupied');
    pile.event('Started', 'a', { idToken: { idToken: 'CARD1', type: 'ISO14443' } }, TOKEN_OK);
    tells(pile, 'unplugged plugged transactionStarted(a) credential(idToken)');
    pile.state('a', 'EVConnected').state('a', 'Charging').state('a', 'SuspendedEV').state('a', 'EVConnected');
    tells(pile, 'chargingStarted suspended(EV) suspended(EVSE)');
    pile.event('Ended', 'a', { info: { stoppedReason: 'Local' } });
    tells(pile, 'chargingStopped transactionEnded(a)');
    tells(pile.status('Available'), 'unplugged');
  });

  it('a transaction that was authorised before its vehicle came begins with it, and its token with that', () => {
    const pile = new Pile201().status('Available');
    const idToken = { idToken: 'DE-ABC-C12345678', type: 'eMAID' };
    pile.event('Started', 'a', { info: { chargingState: 'Idle' }, idToken }, TOKEN_OK);
    tells(pile, 'unplugged');
    pile.event('Updated', 'a', { triggerReason: 'CablePluggedIn' });
    tells(pile, 'plugged credential(idToken) transactionStarted(a)');
  });

  it('a vehicle that departed is unplugged, whatever the connector says later', () => {
    const pile = new Pile201().charging().event('Ended', 'a', { triggerReason: 'EVDeparted' });
    tells(pile, 'transactionEnded(a) unplugged');
    pile.event('Updated', 'a').event('Ended', 'a').status('Available');
    tells(pile, '');
  });

  it('an id that begins anew is another transaction', () => {
    const pile = new Pile201().charging().event('Ended', 'a').status('Available').later(MINUTE_MS);
    pile.status('Occupied').take();
    tells(pile.event('Started', 'a').state('a', 'Charging'), 'transactionStarted(a) chargingStarted');
  });

  it('a vehicle whose cable was pulled is unplugged, and its transaction goes on when it is back', () => {
    const pile = new Pile201().charging().state('a', 'Idle');
    tells(pile, 'transactionEnded(a) unplugged');
    tells(pile.state('a', 'Charging'), 'plugged transactionStarted(a) chargingStarted');
  });

  it('the sensor of the parking bay plugs nothing in', () => {
    const pile = new Pile201().status('Available').charging();
    pile.event('Updated', 'a', { triggerReason: 'EVDetected' });
    tells(pile, '');
  });

  it('events that happened offline, and come late, move no state', () => {
    const pile = new Pile201().charging();
    pile.later(MINUTE_MS).status('Available').take();
    pile.event('Started', 'b', { offline: true, behindMs: 50_000 });
    pile.event('Ended', 'b', { offline: true, behindMs: 40_000 });
    tells(pile, '');
    pile.status('Occupied').event('Started', 'c').state('c', 'Charging').later(MINUTE_MS).take();
    tells(pile.event('Ended', 'c', { offline: true, behindMs: 30_000 }), 'transactionEnded(c)');
  });

  it('whoever left with the open transaction is unplugged, though an earlier message was stamped ahead', () => {
    const pile = new Pile201().charging();
    pile.event('Updated', 'a', { behindMs: -20 * 60 * MINUTE_MS }).take();
    pile.event('Ended', 'a', { info: { stoppedReason: 'EVDisconnected' } });
    tells(pile, 'transactionEnded(a) unplugged');
  });

  it('a fault that is over names whoever began the transaction that goes on', () => {
    const pile = new Pile201().status('Occupied');
    pile.event('Started', 'a', { idToken: { idToken: 'CARD1', type: 'ISO14443' } }, TOKEN_OK);
    pile.state('a', 'Charging').status('Faulted').take();
    tells(pile.status('Occupied'), 'plugged credential(idToken) transactionStarted(a) chargingStarted');
    pile.status('Faulted').state('a', 'SuspendedEV').take();
    tells(pile.status('Occupied'), 'plugged credential(idToken) transactionStarted(a) suspended(EV)');
  });

  it('an event without an EVSE is of the connector that holds its transaction', () => {
    const pile = new Pile201().charging().event('Updated', 'a', {
      evse: undefined,
      info: { chargingState: 'SuspendedEVSE' },
    });
    tells(pile, 'suspended(EVSE)');
    tells(pile.event('Updated', 'unheard-of', { evse: undefined }), '');
  });

  it('an EVSE without a connector is the connector in use', () => {
    const pile = new Pile201().status('Available').status('Available', { connectorId: 2 });
    pile.status('Occupied', { connectorId: 2 }).take();
    pile.event('Started', 'a', { evse: { id: 1 } });
    assert.deepEqual([...new Set(pile.events.map((event) => event.connectorId))], ['pile/1/2']);
    tells(pile, 'transactionStarted(a)');
  });

  it('numbers have a multiplier, and tokens a type', () => {
    const pile = new Pile201().charging();
    const sampledValue = [
      { value: 1.5, unitOfMeasure: { unit: 'Wh', multiplier: 3 } },
      { value: 7, measurand: 'Power.Active.Import', unitOfMeasure: { unit: 'W', multiplier: 3 } },
      { value: 61, measurand: 'SoC' },
    ];
    pile.event('Updated', 'a', { meterValue: [{ timestamp: pile.time(), sampledValue }] });
    tells(pile, 'meter(1500Wh 7000W) evInfo(61%)');
  });

  const TOKENS: readonly (readonly [type: string, told: string])[] = [
    ['ISO14443', 'credential(idToken)'],
    ['Central', 'credential(idToken)'],
    ['eMAID', 'credential(idToken)'],
    ['MacAddress', 'credential(evccid)'],
    ['EVCCID', 'credential(evccid)'],
    ['VIN', 'credential(vin)'],
    ['NoAuthorization', ''],
    ['constructor', ''],
  ];
  for (const [type, told] of TOKENS)
    it(`a token of type ${type} is ${told === '' ? 'nobody' : told}`, () => {
      const pile = new Pile201().status('Occupied');
      pile.take();
      pile.event('Started', 'a', { idToken: { idToken: 'X1', type } }, TOKEN_OK);
      tells(pile, ['transactionStarted(a)', told].filter((one) => one !== '').join(' '));
    });

  const CERTIFICATE = { certificate: '-----BEGIN CERTIFICATE-----' };
  const HASHES = { iso15118CertificateHashData: [{ hashAlgorithm: 'SHA256' }] };
  const HOLDS = { certificateStatus: 'Accepted' };
  const CONTRACTS: readonly (readonly [
    what: string,
    shown: object,
    answer: object,
    laterMs: number,
    kind: string,
  ])[] = [
    ['whose certificate holds is the car’s', CERTIFICATE, HOLDS, 0, 'emaid'],
    ['whose certificate holds by its hashes is the car’s', HASHES, HOLDS, 0, 'emaid'],
    ['whose certificate was not judged is a card', CERTIFICATE, {}, 0, 'idToken'],
    ['that came without a certificate is a card', {}, HOLDS, 0, 'idToken'],
    ['that was proven long ago is a card', CERTIFICATE, HOLDS, 11 * MINUTE_MS, 'idToken'],
  ];
  for (const [what, shown, answer, laterMs, kind] of CONTRACTS)
    it(`a contract ${what}`, () => {
      const idToken = { idToken: 'DE-ABC-C12345678', type: 'eMAID' };
      const pile = new Pile201().status('Occupied');
      pile.call('Authorize', { idToken, ...shown }, { ...TOKEN_OK, ...answer });
      for (let goneMs = 0; goneMs < laterMs; goneMs += MINUTE_MS) pile.later(MINUTE_MS).call('Heartbeat', {});
      const told = pile.event('Started', 'a', { idToken }, TOKEN_OK).take().split(' ');
      assert.deepEqual(
        told.filter((one) => one.startsWith('credential')),
        [`credential(${kind})`],
      );
    });

  it('a contract whose certificate is refused is no contract', () => {
    const idToken = { idToken: 'DE-ABC-C12345678', type: 'eMAID' };
    const refused = { idTokenInfo: { status: 'Invalid' } };
    const pile = new Pile201().status('Occupied').event('Started', 'a', { idToken }, refused);
    tells(pile, 'plugged transactionStarted(a)');
    pile.call('Authorize', { idToken }, { ...TOKEN_OK, certificateStatus: 'CertificateRevoked' });
    pile.event('Ended', 'a').status('Available').status('Occupied').take();
    tells(pile.event('Started', 'b', { idToken }), 'transactionStarted(b)');
  });

  it('needs say when the vehicle leaves; now, and before it, is not known', () => {
    const pile = new Pile201().charging();
    const needs = (departureTime: string | undefined, more: object = {}) =>
      pile.call('NotifyEVChargingNeeds', {
        evseId: 1,
        chargingNeeds: { requestedEnergyTransfer: 'DC', departureTime, ...more },
      });
    needs(pile.time(-30 * MINUTE_MS), { dcChargingParameters: { stateOfCharge: 42 } });
    needs(pile.time()).story.advance({ monoMs: 0, wallMs: pile.wallMs });
    needs(pile.time(5 * MINUTE_MS));
    tells(pile, 'evInfo(42% leaves in 30 min)');
  });

  it('where nobody says it, a register that grows is charging, and one that stands still has no supply', () => {
    const energy = (value: number) => ({
      meterValue: [{ timestamp: pile.time(), sampledValue: [{ value }] }],
    });
    const pile = new Pile201().status('Occupied').event('Started', 'a');
    pile.event('Updated', 'a', energy(100)).take();
    tells(pile.later(20_000).event('Updated', 'a', energy(200)), 'meter(200Wh) chargingStarted');
    tells(pile.later(20_000).event('Updated', 'a', energy(200)), 'meter(200Wh)');
    tells(pile.later(50_000).event('Updated', 'a', energy(200)), 'meter(200Wh) suspended(EVSE)');
    tells(pile.later(20_000).event('Updated', 'a', energy(210)), 'meter(210Wh) chargingStarted');
    pile.state('a', 'SuspendedEV').take();
    tells(pile.later(20_000).event('Updated', 'a', energy(211)), 'meter(211Wh)');
  });
});
