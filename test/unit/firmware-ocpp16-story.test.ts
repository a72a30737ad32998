/** What piles of OCPP 1.6 say, and what the agent makes of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CARD_ACCEPTED as ACCEPTED, Pile16, tells } from '../ocpp-pile.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('OCPP 1.6', () => {
  it('a stay goes through all of its states', () => {
    const pile = new Pile16().status('Available').status('Preparing').start(1).status('Charging');
    tells(pile, 'unplugged plugged meter(0Wh) credential(idToken) transactionStarted(1) chargingStarted');
    pile.status('SuspendedEV').status('SuspendedEVSE').status('Charging');
    tells(pile, 'suspended(EV) suspended(EVSE) chargingStarted');
    pile.stop(1).status('Finishing');
    tells(pile, 'meter(3000Wh) chargingStopped transactionEnded(1)');
  });

  it('a connector that is finishing for hours is unplugged when it is available, and not before', () => {
    const pile = new Pile16().charging().stop(1).status('Finishing');
    for (let hours = 0; hours < 12; hours++) pile.later(HOUR_MS / 12).call('Heartbeat', {});
    tells(pile, 'meter(3000Wh) chargingStopped transactionEnded(1)');
    tells(pile.status('Available'), 'unplugged');
  });

  it('a transaction that nobody stopped ends when its connector is free', () => {
    tells(new Pile16().charging().status('Available'), 'transactionEnded(1) unplugged');
  });

  it('a stop by the vehicle that left is its unplugging', () => {
    const pile = new Pile16().charging().stop(1, { reason: 'EVDisconnected' });
    tells(pile, 'meter(3000Wh) transactionEnded(1) unplugged');
    tells(pile.status('Finishing').status('Available'), '');
  });

  it('charging again after the end is another stay', () => {
    const pile = new Pile16().charging().stop(1).status('Finishing');
    pile.take();
    tells(pile.status('Preparing'), 'unplugged plugged');
    pile.start(2).status('Charging');
    tells(pile, 'meter(0Wh) credential(idToken) transactionStarted(2) chargingStarted');
  });

  for (const flowing of ['Charging', 'SuspendedEV', 'SuspendedEVSE'])
    it(`preparing after ${flowing} is another stay, whose end was not heard`, () => {
      const pile = new Pile16().charging().status(flowing);
      pile.take();
      tells(pile.status('Preparing'), 'transactionEnded(1) unplugged plugged');
      tells(pile.status('Charging').status('Preparing'), 'chargingStarted unplugged plugged');
    });

  it('preparing beside a meter that runs is no supply, until it runs again', () => {
    const power = (value: string) => [{ value, measurand: 'Power.Active.Import' }];
    const pile = new Pile16().status('Preparing').start(1).meter(1, power('7000'));
    pile.take();
    tells(pile.status('Preparing'), 'suspended(EVSE)');
    tells(pile.meter(1, power('7000')), 'meter(7000W) chargingStarted');
  });

  it('another transaction while one is open is another stay', () => {
    const pile = new Pile16().charging().start(2);
    tells(pile, 'transactionEnded(1) unplugged plugged meter(0Wh) credential(idToken) transactionStarted(2)');
  });

  it('an id that is given again is another transaction', () => {
    const pile = new Pile16().charging().stop(1).status('Available').status('Preparing');
    pile.take();
    tells(pile.start(1), 'meter(0Wh) credential(idToken) transactionStarted(1)');
  });

  it('readings of a transaction that ended are not told, but those under its id of the one that is open', () => {
    const pile = new Pile16().charging().stop(1).status('Available').energy(1, 3100);
    tells(pile, 'meter(3000Wh) chargingStopped transactionEnded(1) unplugged');
    pile.status('Preparing').start(2).take();
    tells(pile.energy(1, 50), 'meter(50Wh) chargingStarted');
  });

  it('a transaction whose start was not heard is taken up with its readings', () => {
    tells(new Pile16().energy(77, 500), 'plugged transactionStarted(77) meter(500Wh)');
    tells(new Pile16().stop(77), '');
  });

  it('nobody is told of connector 0', () => {
    const pile = new Pile16().status('Available', { connectorId: 0 }).start(1, { connectorId: 0 });
    tells(pile.meter(undefined, [{ value: '1', unit: 'Wh' }]), '');
  });

  it('a fault is told with its code, and the state when it is over', () => {
    const pile = new Pile16().charging().status('Faulted', { errorCode: 'GroundFailure' });
    tells(pile.status('Faulted', { errorCode: 'GroundFailure' }), 'faulted(Faulted: GroundFailure)');
    tells(pile.status('Charging'), 'plugged credential(idToken) transactionStarted(1) chargingStarted');
    tells(
      pile.status('Unavailable').status('Available'),
      'faulted(Unavailable) transactionEnded(1) unplugged',
    );
    tells(pile.status('Unavailable').status('Available'), 'faulted(Unavailable) unplugged');
  });

  it('a vehicle that is plugged in, and no more, is told anew when a fault is over', () => {
    const pile = new Pile16().status('Preparing').status('Faulted');
    tells(pile, 'plugged faulted(Faulted)');
    tells(pile.status('Preparing'), 'plugged');
  });

  it('whoever showed a card is not named after a fault in which the transaction ended', () => {
    const pile = new Pile16().charging().status('Faulted').stop(1);
    tells(pile, 'faulted(Faulted) meter(3000Wh) transactionEnded(1)');
    tells(pile.status('Finishing'), 'plugged chargingStopped');
    tells(pile.status('Unavailable').status('Finishing'), 'faulted(Unavailable) plugged chargingStopped');
  });

  it('preparing after a fault in which energy flowed is another stay', () => {
    const pile = new Pile16().charging().status('Faulted').status('Preparing');
    tells(pile, 'faulted(Faulted) transactionEnded(1) unplugged plugged');
  });

  it('a token counts once the CSMS accepted it', () => {
    const pile = new Pile16().status('Preparing');
    const payload = { connectorId: 1, idTag: 'CARD1', meterStart: 0, timestamp: pile.time() };
    pile.call('StartTransaction', payload, { transactionId: 1, idTagInfo: { status: 'Blocked' } });
    tells(pile, 'plugged meter(0Wh) transactionStarted(1)');
    const other = new Pile16().status('Preparing').call('Authorize', { idTag: 'CARD1' }, ACCEPTED);
    tells(other.call('StartTransaction', payload), 'plugged credential(idToken) meter(0Wh)');
  });

  it('an error as the answer to every call leaves what the pile itself said', () => {
    const pile = new Pile16().status('Preparing');
    pile.text('[2,"s","StartTransaction",{"connectorId":1,"idTag":"CARD1","meterStart":0}]');
    pile.text('[4,"s","InternalError","",{}]', 'csms').text('[4,"x","GenericError","",{}]', 'csms');
    tells(pile.status('Charging'), 'plugged meter(0Wh) chargingStarted');
  });

  it('power is the total, or else the sum of the phases; the outlet comes before the inlet', () => {
    const power = (value: string, more: object) => ({ value, measurand: 'Power.Active.Import', ...more });
    const pile = new Pile16().charging();
    pile.meter(1, [power('2300', { phase: 'L1' }), power('2.2', { phase: 'L2', unit: 'kW' })]);
    pile.meter(1, [power('2300', { phase: 'L1' }), power('2200', { phase: 'L2-N' })]);
    pile.meter(1, [power('9', { phase: 'L1' }), power('11', { unit: 'kW' })]);
    pile.meter(1, [power('90', { location: 'Inlet' }), power('70', { location: 'Outlet' })]);
    tells(pile, 'meter(2302.2W) meter(4500W) meter(11000W) meter(70W)');
  });

  it('what cannot be true is told as doubted', () => {
    const pile = new Pile16().charging();
    pile.meter(1, [{ value: '255', measurand: 'SoC', unit: 'Percent' }]);
    pile.energy(1, -5).meter(1, [{ value: '-700', measurand: 'Power.Active.Import', unit: 'W' }]);
    pile.meter(1, [
      { value: '54.5', measurand: 'SoC', unit: 'Percent' },
      { value: 'NaN', unit: 'Wh' },
    ]);
    tells(
      pile,
      'evInfo(socPermille outOfRange) meter(energyMwh outOfRange) meter(powerMw outOfRange) evInfo(54.5%)',
    );
  });

  it('a register labelled kWh is held back until it has grown, and is Wh where it grew too fast', () => {
    const kwh = (value: string) => [{ value, unit: 'kWh', measurand: 'Energy.Active.Import.Register' }];
    const honest = new Pile16();
    honest.meter(7, kwh('812.5')).later(MINUTE_MS).meter(7, kwh('812.6'));
    tells(honest, 'plugged transactionStarted(7) meter(812600Wh)');
    const wrong = new Pile16();
    wrong.meter(7, kwh('812500')).later(MINUTE_MS).meter(7, kwh('812600'));
    tells(wrong, 'plugged transactionStarted(7) meter(812600Wh)');
  });

  it('a time of 1970 and one of 2099 are as if there were none', () => {
    const pile = new Pile16().charging().status('SuspendedEV', { timestamp: '1970-01-01T00:00:07Z' });
    pile.status('Charging', { timestamp: '2099-01-01T00:00:00Z' }).status('SuspendedEV');
    assert.ok(pile.events.every(({ at }) => at.sourceWallMs === undefined));
    tells(pile, 'suspended(EV) chargingStarted suspended(EV)');
  });

  it('a clock that lags an hour makes nothing old', () => {
    const pile = new Pile16().status('Available', { timestamp: '2026-11-21T11:00:00Z' });
    pile.later(MINUTE_MS).status('Preparing', { timestamp: '2026-11-21T11:01:00Z' });
    pile.start(1, { timestamp: '2026-11-21T11:01:00Z' });
    tells(pile, 'unplugged plugged meter(0Wh) credential(idToken) transactionStarted(1)');
  });
});
