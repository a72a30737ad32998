/** Whose turn it is to call a pile: the CSMS's frames are never lost or reordered, the agent's calls are never noticed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CallLane, type OwnCall } from '../../firmware-bridge/ocpp/relay/call-lane.ts';
import { headOf, type FrameHead } from '../../firmware-bridge/ocpp/relay/frame-head.ts';
import {
  CALL_UNANSWERED_MS_MAX,
  HELD_CALLS_MAX,
  OWN_CALLS_WAITING_MAX,
} from '../../firmware-bridge/ocpp/relay/limits.ts';
import { newOwnId } from '../../firmware-bridge/ocpp/relay/own-ids.ts';
import type { TapOutcome } from '../../firmware-bridge/ocpp/tap.ts';

class Scene {
  readonly sent: string[] = [];
  readonly settled = new Map<string, TapOutcome>();
  readonly sentAtMs = new Map<string, number>();
  readonly lane = new CallLane((text) => {
    this.sent.push(text);
    this.sentAtMs.set(this.ids().at(-1) ?? '', this.nowMs);
  });
  nowMs = 0;
  /** Their names here, by the ids that they have. */
  readonly #names = new Map<string, string>();

  theirs(id: string): void {
    const text = JSON.stringify([2, id, 'Reset', {}]);
    this.lane.relay(text, headOf(text), this.nowMs);
  }

  own(name: string, withinMs = 1_000): void {
    const settle = (outcome: TapOutcome): void => {
      assert.ok(!this.settled.has(name), `${name} is settled once`);
      this.settled.set(name, outcome);
    };
    const id = newOwnId();
    this.#names.set(id, name);
    const call: OwnCall = {
      id,
      text: JSON.stringify([2, id, 'SetChargingProfile', {}]),
      untilMs: this.nowMs + withinMs,
      settle,
    };
    this.lane.inject(call, this.nowMs);
  }

  answer(name: string): boolean {
    const [id = name] = [...this.#names].findLast(([, each]) => each === name) ?? [];
    const text = JSON.stringify([3, id, { status: 'Accepted' }]);
    return this.lane.answered(headOf(text) as FrameHead & { kind: 'result' }, text, this.nowMs);
  }

  ids(): string[] {
    return this.sent.map((text) => {
      const id = (JSON.parse(text) as string[])[1] ?? '';
      return this.#names.get(id) ?? id;
    });
  }

  code(id: string): string | undefined {
    const outcome = this.settled.get(id);
    return outcome === undefined ? undefined : outcome.ok ? 'ok' : outcome.code;
  }
}

test('the head of a frame is read, whatever comes behind it', () => {
  const rest = 'x'.repeat(100);
  assert.deepEqual(headOf(` [ 2 ,"a","Reset",${rest}`), { kind: 'call', id: 'a', action: 'Reset' });
  assert.deepEqual(headOf(`[3,"\\u0061",${rest}`), { kind: 'result', id: 'a' });
  assert.deepEqual(headOf('[4,12,"GenericError","",{}]'), {
    kind: 'error',
    id: '12',
    errorCode: 'GenericError',
  });
  for (const three of ['3.0', '3e0', '0.3E1', '30e-1'])
    assert.deepEqual(headOf(`[${three},"a",{}]`), { kind: 'result', id: 'a' }, three);
  assert.deepEqual(headOf('[6,"a","NotifyPeriodicEventStream",{}]'), { kind: 'other', id: 'a' });
  for (const text of [
    '',
    '{}',
    '[2]',
    '[2,"a"',
    '[7,"a","Reset",{}]',
    '[2.5,"a","Reset",{}]',
    '[03,"a",{}]',
    '[2,"a\\q","Reset",{}]',
    `[2,"${'i'.repeat(600)}","Reset",{}]`,
  ])
    assert.equal(headOf(text), undefined, text.slice(0, 20));
});

test('a side that sends calls without waiting for answers is not held to the rule by the relay', () => {
  const scene = new Scene();
  for (const id of ['t1', 't2', 't3']) scene.theirs(id);
  assert.deepEqual(scene.ids(), ['t1', 't2', 't3']);
});

test("too many calls that wait for the agent's give it up, and go on in order", () => {
  const scene = new Scene();
  scene.own('o1');
  const ids = Array.from({ length: HELD_CALLS_MAX + 1 }, (_, index) => `t${index}`);
  for (const id of ids) scene.theirs(id);
  assert.deepEqual(scene.ids(), ['o1', ...ids]);
  assert.equal(scene.code('o1'), 'no_answer');
  assert.equal(scene.answer('o1'), false, 'its late answer reaches nobody');
});

test("the agent's calls are bounded in number and in time, and a call that nobody answers holds them no longer than that", () => {
  const scene = new Scene();
  scene.theirs('t1');
  for (let index = 0; index <= OWN_CALLS_WAITING_MAX; index += 1)
    scene.own(`o${index}`, CALL_UNANSWERED_MS_MAX + 1);
  assert.equal(scene.code(`o${OWN_CALLS_WAITING_MAX}`), 'too_many');
  assert.deepEqual(scene.ids(), ['t1']);
  scene.nowMs = scene.lane.nextDueMs() ?? NaN;
  scene.lane.expire(scene.nowMs);
  assert.deepEqual(scene.ids(), ['t1', 'o0']);
  scene.nowMs += 1;
  scene.lane.expire(scene.nowMs);
  assert.equal(scene.code('o0'), 'no_answer');
  assert.equal(scene.code('o1'), 'no_answer');
  assert.equal(scene.lane.nextDueMs(), undefined);
});

test("an answer to one of the agent's calls reaches nobody, however often it is said", () => {
  const scene = new Scene();
  scene.own('o1');
  for (const expected of ['ok', 'ok', 'ok']) {
    assert.equal(scene.answer('o1'), false);
    assert.equal(scene.code('o1'), expected);
  }
  scene.own('o2', 1);
  scene.nowMs = 1;
  scene.lane.expire(1);
  for (let again = 0; again < 3; again += 1) assert.equal(scene.answer('o2'), false);
  for (let other = 0; other < 100; other += 1) {
    scene.own('o3');
    scene.answer('o3');
    scene.settled.clear();
  }
  assert.equal(scene.answer('o1'), false, 'long ago');
  assert.ok(newOwnId().length <= 36, 'OCPP lets no id be longer');
  assert.equal(scene.answer('plugpool-1'), true, 'another relay behind this one has calls of its own');
});

test('a late answer to a lost caller is eaten however often it is said, and its id may be used anew', () => {
  const scene = new Scene();
  scene.theirs('1');
  scene.lane.callerLost(0);
  assert.equal(scene.answer('1'), false);
  assert.equal(scene.answer('1'), false);
  scene.theirs('1');
  assert.equal(scene.answer('1'), true);
  scene.theirs('2');
  scene.lane.callerLost(0);
  scene.theirs('2');
  assert.equal(scene.answer('2'), false, 'the lost one’s comes first');
  assert.equal(scene.answer('2'), true);
});

test('when the caller is lost its answers have no addressee, and what was held is nobody’s', () => {
  const scene = new Scene();
  scene.theirs('t1');
  scene.own('o1');
  scene.lane.callerLost(0);
  assert.equal(scene.answer('t1'), false);
  assert.deepEqual(scene.ids(), ['t1', 'o1']);
  scene.theirs('t2');
  scene.lane.callerLost(0);
  assert.equal(scene.answer('o1'), false);
  assert.deepEqual(scene.ids(), ['t1', 'o1']);
  assert.equal(scene.code('o1'), 'ok');
});

const stepArbitrary = fc.oneof(
  fc.constant('theirs' as const),
  fc.constant('own' as const),
  fc.record({ answerIndex: fc.nat(5) }),
  fc.record({ passMs: fc.integer({ min: 1, max: 2_000 }) }),
);

test('whatever comes in whatever order: theirs pass once and in order, ours alone and unseen, each of ours ends', () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 120 }), (steps) => {
      const scene = new Scene();
      const theirs: string[] = [];
      const owns: string[] = [];
      const answered = new Set<string>();
      const isWaitedFor = (id: string) =>
        !answered.has(id) && scene.nowMs - (scene.sentAtMs.get(id) ?? 0) < CALL_UNANSWERED_MS_MAX;
      const openTheirs = () => scene.ids().filter((id) => id.startsWith('t') && isWaitedFor(id));
      for (const step of steps) {
        const sentBefore = scene.sent.length;
        if (step === 'theirs') {
          theirs.push(`t${theirs.length}`);
          scene.theirs(theirs.at(-1) ?? '');
        } else if (step === 'own') {
          owns.push(`o${owns.length}`);
          scene.own(owns.at(-1) ?? '');
        } else if ('passMs' in step) {
          scene.nowMs += step.passMs;
          scene.lane.expire(scene.nowMs);
        } else {
          const out = scene.ids().filter((id) => !answered.has(id));
          const id = out[step.answerIndex % Math.max(1, out.length)];
          if (id === undefined) continue;
          answered.add(id);
          assert.equal(scene.answer(id), id.startsWith('t'));
        }
        const ownsOut = scene
          .ids()
          .filter((id) => id.startsWith('o') && !answered.has(id) && !scene.settled.has(id));
        assert.ok(ownsOut.length <= 1, 'one of ours at a time');
        for (const id of scene.ids().slice(sentBefore))
          if (id.startsWith('o')) assert.deepEqual(openTheirs(), [], 'ours only when none of theirs is out');
        if (ownsOut.length === 1 && scene.ids().at(-1)?.startsWith('t'))
          assert.fail('theirs while ours is out');
      }
      assert.deepEqual(
        scene.ids().filter((id) => id.startsWith('t')),
        theirs.slice(0, scene.ids().filter((id) => id.startsWith('t')).length),
      );
      scene.nowMs += 2_000;
      scene.lane.expire(scene.nowMs);
      assert.deepEqual([...scene.settled.keys()].sort(), owns.sort());
      assert.deepEqual(
        scene.ids().filter((id) => id.startsWith('t')),
        theirs,
      );
    }),
    { numRuns: 300 },
  );
});
