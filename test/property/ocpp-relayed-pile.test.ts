/** One relayed pile under random talk, losses and calls of the agent, on a clock that is stepped: what arrives is what was said. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Gone, Peer, PeerListener } from '../../firmware-bridge/ocpp/relay/peer.ts';
import { RelayedPile, type Redialled } from '../../firmware-bridge/ocpp/relay/relayed-pile.ts';
import type { TapOutcome } from '../../firmware-bridge/ocpp/tap.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';

const OWN = '"plugpool-';

/** A side that keeps what it is sent. */
class KeepingPeer implements Peer {
  readonly got: string[] = [];
  readonly said: string[] = [];
  isGone = false;
  listener: PeerListener | undefined;

  listen(listener: PeerListener): void {
    this.listener = listener;
  }

  send(text: string): void {
    assert.ok(!this.isGone, 'nothing is sent to a side that is gone');
    this.got.push(text);
  }

  close(code: number, reason: string): void {
    this.leave({ by: 'us', code, reason });
  }

  cut(): void {
    this.leave({ by: 'us', code: 1006, reason: '' });
  }

  leave(gone: Gone): void {
    if (this.isGone) return;
    this.isGone = true;
    this.listener?.onGone(gone);
  }

  pause(): void {}
  resume(): void {}
}

class Scene {
  readonly clock = new SteppedClock();
  readonly pile = new KeepingPeer();
  readonly csms: KeepingPeer[] = [new KeepingPeer()];
  readonly outcomes: (TapOutcome | undefined)[] = [];
  readonly told: string[] = [];
  readonly fromPile: string[] = [];
  readonly fromCsms: string[] = [];
  isOver = false;
  dials = 0;
  /** What the next dials come to. */
  canDial = true;
  readonly relayed: RelayedPile;
  #calls = 0;

  constructor(awayCloseMs: number) {
    this.relayed = new RelayedPile({
      identity: 'P',
      subprotocol: 'ocpp1.6',
      pile: this.pile,
      csms: this.csms[0] ?? new KeepingPeer(),
      awayCloseMs,
      redial: () => this.#redial(),
      clock: this.clock,
      onFrame: (_from, text) => this.told.push(text),
      onUpstream: () => undefined,
      onOver: () => (this.isOver = true),
    });
    this.relayed.start();
  }

  get upstream(): KeepingPeer | undefined {
    const last = this.csms.at(-1);
    return last === undefined || last.isGone ? undefined : last;
  }

  pileSays(text: string): void {
    this.fromPile.push(text);
    this.pile.listener?.onText(text);
  }

  csmsSays(text: string): void {
    if (this.upstream === undefined) return;
    this.fromCsms.push(text);
    this.upstream.said.push(text);
    this.upstream.listener?.onText(text);
  }

  nextId(): string {
    this.#calls += 1;
    return `n${this.#calls}`;
  }

  agentCalls(to: 'pile' | 'csms'): void {
    const index = this.outcomes.push(undefined) - 1;
    const action = to === 'pile' ? 'SetChargingProfile' : 'DataTransfer';
    void this.relayed
      .call({ t: 'call', call: 'c', pile: 'P', to, action, payload: {}, withinMs: 2_000 })
      .then((outcome) => {
        assert.equal(this.outcomes[index], undefined);
        this.outcomes[index] = outcome;
      });
  }

  async #redial(): Promise<Redialled> {
    this.dials += 1;
    if (!this.canDial) return { ok: false, isFinal: false };
    const csms = new KeepingPeer();
    this.csms.push(csms);
    return { ok: true, csms, subprotocol: 'ocpp1.6' };
  }
}

/** Lets promises that are due come to their ends. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function idOf(text: string): string {
  return (JSON.parse(text) as string[])[1] ?? '';
}

function isAnswerTo(own: readonly string[], text: string): boolean {
  return isAnswer(text) && own.includes(idOf(text));
}

const step = fc.oneof(
  { arbitrary: fc.constantFrom('pileCalls', 'csmsCalls', 'pileBabbles', 'callPile', 'callCsms'), weight: 6 },
  { arbitrary: fc.record({ pileAnswers: fc.nat(3) }), weight: 3 },
  { arbitrary: fc.record({ csmsAnswers: fc.nat(3) }), weight: 3 },
  { arbitrary: fc.record({ pileRepeatsAs: fc.constantFrom('3', '3.0', '4', '5') }), weight: 1 },
  { arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 1_500 }) }), weight: 2 },
  {
    arbitrary: fc.constantFrom('csmsLost', 'csmsLost', 'dialsFail', 'dialsDo', 'dialsDo', 'pileLeaves'),
    weight: 2,
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function live(scene: Scene, steps: readonly Step[], onStep: () => void): Promise<void> {
  const answered = new Set<string>();
  /** An answer to the nth call that this side still owes one for. */
  const answer = (got: readonly string[], nth: number): string | undefined => {
    const owed = got.filter((text) => text.startsWith('[2') && !answered.has(idOf(text)));
    const text = owed[nth % Math.max(1, owed.length)];
    if (text === undefined) return undefined;
    answered.add(idOf(text));
    return JSON.stringify([3, idOf(text), {}]);
  };
  for (const each of steps) {
    if (scene.isOver) break;
    if (each === 'pileCalls') scene.pileSays(JSON.stringify([2, scene.nextId(), 'Heartbeat', {}]));
    else if (each === 'csmsCalls') scene.csmsSays(JSON.stringify([2, scene.nextId(), 'Reset', {}]));
    else if (each === 'pileBabbles') scene.pileSays(`babble ${scene.nextId()}`);
    else if (each === 'callPile') scene.agentCalls('pile');
    else if (each === 'callCsms') scene.agentCalls('csms');
    else if (each === 'csmsLost') scene.upstream?.leave({ by: 'line', code: 1006, reason: '' });
    else if (each === 'pileLeaves') scene.pile.leave({ by: 'peer', code: 1000, reason: '' });
    else if (each === 'dialsFail' || each === 'dialsDo') scene.canDial = each === 'dialsDo';
    else if (typeof each === 'object' && 'passMs' in each) scene.clock.advance(each.passMs);
    else if (typeof each === 'object' && 'pileAnswers' in each) {
      const text = answer(scene.pile.got, each.pileAnswers);
      if (text !== undefined) scene.pileSays(text);
    } else if (typeof each === 'object' && 'pileRepeatsAs' in each) {
      const again = [...answered].find((id) => JSON.stringify(id).startsWith(OWN));
      if (again !== undefined) scene.pileSays(`[${each.pileRepeatsAs},"${again}",{}]`);
    } else if (typeof each === 'object') {
      const text = answer(scene.upstream?.got ?? [], each.csmsAnswers);
      if (text !== undefined) scene.csmsSays(text);
    }
    await settled();
    onStep();
  }
}

function ownIds(scene: Scene): string[] {
  return [...scene.pile.got, ...scene.csms.flatMap(({ got }) => got)]
    .filter((text) => text.includes(OWN))
    .map(idOf);
}

test('while the CSMS is there, each side gets what the other said, once and in order, and nothing of the agent’s', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
      const scene = new Scene(0);
      await live(
        scene,
        steps.filter((each) => each !== 'csmsLost' && each !== 'pileLeaves'),
        () => undefined,
      );
      for (let count = 0; count < 20; count += 1) {
        scene.clock.advance(1_000);
        await settled();
      }
      const own = ownIds(scene);
      const toCsms = scene.csms.flatMap(({ got }) => got).filter((text) => !isOwnCall(text));
      assert.deepEqual(
        toCsms.filter(isAnswer),
        scene.fromPile.filter((text) => isAnswer(text) && !isAnswerTo(own, text)),
      );
      assert.deepEqual(
        toCsms.filter((text) => !isAnswer(text)).sort(),
        scene.fromPile.filter((text) => !isAnswer(text)).sort(),
      );
      assert.deepEqual(callsIn(toCsms), callsIn(scene.fromPile));
      const toPile = scene.pile.got.filter((text) => !text.includes(OWN));
      assert.deepEqual(callsIn(toPile), callsIn(scene.fromCsms));
      assert.deepEqual(
        toPile.filter(isAnswer),
        scene.fromCsms.filter((text) => isAnswer(text) && !isAnswerTo(own, text)),
      );
      assert.ok(!scene.told.some((text) => text.includes(OWN)), 'a reader is told what both sides said');
      assert.ok(
        scene.outcomes.every((outcome) => outcome !== undefined),
        'each call of the agent comes to an end',
      );
    }),
    { numRuns: 150 },
  );
});

function isOwnCall(text: string): boolean {
  return text.startsWith('[2') && text.includes(OWN);
}

function calledId(text: string): string {
  return text.startsWith('[2') ? idOf(text) : '';
}

function isAnswer(text: string): boolean {
  return /^\[[345]/.test(text);
}

function callsIn(texts: readonly string[]): string[] {
  return texts.filter((text) => text.startsWith('[2'));
}

test('a CSMS that comes and goes hears what the pile said, in order, or the pile is left to its own rules', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
      const scene = new Scene(5_000);
      await live(scene, steps, () => {
        const own = ownIds(scene);
        const heard = scene.csms.flatMap(({ got }) => got).filter((text) => !isOwnCall(text));
        // What is held for a call of the agent, or kept while the CSMS is away, comes later: never before what was said before it.
        assert.deepEqual(
          callsIn(heard),
          callsIn(scene.fromPile).filter((text) => heard.includes(text)),
        );
        for (const text of heard) assert.ok(!isAnswerTo(own, text));
        for (const { got, said } of scene.csms)
          for (const text of got.filter(isAnswer))
            assert.ok(isAnswerTo(said.map(calledId), text), 'an answer goes to the connection that asked');
        if (scene.isOver) assert.equal(scene.clock.pendingTimers, 0);
      });
      scene.canDial = true;
      for (let count = 0; count < 20; count += 1) {
        scene.clock.advance(1_000);
        await settled();
      }
      assert.ok(scene.outcomes.every((outcome) => outcome !== undefined));
      assert.equal(scene.isOver, scene.pile.isGone, 'the pile is there as long as it is relayed');
      if (scene.isOver) return;
      assert.notEqual(scene.upstream, undefined);
      const heard = scene.csms.flatMap(({ got }) => got).filter((text) => !text.includes(OWN));
      assert.deepEqual(callsIn(heard), callsIn(scene.fromPile), 'what was said while it was away was kept');
    }),
    { numRuns: 150 },
  );
});

test('a CSMS that is away for long is asked for now and then, and for as long as was stated', async () => {
  const scene = new Scene(600_000);
  scene.canDial = false;
  scene.csms[0]?.leave({ by: 'line', code: 1006, reason: '' });
  for (let s = 0; s < 599; s += 1) {
    scene.clock.advance(1_000);
    await settled();
  }
  assert.equal(scene.isOver, false);
  assert.ok(scene.dials >= 250 && scene.dials <= 310, String(scene.dials));
  scene.clock.advance(2_000);
  await settled();
  assert.equal(scene.isOver, true);
  assert.equal(scene.clock.pendingTimers, 0);
});

const HOUR_MS = 3_600_000;
const FLOOD = 300;

/** Both sides answer whatever they owe an answer for, each in the order in which it was asked. */
function answersOwed(got: readonly string[], answered: Set<string>): string[] {
  const owed = got.filter((text) => text.startsWith('[2') && !answered.has(idOf(text)));
  return owed.map((text) => {
    answered.add(idOf(text));
    return JSON.stringify([3, idOf(text), {}]);
  });
}

test('a CSMS that is away for an hour and then floods hears the hour in order, and its flood and the agent’s calls take turns', async () => {
  const scene = new Scene(2 * HOUR_MS);
  const answered = new Set<string>();
  scene.canDial = false;
  scene.upstream?.leave({ by: 'line', code: 1006, reason: '' });
  for (let minute = 0; minute < 60; minute += 1) {
    scene.pileSays(JSON.stringify([2, scene.nextId(), 'MeterValues', { minute }]));
    scene.agentCalls(minute % 2 === 0 ? 'pile' : 'csms');
    await settled();
    for (const text of answersOwed(scene.pile.got, answered)) scene.pileSays(text);
    for (let seconds = 0; seconds < 60; seconds += 2) {
      scene.clock.advance(2_000);
      await settled();
    }
  }
  assert.ok(!scene.isOver && scene.dials > 1_000, `${scene.dials} dials in an hour`);
  assert.deepEqual(
    scene.outcomes.map((outcome) => (outcome?.ok === false ? outcome.code : outcome?.ok)),
    Array.from({ length: 60 }, (_, minute) => (minute % 2 === 0 ? true : 'link_lost')),
  );
  scene.canDial = true;
  scene.clock.advance(2_000);
  await settled();
  const csms = scene.upstream;
  assert.ok(csms, 'it is back');
  assert.deepEqual(csms.got, callsIn(scene.fromPile), 'the hour, in order, and nothing of the agent’s');

  for (let n = 0; n < FLOOD; n += 1) {
    scene.csmsSays(JSON.stringify([2, `f${n}`, 'TriggerMessage', { n }]));
    if (n % 50 === 0) scene.agentCalls('pile');
    if (n % 10 !== 9) continue;
    await settled();
    for (const text of answersOwed(scene.pile.got, answered)) scene.pileSays(text);
    scene.clock.advance(100);
  }
  for (let turn = 0; turn < FLOOD; turn += 1) {
    await settled();
    for (const text of answersOwed(scene.pile.got, answered)) scene.pileSays(text);
    for (const text of answersOwed(csms.got, answered)) scene.csmsSays(text);
    scene.clock.advance(100);
  }
  const toPile = scene.pile.got.filter((text) => !text.includes(OWN));
  assert.deepEqual(callsIn(toPile), callsIn(scene.fromCsms), 'the flood, once and in order');
  assert.deepEqual(toPile.filter(isAnswer), scene.fromCsms.filter(isAnswer));
  const answers = csms.got.filter(isAnswer).map(idOf);
  assert.deepEqual(
    answers,
    Array.from({ length: FLOOD }, (_, n) => `f${n}`),
  );
  assert.ok(
    scene.outcomes.every((outcome) => outcome !== undefined),
    'each call of the agent ends',
  );
  assert.ok(
    scene.outcomes.slice(60).some((outcome) => outcome.ok),
    'and some have their turn in the flood',
  );
  assert.equal(scene.clock.pendingTimers, 0);
});
