/** Which readings are believed beside those before them, and why the others are not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  CONNECTOR_POWER_MW_MAX,
  Plausibility,
  checkFirmwareEvent,
  type DoubtedReading,
  type FirmwareEvent,
  type FirmwareFact,
} from '../../firmware-bridge/index.ts';

const connectorId = 'pile/1/1' as FirmwareEvent['connectorId'];
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const WALL_MS = Date.UTC(2026, 2, 1, 8);
const KW = 1e6;
const KWH = 1e6;

type Fact = FirmwareFact extends infer One
  ? One extends FirmwareFact
    ? Omit<One, 'connectorId'>
    : never
  : never;

/** One connector; time goes by as the test says. */
class Scene {
  readonly plausibility: Plausibility;
  monoMs = 0;
  /** Of the source's own clock, where it has one. */
  sourceWallMs: number | undefined;

  constructor(powerMwMax?: number) {
    this.plausibility = new Plausibility({ powerMwMax });
    this.say({ kind: 'plugged' });
  }

  say(fact: Fact, at: { sourceWallMs?: number } = {}): FirmwareEvent {
    const source = this.sourceWallMs === undefined ? {} : { sourceWallMs: this.sourceWallMs };
    const said = { ...fact, connectorId, at: { receivedWallMs: WALL_MS + this.monoMs, ...source, ...at } };
    const { event } = checkFirmwareEvent(said);
    assert.ok(event);
    return this.plausibility.judge(event, this.monoMs).event;
  }

  /** What is doubted of an energy reading that comes so much later. */
  energy(energyMwh: number, afterMs = MINUTE_MS): DoubtedReading['why'] | undefined {
    return whyOf(this.after(afterMs).say({ kind: 'meter', energyMwh }));
  }

  soc(socPermille: number, afterMs = MINUTE_MS): DoubtedReading['why'] | undefined {
    return whyOf(this.after(afterMs).say({ kind: 'evInfo', socPermille }));
  }

  after(ms: number): this {
    this.monoMs += ms;
    if (this.sourceWallMs !== undefined) this.sourceWallMs += ms;
    return this;
  }
}

function doubtsOf(event: FirmwareEvent): readonly DoubtedReading[] {
  return 'doubted' in event ? (event.doubted ?? []) : [];
}

function whyOf(event: FirmwareEvent): DoubtedReading['why'] | undefined {
  const [doubt, ...more] = doubtsOf(event);
  assert.deepEqual(more, []);
  return doubt?.why;
}

describe('an energy register', () => {
  it('that grows as a charger gives is believed', () => {
    const scene = new Scene();
    for (let minute = 0; minute < 60; minute++) assert.equal(scene.energy(minute * 2.5 * KWH), undefined);
  });

  it('that begins anew is doubted once and believed from where it is', () => {
    const scene = new Scene();
    scene.energy(80 * KWH);
    assert.equal(scene.energy(0), 'ranBackwards');
    assert.equal(scene.energy(0.1 * KWH), undefined);
    assert.equal(scene.energy(0.2 * KWH), undefined);
  });

  it('that was misread once goes on as if nothing had been', () => {
    for (const misread of [0, 1e6 * KWH, -5]) {
      const scene = new Scene();
      scene.energy(80 * KWH);
      assert.notEqual(scene.energy(misread), undefined);
      assert.equal(scene.energy(80.2 * KWH), undefined);
    }
  });

  it('in Wh labelled kWh is never believed beyond its first reading', () => {
    const scene = new Scene(22 * KW);
    const wrong = (minute: number): number => minute * 0.12 * KWH * 1000;
    assert.equal(scene.energy(wrong(1)), undefined);
    for (let minute = 2; minute < 20; minute++) assert.equal(scene.energy(wrong(minute)), 'exceedsPower');
  });

  it('is held against the power that was reported', () => {
    const scene = new Scene();
    const metered = (energyMwh: number): FirmwareEvent =>
      scene.after(MINUTE_MS).say({ kind: 'meter', powerMw: 3.7 * KW, energyMwh });
    assert.equal(whyOf(metered(0)), undefined);
    assert.equal(whyOf(metered(0.06 * KWH)), undefined);
    assert.equal(whyOf(metered(60 * KWH)), 'exceedsPower', '3.6 MW, where 3.7 kW are reported');
  });

  it('may be a rounding below what was told before', () => {
    const scene = new Scene();
    scene.energy(1_230.62 * 1000);
    assert.equal(scene.energy(1_230 * 1000), undefined);
  });

  it('that waited for a link is measured by the clock of its source, and by no more than an hour of it', () => {
    const scene = new Scene(11 * KW);
    scene.sourceWallMs = WALL_MS;
    scene.energy(0);
    for (let quarter = 1; quarter <= 4; quarter++) {
      scene.sourceWallMs += 15 * MINUTE_MS;
      assert.equal(scene.energy(quarter * 2.75 * KWH, 1), undefined, 'a backlog of an hour in a few ms');
    }
    scene.sourceWallMs += 365 * 24 * HOUR_MS;
    assert.equal(
      scene.energy(1_000 * KWH, 1),
      'exceedsPower',
      'a clock that was set a year on explains nothing',
    );
  });

  it('of the vehicle before says nothing of the next', () => {
    const scene = new Scene();
    scene.energy(80 * KWH);
    scene.say({ kind: 'unplugged' });
    scene.say({ kind: 'plugged' });
    assert.equal(scene.energy(0), undefined);
  });

  it('goes on over a lost link', () => {
    const scene = new Scene();
    scene.energy(80 * KWH);
    scene.say({ kind: 'linkLost', reason: 'x' });
    scene.after(10 * MINUTE_MS).say({ kind: 'linkUp' });
    scene.say({ kind: 'plugged' });
    assert.equal(scene.energy(79 * KWH), 'ranBackwards');
  });
});

describe('a state of charge', () => {
  it('of 255 % is doubted, and the next one is believed', () => {
    const scene = new Scene();
    scene.soc(400);
    assert.equal(scene.soc(2_550), 'outOfRange');
    assert.equal(scene.soc(410), undefined);
  });

  it('that jumps, up or down, is doubted until it stayed there for four readings', () => {
    for (const jumped of [900, 50]) {
      const scene = new Scene();
      scene.soc(500);
      for (let reading = 0; reading < 3; reading++) assert.equal(scene.soc(jumped, 10_000), 'jumped');
      assert.equal(scene.soc(jumped, 10_000), undefined);
      assert.equal(scene.soc(500, 10_000), 'jumped', 'what it was before would be a jump by now');
    }
  });

  it('that was misread once goes on as if nothing had been', () => {
    const scene = new Scene();
    scene.soc(500);
    assert.equal(scene.soc(0), 'jumped');
    assert.equal(scene.soc(505), undefined);
  });

  it('rises as fast as any car charges', () => {
    const scene = new Scene();
    for (let minute = 0; minute <= 9; minute++) assert.equal(scene.soc(100 + minute * 100), undefined);
  });
});

it('power beyond the connector is doubted, and what is a tenth above its nameplate is not', () => {
  const scene = new Scene(22 * KW);
  assert.equal(whyOf(scene.say({ kind: 'meter', powerMw: 24 * KW })), undefined);
  const event = scene.say({ kind: 'meter', powerMw: 36 * KW });
  assert.deepEqual(doubtsOf(event), [{ field: 'powerMw', value: 36 * KW, why: 'exceedsPower' }]);
  assert.equal('powerMw' in event, false);
});

describe('a sample of before the stay', () => {
  const before = { sourceWallMs: WALL_MS - HOUR_MS };

  it('that comes late is not believed', () => {
    const scene = new Scene();
    scene.say({ kind: 'unplugged' });
    scene.sourceWallMs = WALL_MS;
    scene.say({ kind: 'plugged' });
    assert.equal(whyOf(scene.say({ kind: 'meter', energyMwh: 5 }, before)), 'beforeSession');
    const doubted = doubtsOf(scene.say({ kind: 'evInfo', socPermille: 990, departureInMs: 5 }, before));
    assert.deepEqual(
      doubted.map(({ field, why }) => [field, why]),
      [
        ['socPermille', 'beforeSession'],
        ['departureInMs', 'beforeSession'],
      ],
    );
    assert.equal(scene.soc(100), undefined, 'and the first of the stay stands for itself');
  });

  for (const [what, sourceWallMs, afterMs] of [
    ['1970', 0, 0],
    ['2099', Date.UTC(2099, 0, 1), 0],
    ['a clock that was set back by an hour, six minutes on', WALL_MS - HOUR_MS, 6 * MINUTE_MS],
  ] as const) {
    it(`is not what a source time of ${what} means`, () => {
      const scene = new Scene();
      scene.say({ kind: 'unplugged' });
      scene.sourceWallMs = WALL_MS;
      scene.say({ kind: 'plugged' });
      scene.after(afterMs);
      assert.equal(whyOf(scene.say({ kind: 'evInfo', socPermille: 500 }, { sourceWallMs })), undefined);
    });
  }
});

it('what is doubted is news once a stay, whatever comes', () => {
  const plausibility = new Plausibility();
  const at = { receivedWallMs: 0 };
  let told = 0;
  plausibility.judge({ kind: 'plugged', connectorId, at }, 0);
  for (let reading = 0; reading < 100; reading++) {
    const energyMwh = reading % 2 === 0 ? 80 * KWH : 1e9 * KWH;
    told += plausibility.judge({ kind: 'meter', connectorId, at, energyMwh }, reading * 1000).news.length;
  }
  assert.equal(told, 1);
});

it('two connectors do not know of each other', () => {
  const plausibility = new Plausibility();
  const at = { receivedWallMs: 0 };
  const read = (connector: string, energyMwh: number) =>
    plausibility.judge({ kind: 'meter', connectorId: connector as typeof connectorId, at, energyMwh }, 0)
      .event;
  read('pile/1/1', 80 * KWH);
  assert.equal(whyOf(read('pile/2/1', 0)), undefined);
});

describe('whatever a meter and a battery say', () => {
  const step = fc.record({
    afterMs: fc.nat({ max: 600_000 }),
    sourceMs: fc.option(fc.integer({ min: -1e12, max: 1e12 }), { nil: undefined }),
    energyMwh: fc.integer({ min: -1e6, max: 200 * KWH }),
    powerMw: fc.option(fc.integer({ min: -1, max: 100 * KW }), { nil: undefined }),
    socPermille: fc.integer({ min: 0, max: 1000 }),
  });

  it('each reading is believed or doubted, never both, never lost', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const scene = new Scene(22 * KW);
        for (const { afterMs, sourceMs, energyMwh, powerMw, socPermille } of steps) {
          const at = sourceMs === undefined ? {} : { sourceWallMs: WALL_MS + sourceMs };
          const said = { energyMwh, ...(powerMw === undefined ? {} : { powerMw }) };
          const events = [
            [said, scene.after(afterMs).say({ kind: 'meter', ...said }, at)],
            [{ socPermille }, scene.say({ kind: 'evInfo', socPermille }, at)],
          ] as const;
          for (const [told, event] of events)
            for (const [field, value] of Object.entries(told)) {
              const doubts = doubtsOf(event).filter((one) => one.field === field);
              assert.equal(doubts.length + (field in event ? 1 : 0), 1);
              assert.equal(doubts[0]?.value ?? event[field as keyof FirmwareEvent], value);
            }
        }
      }),
    );
  });

  it('what is believed of a register grows by no more than the connector gives, and seldom begins anew', () => {
    const mostKw = CONNECTOR_POWER_MW_MAX / KW;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 600_000 }), fc.nat({ max: 2_000 * KWH })), { minLength: 2 }),
        (readings) => {
          const scene = new Scene();
          let last: number | undefined;
          let wasDoubted = false;
          let sinceMs = 0;
          for (const [afterMs, energyMwh] of readings) {
            sinceMs += afterMs;
            const isDoubted = scene.energy(energyMwh, afterMs) !== undefined;
            if (!isDoubted && last !== undefined) {
              const most = (1.1 * mostKw * KW * (sinceMs + 120_000)) / HOUR_MS;
              const goesOn = energyMwh >= last - 1_000 && energyMwh - last <= most;
              assert.ok(goesOn || wasDoubted, 'only from a reading that was doubted does it begin anew');
            }
            if (!isDoubted) [last, sinceMs] = [energyMwh, 0];
            wasDoubted = isDoubted;
          }
        },
      ),
    );
  });

  it('a meter that works is believed from two readings after any disturbance', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 2_000 * KWH }), { maxLength: 10 }),
        fc.nat({ max: 100 * KWH }),
        (wild, from) => {
          const scene = new Scene();
          for (const energyMwh of wild) scene.energy(energyMwh);
          scene.energy(from);
          for (let minute = 1; minute < 5; minute++)
            assert.equal(scene.energy(from + minute * 0.1 * KWH), undefined);
        },
      ),
    );
  });
});
