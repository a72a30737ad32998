/** Co-presence in the whole core: the cap goes up and down at a cable, whoever reports it is bound, and no driver pays for it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { VehicleId } from '@plugpool/proto';
import { SLOT_MS, TRIAL_MS } from '../../agent/core/binding/presence-trial.ts';
import { PRESENCE_CANDIDATES_MAX, PRESENCE_TRIALS_PER_STAY_MAX } from '../../agent/core/limits.ts';
import { DEFAULT_POWER } from '../../agent/core/power/power-settings.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { connectorsView, vehiclesView } from '../../agent/core/views.ts';
import { bodiesOf, connectorOf, SimulatedPile } from '../simulation/simulated-pile.ts';

const connectorId = connectorOf('1');
const CAR = 'car' as VehicleId;
const FULL_MW = 11_000_000;

/** A connector whose power follows the caps that the pile asks for; `car` is really there. */
class Cable {
  readonly pile: SimulatedPile;
  capMw = Infinity;
  fullMw = FULL_MW;
  /** The lowest that was ever asked for, and how often. */
  readonly asked: { readonly powerMw: number; readonly forMs: number; readonly atMs: number }[] = [];

  constructor(settings: Partial<Settings> = {}) {
    const pile = new SimulatedPile({
      copresence: true,
      power: { ...DEFAULT_POWER, caps: true },
      ...settings,
    });
    this.pile = pile;
    pile.answerControl = (control) => {
      if (control.kind === 'setCap') {
        this.capMw = control.powerMw;
        this.asked.push({ powerMw: control.powerMw, forMs: control.forMs, atMs: pile.nowMs });
      } else if (control.kind === 'clearCap') this.capMw = Infinity;
      return { ok: true };
    };
    pile.firmware({ kind: 'plugged', connectorId });
    pile.firmware({ kind: 'chargingStarted', connectorId });
    this.meter();
    pile.state.capEvidence.set(connectorId, { verdict: 'works' });
  }

  get flowsMw(): number {
    return Math.min(this.capMw, this.fullMw);
  }

  meter(): void {
    this.pile.firmware({ kind: 'meter', connectorId, powerMw: this.flowsMw });
  }

  join(vehicle: string): string {
    this.pile.lend(vehicle);
    const sent = this.pile.say(`${vehicle}.lend`, { kind: 'connectorClaim', connector: '1' });
    return (
      bodiesOf(sent, 'connectorBound')[0]?.assurance ??
      bodiesOf(sent, 'refused')[0]?.reasons[0]?.code ??
      'no answer'
    );
  }

  /** A second at a time; each vehicle reports every other one, the meter every tenth. */
  pass(
    ms: number,
    reports: Readonly<Record<string, () => number>> = { car: () => this.flowsMw * 0.9 },
  ): void {
    for (let second = 0; second < ms / 1_000; second += 1) {
      this.pile.pass(1_000);
      if (second % 10 === 9) this.meter();
      if (second % 2 === 1)
        for (const [vehicle, powerMw] of Object.entries(reports))
          this.pile.say(`${vehicle}.lend`, { kind: 'powerReport', powerMw: Math.round(powerMw()) });
    }
  }

  get view() {
    return connectorsView(this.pile.state, this.pile.now())[0]!;
  }

  get isVaried(): boolean {
    return this.asked.length > 0;
  }
}

test('the plugged car that reports how its power varies is bound by its presence, and lends', () => {
  const cable = new Cable();
  assert.equal(cable.join('car'), 'claimed');
  assert.equal(cable.view.vehicleId, null);
  const from = cable.pile.sent.length;
  cable.pass(TRIAL_MS + SLOT_MS);
  assert.deepEqual([cable.view.vehicleId, cable.view.assurance], ['car', 'presence']);
  const sent = cable.pile.sent.slice(from);
  assert.deepEqual(bodiesOf(sent, 'connectorBound'), [
    { kind: 'connectorBound', connectorId, assurance: 'presence' },
  ]);
  assert.deepEqual(
    bodiesOf(sent, 'watchPower').map(({ forMs }) => forMs > 0),
    [true, false],
  );
  cable.pile.lend('car');
  assert.equal(vehiclesView(cable.pile.state, cable.pile.now())[0]?.ineligible, null);
  assert.equal(cable.capMw, Infinity);
  assert.equal(cable.pile.state.caps.size, 0);
});

test('a cap is never below what charging needs, changes no sooner than after ten seconds, and expires by itself', () => {
  for (const fullMw of [FULL_MW, 5_400_000]) {
    const cable = new Cable();
    cable.fullMw = fullMw;
    cable.meter();
    cable.join('car');
    cable.pass(TRIAL_MS + SLOT_MS);
    assert.ok(cable.isVaried);
    for (const { powerMw, forMs } of cable.asked) {
      assert.ok(powerMw >= cable.pile.settings.power.capMinMw, `${powerMw}`);
      assert.ok(powerMw >= 0.6 * fullMw - 1);
      assert.ok(forMs <= 2 * SLOT_MS);
    }
    const changes = cable.asked.map(({ atMs }) => atMs);
    assert.ok(changes.every((atMs, i) => i === 0 || atMs - changes[i - 1]! >= 10_000));
    assert.equal(cable.view.assurance, 'presence');
  }
});

test('who is not there and guesses is not bound, however often it may try in a stay', () => {
  const cable = new Cable();
  cable.join('liar');
  let high = true;
  cable.pass(6 * 3_600_000, { liar: () => ((high = !high) ? FULL_MW : FULL_MW * 0.6) });
  assert.equal(cable.view.vehicleId, null);
  const slots = new Set(cable.asked.map(({ atMs }) => atMs)).size;
  assert.ok(slots > 0 && slots <= PRESENCE_TRIALS_PER_STAY_MAX * (TRIAL_MS / SLOT_MS), `${slots} slots`);
});

test('of several who claim the connector the one that is there is bound', () => {
  const cable = new Cable();
  for (const vehicle of ['liar', 'car', 'guesser']) cable.join(vehicle);
  let n = 0;
  cable.pass(TRIAL_MS + SLOT_MS, {
    liar: () => FULL_MW,
    car: () => cable.flowsMw,
    guesser: () => ((n += 1) % 20 < 10 ? FULL_MW : FULL_MW / 2),
  });
  assert.deepEqual([cable.view.vehicleId, cable.view.assurance], ['car', 'presence']);
});

test('two who feel the same cable are not two vehicles: neither is bound', () => {
  const cable = new Cable();
  for (const vehicle of ['car', 'twin']) cable.join(vehicle);
  cable.pass(TRIAL_MS + SLOT_MS, { car: () => cable.flowsMw, twin: () => cable.flowsMw });
  assert.equal(cable.view.vehicleId, null);
});

test('as many claims as can be told apart are heard, and no more', () => {
  const cable = new Cable();
  for (let i = 0; i < PRESENCE_CANDIDATES_MAX; i += 1) assert.equal(cable.join(`v-${i}`), 'claimed');
  assert.equal(cable.join('one-more'), 'rate_limited');
});

test('nothing is varied where the operator did not switch it on, caps are not seen to work, or too little flows', () => {
  const off = new Cable({ copresence: false });
  assert.equal(off.join('car'), 'not_supported');
  const noCaps = new Cable({ power: DEFAULT_POWER });
  assert.equal(noCaps.join('car'), 'not_supported');
  const unseen = new Cable();
  unseen.pile.state.capEvidence.clear();
  const tapering = new Cable();
  tapering.fullMw = 5_000_000;
  tapering.meter();
  const capped = new Cable();
  capped.pile.step({
    kind: 'operator',
    question: 1,
    command: { verb: 'setCap', connectorId, powerMw: 8_000_000, forMs: 3_600_000 },
  });
  for (const cable of [off, noCaps, unseen, tapering, capped]) {
    const before = cable.asked.filter(({ powerMw }) => powerMw !== 8_000_000).length;
    cable.join('car');
    cable.pass(120_000);
    assert.equal(cable.asked.filter(({ powerMw }) => powerMw !== 8_000_000).length, before);
  }
});

test('a driver who leaves soon is not held up: no proof is begun that could cost him his charge', () => {
  const told = (fullInMs: number | undefined, departureInMs: number): boolean => {
    const cable = new Cable();
    const full = fullInMs === undefined ? {} : { estimatedFullInMs: fullInMs };
    cable.pile.firmware({ kind: 'evInfo', connectorId, departureInMs, ...full });
    cable.join('car');
    cable.pass(60_000);
    return cable.isVaried;
  };
  assert.equal(told(3_600_000, 3_600_000 + TRIAL_MS / 2), false);
  assert.equal(told(undefined, 8 * 3_600_000), false);
  assert.equal(told(3_600_000, 8 * 3_600_000), true);
});

for (const [why, happens] of [
  [
    'its driver says that he leaves soon',
    { kind: 'evInfo', connectorId, departureInMs: 600_000, estimatedFullInMs: 590_000 },
  ],
  ['the vehicle stops drawing', { kind: 'suspended', connectorId, by: 'EV' }],
  ['the link is lost', { kind: 'linkLost', connectorId, reason: 'x' }],
  [
    'the vehicle is known by something stronger',
    { kind: 'identity', connectorId, vehicleId: CAR, assurance: 'token' },
  ],
  ['the vehicle is unplugged', { kind: 'unplugged', connectorId }],
] as const)
  test(`a proof ends at once, and its cap with it, when ${why}`, () => {
    const cable = new Cable();
    cable.join('car');
    for (let i = 0; cable.capMw === Infinity && i < 200; i += 1) cable.pass(2_000);
    assert.notEqual(cable.capMw, Infinity);
    cable.pile.firmware(happens);
    assert.equal(cable.capMw, Infinity);
    const before = cable.asked.length;
    cable.pile.pass(TRIAL_MS);
    assert.equal(cable.asked.length, before);
  });

test('a station that refuses the cap ends the proof', () => {
  const cable = new Cable();
  cable.pile.answerControl = () => ({ ok: false, code: 'refused', message: 'no' });
  cable.join('car');
  cable.pass(TRIAL_MS + SLOT_MS);
  assert.equal(cable.view.vehicleId, null);
  assert.equal(cable.pile.state.presence.stays.get(connectorId)?.trial, undefined);
});

test('a proof leaves what was seen of caps as it was, though power is back between them', () => {
  const cable = new Cable();
  cable.join('car');
  cable.pass(TRIAL_MS + SLOT_MS);
  cable.pass(600_000);
  assert.equal(cable.pile.state.capEvidence.get(connectorId)?.verdict, 'works');
});

test('after the stay nothing of it is left', () => {
  const cable = new Cable();
  cable.join('car');
  cable.pass(30_000);
  cable.pile.unplug('1');
  assert.equal(cable.pile.state.presence.stays.size, 0);
  assert.equal(cable.pile.state.presence.claimedBy.size, 0);
});
