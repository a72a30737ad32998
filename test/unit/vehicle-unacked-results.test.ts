/** Results that a pile could not take for now, on a clock in hand: when they are said again, and to whom; and what its answers come to. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { FencingToken, InstanceId, Result, UpBody } from '@plugpool/proto';
import { RETRY_AFTER_MS, UnackedResults } from '../../vehicle-client/unacked-results.ts';

type Options = ConstructorParameters<typeof UnackedResults>[0];

const RESULT = {
  kind: 'result',
  lease: { instanceId: 't-1_0' as InstanceId, fencingToken: 7 as FencingToken },
  outcome: { ok: true, output: { where: 'inline', bytes: new Uint8Array([1]) } },
  used: { cpuMs: 1, wallMs: 1, gpuMs: 0, memoryMaxMib: 1 },
} as unknown as Result;

/** A donor's results beside a conversation with whichever pile listens. */
class Scene {
  nowMs = 0;
  readonly said: UpBody[] = [];
  readonly results: UnackedResults;
  #stationId: string | undefined;
  #correlationId = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  constructor() {
    const stationId = (): string | undefined => this.#stationId;
    const options = {
      outbox: { keep: () => undefined, forget: () => undefined },
      shelf: { remove: () => false },
      conversation: {
        get welcome() {
          return stationId() === undefined ? undefined : { stationId: stationId() };
        },
        nextCorrelationId: () => (this.#correlationId += 1),
        post: (body: UpBody) => stationId() !== undefined && this.said.push(body),
      },
      clock: {
        monoMs: () => this.nowMs,
        setTimer: (delayMs: number, callback: () => void) => {
          const timer = { atMs: this.nowMs + delayMs, callback };
          this.#timers.push(timer);
          return () => (this.#timers = this.#timers.filter((each) => each !== timer));
        },
      },
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    };
    this.results = new UnackedResults(options as unknown as Options);
  }

  welcomedBy(stationId: string): void {
    this.#stationId = stationId;
    this.results.sendAllAgain();
  }

  refused(why: Parameters<UnackedResults['refused']>[1] = { retryable: true, reasons: [] }): void {
    this.results.refused(this.#correlationId, why);
  }

  passes(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
    }
    this.nowMs = untilMs;
  }
}

test('a result that a pile could not take for now is said to it again after a while, and to no other pile', () => {
  const scene = new Scene();
  scene.welcomedBy('first');
  scene.results.add(RESULT);
  assert.equal(scene.said.length, 1);
  scene.refused();
  scene.passes(RETRY_AFTER_MS + 100);
  assert.equal(scene.said.length, 2, 'the pile that could not take it has it again');
  scene.refused();
  scene.welcomedBy('second');
  scene.passes(10 * RETRY_AFTER_MS);
  assert.equal(scene.said.length, 2, 'another pile is told nothing of it');
  scene.welcomedBy('first');
  assert.equal(scene.said.length, 3);
});

test('the answer to a result is counted once, however often it comes, and what is refused for good counts as refused', () => {
  const scene = new Scene();
  scene.welcomedBy('first');
  const { lease } = RESULT;
  const ack = { kind: 'resultAck', lease, accepted: true, reason: '' } as const;
  scene.results.add(RESULT);
  scene.results.acknowledged(ack);
  scene.results.acknowledged(ack);
  assert.deepEqual(scene.results.answered, { accepted: 1, refused: 0 });
  scene.results.add(RESULT);
  scene.results.acknowledged({ ...ack, accepted: false, reason: 'lease_void' });
  assert.deepEqual(scene.results.answered, { accepted: 1, refused: 1 });
  scene.results.add(RESULT);
  scene.refused({ retryable: false, reasons: [{ code: 'malformed', detail: '', hint: '' }] });
  assert.deepEqual(scene.results.answered, { accepted: 1, refused: 2 });
  assert.equal(scene.results.size, 0);
});
