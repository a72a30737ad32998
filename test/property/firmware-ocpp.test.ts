/** Whatever piles say, in whatever order: the adapter's story never throws, and keeps the order of the port. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { OcppSubprotocol } from '../../firmware-bridge/ocpp/tap.ts';
import { ToldOcpp } from '../ocpp-pile.ts';

type Act = (pile: ToldOcpp) => unknown;

const transactionId = fc.constantFrom<unknown>(1, 2, '1', 'a', -1, '', null, 'x'.repeat(80));
const connector = fc.constantFrom<unknown>(1, 1, 1, 1, 1, 2, 0, -1, '1', undefined);
const behindMs = fc.constantFrom(0, 0, 0, 1_000, 60_000, 3_600_000, -3_600_000, 1e12, -1e13);
const number = fc.constantFrom<unknown>(0, 1, 150.5, -3, 255, 1e300, '7', '1e3', 'NaN', null, '');
const answer = fc.constantFrom<unknown>(
  undefined,
  {},
  { idTagInfo: { status: 'Accepted' }, transactionId: 1 },
  { idTagInfo: { status: 'Blocked' }, transactionId: 2 },
  { idTokenInfo: { status: 'Accepted' } },
  { status: 'Accepted', interval: 30 },
  { status: 'Accepted', interval: -1 },
);
const token = fc.constantFrom<unknown>('CARD1', { idToken: 'CARD1', type: 'eMAID' }, undefined, 7);

const sample = fc.record({
  value: number,
  measurand: fc.constantFrom(
    undefined,
    'Energy.Active.Import.Register',
    'Power.Active.Import',
    'SoC',
    'Temperature',
  ),
  unit: fc.constantFrom(undefined, 'Wh', 'kWh', 'W', 'kW', 'Percent'),
  phase: fc.constantFrom(undefined, 'L1', 'L2', 'L1-L2'),
  unitOfMeasure: fc.constantFrom(
    undefined,
    { unit: 'kWh' },
    { unit: 'Wh', multiplier: 3 },
    { multiplier: 400 },
  ),
});

const act16: fc.Arbitrary<Act> = fc.oneof(
  fc
    .tuple(
      connector,
      fc.constantFrom(
        'Available',
        'Preparing',
        'Charging',
        'SuspendedEV',
        'SuspendedEVSE',
        'Finishing',
        'Faulted',
        'Unavailable',
        'Reserved',
        'Odd',
      ),
      behindMs,
      fc.boolean(),
    )
    .map(
      ([connectorId, status, behind, isTimed]): Act =>
        (pile) =>
          pile.call('StatusNotification', {
            connectorId,
            errorCode: 'NoError',
            status,
            timestamp: isTimed ? stamp(pile, behind) : undefined,
          }),
    ),
  fc.tuple(connector, token, number, behindMs, answer).map(
    ([connectorId, idTag, meterStart, behind, said]): Act =>
      (pile) =>
        pile.call(
          'StartTransaction',
          { connectorId, idTag, meterStart, timestamp: stamp(pile, behind) },
          said,
        ),
  ),
  fc.tuple(transactionId, number, behindMs, fc.constantFrom(undefined, 'EVDisconnected', 'Local')).map(
    ([id, meterStop, behind, reason]): Act =>
      (pile) =>
        pile.call('StopTransaction', {
          transactionId: id,
          meterStop,
          reason,
          timestamp: stamp(pile, behind),
        }),
  ),
  fc.tuple(connector, transactionId, fc.array(sample, { maxLength: 4 }), behindMs).map(
    ([connectorId, id, sampledValue, behind]): Act =>
      (pile) =>
        pile.call('MeterValues', {
          connectorId,
          transactionId: id,
          meterValue: [{ timestamp: stamp(pile, behind), sampledValue }],
        }),
  ),
);

const act201: fc.Arbitrary<Act> = fc.oneof(
  fc
    .tuple(
      connector,
      connector,
      fc.constantFrom('Available', 'Occupied', 'Reserved', 'Faulted', 'Unavailable', 'Odd'),
      behindMs,
    )
    .map(
      ([evseId, connectorId, connectorStatus, behind]): Act =>
        (pile) =>
          pile.call('StatusNotification', {
            evseId,
            connectorId,
            connectorStatus,
            timestamp: stamp(pile, behind),
          }),
    ),
  fc
    .record({
      eventType: fc.constantFrom('Started', 'Updated', 'Ended', 'Odd'),
      id: transactionId,
      behind: behindMs,
      evse: fc.constantFrom(
        undefined,
        { id: 1 },
        { id: 1, connectorId: 2 },
        { id: 1, connectorId: 1 },
        'odd',
      ),
      chargingState: fc.constantFrom(
        undefined,
        'Idle',
        'EVConnected',
        'Charging',
        'SuspendedEV',
        'SuspendedEVSE',
      ),
      triggerReason: fc.constantFrom('ChargingStateChanged', 'EVDeparted', 'CablePluggedIn', 'EVDetected'),
      stoppedReason: fc.constantFrom(undefined, 'EVDisconnected', 'Local'),
      offline: fc.constantFrom(undefined, true, false),
      idToken: token,
      sampledValue: fc.array(sample, { maxLength: 3 }),
      said: answer,
    })
    .map(
      ({ eventType, id, behind, evse, chargingState, stoppedReason, sampledValue, said, ...rest }): Act =>
        (pile) =>
          pile.call(
            'TransactionEvent',
            {
              ...rest,
              eventType,
              evse,
              timestamp: stamp(pile, behind),
              transactionInfo: { transactionId: id, chargingState, stoppedReason },
              meterValue: [{ timestamp: stamp(pile, behind), sampledValue }],
            },
            said,
          ),
    ),
  fc.tuple(connector, behindMs, number).map(
    ([evseId, behind, stateOfCharge]): Act =>
      (pile) =>
        pile.call('NotifyEVChargingNeeds', {
          evseId,
          chargingNeeds: { departureTime: stamp(pile, behind), dcChargingParameters: { stateOfCharge } },
        }),
  ),
);

const actOfLink: fc.Arbitrary<Act> = fc.oneof(
  fc.constantFrom<Act>(
    (pile) => pile.link('up'),
    (pile) => pile.link('down'),
    (pile) => pile.call('BootNotification', {}, { status: 'Accepted', interval: 30 }),
    (pile) => pile.call('Heartbeat', {}, {}),
    (pile) => pile.line({ t: 'hello', version: 1, relayBootId: 'r', allow: [] }),
    (pile) => pile.line({ t: 'recalledAll' }),
    (pile) => pile.lose(),
  ),
  fc.integer({ min: 0, max: 600_000 }).map(
    (byMs): Act =>
      (pile) =>
        pile.later(byMs),
  ),
  fc.json().map(
    (text): Act =>
      (pile) =>
        pile.text(text),
  ),
  fc.tuple(fc.constantFrom(2, 3, 4, 5, 6, 7), fc.jsonValue()).map(
    ([type, value]): Act =>
      (pile) =>
        pile.text(JSON.stringify([type, 'call-1', 'MeterValues', value]), type === 3 ? 'csms' : 'pile'),
  ),
);

function stamp(pile: ToldOcpp, behind: number): string | undefined {
  const atMs = pile.wallMs - behind;
  return Math.abs(atMs) > 8e15 ? undefined : new Date(atMs).toISOString();
}

function keepsTheOrder(subprotocol: OcppSubprotocol, acts: readonly Act[]): void {
  const pile = new ToldOcpp(subprotocol);
  pile.link('up');
  for (const act of acts) act(pile.later(1));
  assert.deepEqual(pile.problems, []);
}

describe('the story of any frames', () => {
  for (const [subprotocol, act] of [
    ['ocpp1.6', act16],
    ['ocpp2.0.1', act201],
  ] as const)
    it(`of ${subprotocol} keeps the order of the port`, () => {
      fc.assert(
        fc.property(fc.array(fc.oneof({ weight: 8, arbitrary: act }, actOfLink), { maxLength: 60 }), (acts) =>
          keepsTheOrder(subprotocol, acts),
        ),
        { numRuns: 1_500 },
      );
    });
});
