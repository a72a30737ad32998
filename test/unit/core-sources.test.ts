/** Several adapters speak of one connector; a source falls silent; its clock is years off: what holds then, and from which moment. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VehicleId } from '@plugpool/proto';
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import { SOURCES_PER_CONNECTOR_MAX } from '../../agent/core/limits.ts';
import { isVerified, newSession, transition, type Session } from '../../agent/core/sessions/session.ts';
import type { FirmwareSource } from '../../agent/core/sessions/sources.ts';
import { step } from '../../agent/core/step.ts';
import { connectorsView } from '../../agent/core/views.ts';
import {
  bodiesOf,
  connectorOf,
  leaseIn,
  pileWith,
  request,
  SimulatedPile,
} from '../simulation/simulated-pile.ts';

const connectorId = connectorOf('1');
const BUS: FirmwareSource = { name: 'gbt27930#1', staleAfterMs: 5_000 };
const OCPP: FirmwareSource = { name: 'ocpp#2', staleAfterMs: 0 };
const PERSON: FirmwareSource = { name: 'manual#3', staleAfterMs: 0, unwatched: true };

type Fact<Event = FirmwareEvent> = Event extends FirmwareEvent ? Omit<Event, 'at' | 'connectorId'> : never;

/** One connector, whoever tells of it, and the time. */
class Told {
  session: Session;
  monoMs = 1_000;

  constructor() {
    this.session = newSession(connectorId, this.now);
  }

  get now() {
    return { monoMs: this.monoMs, wallMs: 1_700_000_000_000 + this.monoMs };
  }

  by(source: FirmwareSource, ...facts: Fact[]): this {
    for (const fact of facts) {
      const event = { ...fact, connectorId, at: { receivedWallMs: this.now.wallMs } } as FirmwareEvent;
      this.session = transition(this.session, event, source, this.now);
    }
    return this;
  }

  after(ms: number): this {
    this.monoMs += ms;
    return this;
  }

  get isVerified(): boolean {
    return isVerified(this.session, this.now);
  }
}

const LOST: Fact = { kind: 'linkLost', reason: 'silence' };

describe('a charger’s bus beside OCPP', () => {
  const both = (): Told =>
    new Told()
      .by(OCPP, { kind: 'unplugged' })
      .by(BUS, { kind: 'plugged' }, { kind: 'chargingStarted' })
      .by(OCPP, { kind: 'plugged' });

  it('is at odds with it until both say that a vehicle is there', () => {
    const told = new Told().by(OCPP, { kind: 'unplugged' }).by(BUS, { kind: 'plugged' });
    assert.equal(told.session.state, 'plugged');
    assert.equal(told.isVerified, false);
    assert.equal(told.by(OCPP, { kind: 'plugged' }).isVerified, true);
  });

  it('keeps its state when the other says again that a vehicle is plugged in', () => {
    assert.equal(both().session.state, 'charging');
  });

  it('may fall silent, as it does at the end of charging, while OCPP still vouches', () => {
    const told = both().by(BUS, LOST);
    assert.equal(told.isVerified, true);
    assert.equal(told.by(OCPP, { kind: 'suspended', by: 'EV' }).session.state, 'suspendedEV');
    assert.equal(told.by(OCPP, { kind: 'unplugged' }).session.state, 'unplugged');
  });

  it('vouches alone while OCPP is cut off, and who is there stays as sure as it was', () => {
    const told = both().by(OCPP, {
      kind: 'identity',
      vehicleId: 'car' as VehicleId,
      assurance: 'token',
    });
    told.by(OCPP, LOST);
    assert.equal(told.isVerified, true);
    told.by(OCPP, { kind: 'linkUp' }, { kind: 'plugged' });
    assert.equal(told.session.state, 'charging');
    assert.equal(told.session.identity?.assurance, 'token');
    assert.equal(told.by(BUS, LOST).by(OCPP, LOST).isVerified, false);
  });

  it('does not vouch by samples for a vehicle that the other saw leave', () => {
    const told = both().by(OCPP, { kind: 'unplugged' }).by(BUS, { kind: 'meter', powerMw: 1 });
    assert.equal(told.session.state, 'unplugged');
    told.by(OCPP, { kind: 'plugged' }, LOST);
    assert.equal(told.isVerified, false, 'what the bus said was of the vehicle before');
  });

  it('counts energy by the register that was told first, and by the other once that one is not heard', () => {
    const told = both()
      .by(OCPP, { kind: 'meter', energyMwh: 4_321e6 })
      .by(BUS, { kind: 'meter', energyMwh: 1e6 });
    told.by(OCPP, { kind: 'meter', energyMwh: 4_322e6 });
    assert.equal(told.session.energyMwh, 4_322e6);
    assert.deepEqual([told.session.meter?.registerMwh, told.session.meter?.breaks], [4_322e6, 0]);
    told.by(OCPP, LOST).by(BUS, { kind: 'meter', energyMwh: 2e6 }, { kind: 'meter', energyMwh: 2.5e6 });
    assert.deepEqual([told.session.meter?.registerMwh, told.session.meter?.breaks], [2.5e6, 1]);
  });
});

describe('what a person says', () => {
  it('holds where nobody else speaks of the connector', () => {
    const told = new Told().by(PERSON, { kind: 'plugged' }, { kind: 'chargingStarted' });
    assert.equal(told.after(1e9).isVerified, true);
  });

  it('vouches for nothing once firmware speaks of the connector', () => {
    const told = new Told().by(OCPP, { kind: 'plugged' }).by(PERSON, { kind: 'plugged' }).by(OCPP, LOST);
    assert.equal(told.isVerified, false);
  });
});

it('one fresh sample verifies again what was silent', () => {
  const told = new Told().by(BUS, { kind: 'plugged' }, { kind: 'chargingStarted' }).after(5_001);
  assert.equal(told.isVerified, false);
  assert.equal(told.by(BUS, { kind: 'meter' }).isVerified, true);
  assert.equal(told.session.state, 'charging');
});

it('a reading that is doubted is remembered until one is believed, and breaks the meter', () => {
  const doubt = { field: 'energyMwh', value: 7, why: 'ranBackwards' } as const;
  const told = new Told().by(BUS, { kind: 'plugged' }, { kind: 'meter', energyMwh: 5e6 });
  told.by(BUS, { kind: 'meter', powerMw: 1, doubted: [doubt] }, { kind: 'evInfo', socPermille: 5 });
  assert.deepEqual(told.session.doubted, { energyMwh: doubt });
  assert.equal(told.session.energyMwh, 5e6);
  told.by(BUS, { kind: 'meter', energyMwh: 8 });
  assert.equal(told.session.doubted, undefined);
  assert.deepEqual([told.session.meter?.registerMwh, told.session.meter?.breaks], [8, 1]);
});

it('more sources than a connector can have are not kept', () => {
  const told = new Told().by(OCPP, { kind: 'plugged' });
  for (let n = 0; n < 100; n++) told.by({ ...BUS, name: `bus#${n}` }, { kind: 'plugged' });
  assert.equal(told.session.sources.length, SOURCES_PER_CONNECTOR_MAX);
});

describe('a donor whose connector falls silent', () => {
  const STALE_MS = 3_000;
  function scene(): SimulatedPile {
    const pile = new SimulatedPile({ leaseMs: 3_600_000, capacityStaleMs: 3_600_000 });
    pile.addAlgorithm('sum');
    pile.ask('asker');
    pile.sourceOf = () => ({ name: 'bus', staleAfterMs: STALE_MS });
    pile.plug('donor');
    pile.lend('donor');
    return pile;
  }
  const ask = (pile: SimulatedPile, id: string) => pile.say('asker.ask-1', request(id, 'sum'));

  it('is granted nothing from the first moment past its staleness, though nothing was heard in between', () => {
    const pile = scene();
    pile.pass(STALE_MS);
    leaseIn(ask(pile, 'in time'));
    pile.pass(1);
    assert.deepEqual(bodiesOf(ask(pile, 'late'), 'offer'), []);
  });

  it('keeps its lease for the grace, which begins by a timer alone, and loses it then', () => {
    const pile = scene();
    leaseIn(ask(pile, 'r1'));
    assert.deepEqual(bodiesOf(pile.pass(STALE_MS + pile.settings.unverifiedGraceMs), 'revoke'), []);
    const [revoked] = bodiesOf(pile.pass(2), 'revoke');
    assert.equal(revoked?.reason, 'session_unverified');
  });

  it('is granted again with the next sample, without anybody asking anew', () => {
    const pile = scene();
    pile.pass(STALE_MS + 1);
    assert.deepEqual(bodiesOf(ask(pile, 'waits'), 'offer'), []);
    assert.equal(
      bodiesOf(pile.firmware({ kind: 'meter', connectorId: connectorOf('donor') }), 'offer').length,
      1,
    );
  });

  it('is granted again when the one that spoke against it falls silent, by a timer alone', () => {
    const pile = scene();
    const other = { name: 'other', staleAfterMs: 1_000 };
    const at = { receivedWallMs: 0 };
    const said = { kind: 'unplugged', connectorId: connectorOf('donor'), at } as const;
    pile.step({ kind: 'firmware', event: said, source: other });
    pile.plug('donor');
    assert.deepEqual(bodiesOf(ask(pile, 'waits'), 'offer'), []);
    assert.equal(bodiesOf(pile.pass(1_001), 'offer').length, 1);
  });
});

it('a source whose clock says 1970 or 2099 changes nothing but what is shown', () => {
  const told = [0, Date.UTC(2026, 2, 1), Date.UTC(2099, 0, 1)].map((sourceWallMs) => {
    const pile = pileWith('donor');
    const id = connectorOf('donor');
    for (const fact of [
      { kind: 'suspended', by: 'EVSE' },
      { kind: 'evInfo', departureInMs: 3_600_000, estimatedFullInMs: 60_000 },
      { kind: 'chargingStarted' },
    ] as const) {
      const event = { ...fact, connectorId: id, at: { receivedWallMs: pile.now().wallMs, sourceWallMs } };
      pile.step({ kind: 'firmware', event: event as FirmwareEvent, source: pile.sourceOf(id) });
    }
    const [view] = connectorsView(pile.state, pile.now());
    assert.equal(view?.sources[0]?.sourceWallMs, sourceWallMs);
    const { sources: _, ...session } = pile.state.sessions.get(id)!;
    return { session, stay: pile.state.donors.get('donor' as VehicleId)?.stay };
  });
  assert.deepEqual(told[0], told[1]);
  assert.deepEqual(told[2], told[1]);
});

describe('a link that is lost', () => {
  const linkOf = (pile: SimulatedPile) => connectorsView(pile.state, pile.now())[0]?.sources[0];
  const told = (pile: SimulatedPile, fact: Fact) =>
    step(
      pile.state,
      [
        {
          kind: 'firmware',
          event: { ...fact, connectorId, at: { receivedWallMs: pile.now().wallMs } } as FirmwareEvent,
          source: BUS,
        },
      ],
      pile.now(),
    ).logs;

  it('is warned of with its reason, also before anything was heard, and once for each reason', () => {
    const pile = new SimulatedPile();
    const absent = { kind: 'linkLost', reason: 'no such device' } as const;
    const fields = { connectorId, source: 'gbt27930#1', reason: 'no such device' };
    assert.deepEqual(told(pile, absent), [{ level: 'warn', message: 'firmware is not heard', fields }]);
    assert.deepEqual(told(pile, absent), []);
    assert.equal(told(pile, LOST)[0]?.fields['reason'], 'silence');
    const [again] = told(pile, { kind: 'linkUp' });
    assert.deepEqual([again?.level, again?.message], ['info', 'firmware is heard again']);
    told(pile, { kind: 'chargingStarted' });
    assert.equal(told(pile, LOST)[0]?.level, 'warn', 'while it charges, too');
  });

  it('is shown with its reason until it is up again', () => {
    const pile = new SimulatedPile();
    told(pile, { kind: 'plugged' });
    assert.equal(linkOf(pile)?.lostReason, null);
    told(pile, LOST);
    assert.partialDeepStrictEqual(linkOf(pile), { link: 'lost', lostReason: 'silence' });
    told(pile, { kind: 'linkUp' });
    assert.partialDeepStrictEqual(linkOf(pile), { link: 'lost', lostReason: null });
  });
});
