/** The judge of the conformance suite itself: it must see what an adapter does wrong, and let the rest pass. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConnectorId } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent, FirmwareFact } from '../../firmware-bridge/index.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';

const connectorId = parseConnectorId('1', 'pile');
const plugged: FirmwareFact = { kind: 'plugged', connectorId };
const unplugged: FirmwareFact = { kind: 'unplugged', connectorId };
const chargingStarted: FirmwareFact = { kind: 'chargingStarted', connectorId };
const linkLost: FirmwareFact = { kind: 'linkLost', connectorId, reason: 'cut' };
const faulted: FirmwareFact = { kind: 'faulted', connectorId, reason: 'ground' };
const linkUp: FirmwareFact = { kind: 'linkUp', connectorId };
const started: FirmwareFact = { kind: 'transactionStarted', connectorId, transactionId: 'a' };

/** What the last of the events is reproached with; those before it must pass. */
function judge(...facts: readonly FirmwareFact[]): readonly string[] {
  const order = new FirmwareOrder();
  const verdicts = facts.map((fact, index) => order.see({ ...fact, at: { receivedWallMs: index } }));
  assert.deepEqual(verdicts.slice(0, -1).flat(), []);
  return verdicts[verdicts.length - 1] ?? [];
}

describe('FirmwareOrder', () => {
  const wrong: readonly (readonly [string, RegExp, readonly FirmwareFact[]])[] = [
    ['charging before plugged', /before plugged/, [chargingStarted]],
    ['charging after unplugged', /before plugged/, [plugged, unplugged, chargingStarted]],
    ['plugged twice', /plugged in already/, [plugged, plugged]],
    ['an event without link', /between linkLost and linkUp/, [plugged, linkLost, chargingStarted]],
    ['a link that returns and was not lost', /without linkLost/, [linkUp]],
    [
      'a state after linkUp that is not told from the beginning',
      /before plugged/,
      [plugged, linkLost, linkUp, chargingStarted],
    ],
    ['a second transaction', /another transaction/, [plugged, started, started]],
    ['unplugged in a transaction', /has not ended/, [plugged, started, unplugged]],
    [
      'the end of another transaction',
      /is not open/,
      [plugged, started, { kind: 'transactionEnded', connectorId, transactionId: 'b' }],
    ],
    [
      'charging after it stopped for good',
      /stopped for good/,
      [plugged, { kind: 'chargingStopped', connectorId }, chargingStarted],
    ],
    [
      'a state after a fault that is not told from the beginning',
      /not told anew after the fault/,
      [plugged, faulted, chargingStarted],
    ],
    ['what is no number', /socPermille/, [plugged, { kind: 'evInfo', connectorId, socPermille: Number.NaN }]],
  ];
  for (const [what, reproach, facts] of wrong) {
    it(`sees ${what}`, () => {
      assert.match(judge(...facts).join(), reproach);
    });
  }

  it('lets a stay pass in which the link was lost and what is true was told anew', () => {
    assert.deepEqual(judge(plugged, started, linkLost, linkUp, plugged, started, chargingStarted), []);
  });

  it('lets a stay pass that is told anew after a fault', () => {
    assert.deepEqual(judge(plugged, started, faulted, plugged, started, chargingStarted), []);
  });

  it('sees time that runs backwards, connector by connector', () => {
    const order = new FirmwareOrder();
    const at = (fact: FirmwareFact, receivedWallMs: number): FirmwareEvent => ({
      ...fact,
      at: { receivedWallMs },
    });
    order.see(at(plugged, 10));
    assert.deepEqual(order.see(at({ ...plugged, connectorId: parseConnectorId('2', 'pile') }, 5)), []);
    assert.match(order.see(at(chargingStarted, 9)).join(), /received before/);
  });

  it('sees what the adapter did not declare', () => {
    const order = new FirmwareOrder(new Set(['power']));
    order.see({ ...plugged, at: { receivedWallMs: 0 } });
    const meter = {
      kind: 'meter',
      connectorId,
      powerMw: 1,
      energyMwh: 1,
      at: { receivedWallMs: 0 },
    } as const;
    assert.deepEqual(order.see(meter), ['pile/1/1 meter: the adapter does not declare energy']);
  });
});
