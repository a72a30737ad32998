/** What charger and vehicle say to each other is told as a charging session, and their silence is told for what it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCandumpLine } from '../../firmware-bridge/gbt27930/candump-line.ts';
import { Gbt27930Decoder } from '../../firmware-bridge/gbt27930/decoder.ts';
import { Gbt27930Story } from '../../firmware-bridge/gbt27930/story.ts';
import { createPseudonymizer } from '../../firmware-bridge/index.ts';
import type { FirmwareFact } from '../../firmware-bridge/index.ts';
import type { ConnectorId } from '@plugpool/proto';
import { Gbt27930Bus } from '../conformance/gbt27930-bus.ts';

const VIN = 'LSVAA49J132047371';
const OTHER_VIN = 'LSVAA49J132047372';

/** A bus and the story that listens to it, at the bus's own time. */
class Listened {
  readonly bus = new Gbt27930Bus();
  readonly facts: FirmwareFact[] = [];
  readonly story: Gbt27930Story;
  readonly #decoder = new Gbt27930Decoder(createPseudonymizer(new Uint8Array(16)));

  constructor(unpluggedAfterMs?: number) {
    this.story = new Gbt27930Story({ connectorId: 'pile/1/1' as ConnectorId, unpluggedAfterMs });
  }

  say(say: (bus: Gbt27930Bus) => Gbt27930Bus): this {
    for (const line of say(this.bus).take().split('\n')) {
      const parsed = parseCandumpLine(line);
      if (parsed.kind !== 'frame') continue;
      const { atMs } = parsed.frame;
      this.passTo(atMs);
      const heard = this.#decoder.take(parsed.frame, atMs);
      if (heard !== undefined) this.facts.push(...this.story.hear(heard, atMs));
    }
    return this;
  }

  passTo(nowMs: number): this {
    for (
      let dueMs = this.story.nextDueMs();
      dueMs !== undefined && dueMs <= nowMs;
      dueMs = this.story.nextDueMs()
    ) {
      this.facts.push(...this.story.pass(dueMs));
    }
    return this;
  }

  silence(ms: number): this {
    this.bus.wait(ms);
    return this.say((bus) => bus.raw('123#00')).passTo(this.nowMs());
  }

  nowMs(): number {
    const line = new RegExp(/\((\d+\.\d+)\)/).exec(this.bus.raw('123#00').take());
    return Number(line?.[1]) * 1000;
  }

  /** What was told since it was last asked, readings left out. */
  told(): readonly string[] {
    return this.facts.splice(0).flatMap((fact) => {
      if (fact.kind === 'meter' || fact.kind === 'evInfo') return [];
      if (fact.kind === 'suspended') return [`suspended ${fact.by}`];
      return fact.kind === 'faulted' || fact.kind === 'linkLost'
        ? [`${fact.kind}: ${fact.reason}`]
        : [fact.kind];
    });
  }
}

const SILENT = 'linkLost: nothing is heard from the vehicle on the bus';

function charging(unpluggedAfterMs?: number): Listened {
  const listened = new Listened(unpluggedAfterMs).say((bus) => bus.handshake(VIN).charge(500));
  assert.deepEqual(listened.told(), ['plugged', 'credential', 'chargingStarted']);
  return listened;
}

test('a charger that speaks alone has no vehicle', () => {
  const listened = new Listened().say((bus) => bus.chm().wait(250).chm().wait(250).crm(false).cts());
  assert.deepEqual(listened.told(), []);
});

test('a vehicle that is found charging is told as plugged, then as charging', () => {
  const listened = new Listened().say((bus) => bus.charge(200));
  assert.deepEqual(listened.told(), ['plugged', 'chargingStarted']);
});

test('a VIN is told once, as a credential, and the readings say what the bus says', () => {
  const listened = new Listened().say((bus) => bus.handshake(VIN).brm(VIN).charge(100, { socPct: 41 }));
  const facts = listened.facts.filter(({ kind }) => kind !== 'plugged');
  assert.equal(facts.filter(({ kind }) => kind === 'credential').length, 1);
  assert.ok(!JSON.stringify(facts).includes(VIN));
  assert.ok(facts.some((fact) => fact.kind === 'meter' && fact.powerMw === 8_000_000));
  assert.ok(facts.some((fact) => fact.kind === 'evInfo' && fact.socPermille === 400));
  assert.ok(
    facts.some(
      (fact) => fact.kind === 'evInfo' && fact.socPermille === 410 && fact.estimatedFullInMs === 30 * 60_000,
    ),
  );
});

test('pre-charging without a current is neither charging nor a pause', () => {
  const listened = new Listened().say((bus) => bus.handshake().charge(5_000, { currentA: 0, demandA: 20 }));
  assert.deepEqual(listened.told(), ['plugged']);
});

test('a remaining time of 0 is unknown', () => {
  const listened = new Listened().say((bus) => bus.charge(100, { remainingMin: 0 }));
  assert.ok(listened.facts.some(({ kind }) => kind === 'evInfo'));
  assert.ok(!listened.facts.some((fact) => fact.kind === 'evInfo' && 'estimatedFullInMs' in fact));
});

const PAUSES: readonly (readonly [what: string, flow: Parameters<Gbt27930Bus['charge']>[1], by: string])[] = [
  ['the battery forbids', { currentA: 0, demandA: 20, allowed: 0 }, 'EV'],
  ['the charger says that it pauses', { currentA: 0, demandA: 20, output: 0 }, 'EVSE'],
  ['both', { currentA: 0, demandA: 20, output: 0, allowed: 0 }, 'EVSE'],
  ['the vehicle asks for nothing', { currentA: 0, demandA: 0 }, 'EV'],
  ['the vehicle asks and gets nothing', { currentA: 0, demandA: 20 }, 'EVSE'],
];
for (const [what, flow, by] of PAUSES) {
  test(`no current because ${what}: suspended by the ${by}, and charging again when it flows`, () => {
    const listened = charging().say((bus) => bus.charge(1_500, flow));
    assert.deepEqual(listened.told(), [`suspended ${by}`]);
    listened.say((bus) => bus.charge(500));
    assert.deepEqual(listened.told(), ['chargingStarted']);
  });
}

test('a moment without current is no pause, and a current that flows outweighs every flag', () => {
  const listened = charging().say((bus) => bus.charge(500, { currentA: 0, demandA: 20 }).charge(200));
  listened.say((bus) => bus.charge(1_500, { output: 0, allowed: 0 }));
  assert.deepEqual(listened.told(), []);
});

test('a charger that falls silent for the second of the standard supplies nothing', () => {
  const listened = charging();
  for (let passed = 0; passed < 900; passed += 50) listened.say((bus) => bus.bcl(20).wait(50));
  assert.deepEqual(listened.told(), []);
  for (let passed = 0; passed < 200; passed += 50) listened.say((bus) => bus.bcl(20).wait(50));
  assert.deepEqual(listened.told(), ['suspended EVSE']);
});

test('an error of either is told once, however often it is repeated, and a new identification goes on with the session', () => {
  const listened = charging();
  for (let round = 0; round < 20; round += 1) listened.say((bus) => bus.bem(0xf1).wait(250));
  assert.deepEqual(listened.told(), ['faulted: BEM: waited in vain for CCS']);
  listened.say((bus) => bus.crm(false).brm(VIN).crm(true).wait(250).bro(true).cro().charge(300));
  assert.deepEqual(listened.told(), ['plugged', 'credential', 'chargingStarted']);
});

test('what still flows after an error is its end, not charging', () => {
  const listened = charging().say((bus) => bus.bem(0xf1).charge(300).charge(2_000, { currentA: 0 }));
  assert.deepEqual(listened.told(), ['faulted: BEM: waited in vain for CCS']);
});

test('an error that names nothing is none', () => {
  assert.deepEqual(
    charging()
      .say((bus) => bus.bem(0xf0))
      .told(),
    [],
  );
});

test('the end of charging is told once, its energy with it, and a fault besides', () => {
  const listened = charging().say((bus) => bus.bst(0x01).cst(0x40).bst(0x01).bsd(55).csd(12_300));
  const energy = listened.facts.find((fact) => fact.kind === 'meter' && fact.energyMwh !== undefined);
  assert.ok(energy?.kind === 'meter' && energy.energyMwh === 12_300_000);
  assert.deepEqual(listened.told(), ['chargingStopped']);
  const faulty = charging().say((bus) => bus.cst(0x10, 0x0100));
  assert.deepEqual(faulty.told(), ['chargingStopped', 'faulted: CST: emergency stop']);
});

test('what was still on its way when charging ended starts nothing', () => {
  const listened = charging().say((bus) => bus.bst(0x01).charge(2_000));
  assert.deepEqual(listened.told(), ['chargingStopped']);
});

test('a vehicle that is silent for a second while it charges is unverified, never unplugged', () => {
  const listened = charging().silence(900);
  assert.deepEqual(listened.told(), []);
  assert.deepEqual(listened.silence(100).told(), [SILENT]);
  assert.deepEqual(listened.silence(3_600_000).told(), []);
});

test('before and after charging the silence of five seconds counts', () => {
  const before = new Listened().say((bus) => bus.chm().bhm()).silence(4_900);
  assert.deepEqual(before.told(), ['plugged']);
  assert.deepEqual(before.silence(200).told(), [SILENT]);
  const after = charging()
    .say((bus) => bus.bst(0x01).cst(0x40))
    .silence(4_900);
  assert.deepEqual(after.told(), ['chargingStopped']);
  assert.deepEqual(after.silence(200).told(), [SILENT]);
});

test('a vehicle that speaks on after a silence is told anew, with its name', () => {
  const listened = charging().silence(5_000);
  listened.say((bus) => bus.charge(300));
  assert.deepEqual(listened.told(), [SILENT, 'linkUp', 'plugged', 'credential', 'chargingStarted']);
  const ended = charging()
    .say((bus) => bus.bst(0x01))
    .silence(60_000);
  ended.say((bus) => bus.bsd(55));
  assert.deepEqual(ended.told().slice(1), [SILENT, 'linkUp', 'plugged', 'credential', 'chargingStopped']);
});

test('the next handshake is another session: the vehicle before it has left', () => {
  const listened = charging().say((bus) => bus.bst(0x01).cst(0x40).wait(1_000).handshake(OTHER_VIN));
  assert.deepEqual(listened.told(), ['chargingStopped', 'unplugged', 'plugged', 'credential']);
});

test('after a silence the next handshake says that the vehicle before it has left', () => {
  const listened = charging()
    .silence(60_000)
    .say((bus) => bus.handshake());
  assert.deepEqual(listened.told(), [SILENT, 'linkUp', 'unplugged', 'plugged']);
});

test('a handshake without greeting, as of 2011, is another session after an end', () => {
  const listened = charging().say((bus) => bus.bst(0x01).cst(0x40).wait(1_000).crm(false).brm(OTHER_VIN, 41));
  assert.deepEqual(listened.told(), ['chargingStopped', 'unplugged', 'plugged', 'credential']);
});

test('another VIN in mid-session is another vehicle', () => {
  const listened = charging().say((bus) => bus.brm(OTHER_VIN));
  assert.deepEqual(listened.told(), ['unplugged', 'plugged', 'credential']);
});

test('a last greeting that crosses the first identification starts nothing anew', () => {
  const listened = new Listened().say((bus) => bus.chm().bhm().wait(10).crm(false).bhm().brm());
  assert.deepEqual(listened.told(), ['plugged']);
});

test('a stated time of silence ends the session', () => {
  const listened = charging(60_000).silence(59_000);
  assert.deepEqual(listened.told(), [SILENT]);
  assert.deepEqual(listened.silence(2_000).told(), ['linkUp', 'unplugged']);
  assert.deepEqual(listened.silence(3_600_000).told(), []);
});

test('while the tap is lost no time counts, and a vehicle that is heard again is not assumed to be the same', () => {
  const listened = charging(60_000);
  listened.facts.push(...listened.story.loseTap('the pipe broke', listened.nowMs()));
  listened.facts.push(...listened.story.loseTap('the pipe broke again', listened.nowMs()));
  assert.deepEqual(listened.silence(600_000).told(), ['linkLost: the pipe broke']);
  listened.story.regainTap(listened.nowMs());
  listened.say((bus) => bus.charge(300));
  assert.deepEqual(listened.told(), ['linkUp', 'plugged', 'chargingStarted']);
});

test('a tap that is lost for a moment does not forget whose session it is', () => {
  const listened = charging();
  listened.facts.push(...listened.story.loseTap('the pipe broke', listened.nowMs()));
  listened.bus.wait(5_000);
  listened.story.regainTap(listened.nowMs());
  listened.say((bus) => bus.charge(300));
  assert.deepEqual(listened.told(), [
    'linkLost: the pipe broke',
    'linkUp',
    'plugged',
    'credential',
    'chargingStarted',
  ]);
});

test('a tap that comes and goes without hearing the vehicle is deaf all the while', () => {
  const listened = charging();
  for (let round = 0; round < 10; round += 1) {
    listened.story.loseTap('the pipe broke', listened.nowMs());
    listened.bus.wait(2_000);
    listened.story.regainTap(listened.nowMs());
  }
  listened.say((bus) => bus.charge(300));
  assert.deepEqual(listened.told(), ['linkUp', 'plugged', 'chargingStarted']);
});

test('steady power is told every five seconds, power that changes at most every second', () => {
  const powers = (listened: Listened): number =>
    listened.facts.filter((fact) => fact.kind === 'meter' && fact.powerMw !== undefined).length;
  assert.equal(powers(new Listened().say((bus) => bus.charge(20_000))), 4);
  const changing = new Listened();
  for (let second = 0; second < 20; second += 0.1)
    changing.say((bus) => bus.charge(100, { currentA: 10 + second }));
  assert.equal(powers(changing), 20);
});
