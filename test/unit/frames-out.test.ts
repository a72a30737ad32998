/** What leaves in one message, what waits for the next one, and for how long. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeDownFrame } from '@plugpool/proto';
import type { ClientId, DownBody, FencingToken, InstanceId, RequestId, TaskId } from '@plugpool/proto';
import { FramesOut, type Sending } from '../../agent/frames-out.ts';

const DONOR = 'donor.lend' as ClientId;
const REQUESTER = 'asker.ask-1' as ClientId;
const PATIENCE_MS = 3;

class Wire {
  readonly sent: { readonly clientId: ClientId; readonly kinds: readonly string[] }[] = [];
  #nowMs = 1_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  readonly out = new FramesOut({
    broker: {
      send: (clientId, _kind, payload) => {
        const frame = decodeDownFrame(payload);
        assert.ok(frame.ok);
        this.sent.push({ clientId, kinds: frame.envelopes.map(({ body }) => body.kind) });
        return true;
      },
    },
    clock: {
      now: () => ({ monoMs: this.#nowMs, wallMs: this.#nowMs }),
      setTimer: (delayMs, callback) => {
        const timer = { atMs: this.#nowMs + delayMs, callback };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
    },
  });

  committed(...sendings: readonly Sending[]): void {
    this.out.prepare(sendings);
    this.out.publish();
  }

  /** Callbacks that are due are called, as often as they ask again. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1) {
      this.#nowMs += 1;
      for (const timer of [...this.#timers])
        if (timer.atMs <= this.#nowMs && this.#timers.delete(timer)) timer.callback();
    }
  }

  get timers(): number {
    return this.#timers.size;
  }

  taken(): string[] {
    return this.sent.splice(0).map(({ clientId, kinds }) => `${clientId}: ${kinds.join(' ')}`);
  }
}

function to(clientId: ClientId, body: DownBody): Sending {
  return { clientId, envelope: { correlationId: 7, body } };
}

const lease = { instanceId: 'i' as InstanceId, fencingToken: 1 as FencingToken };
const accepted = to(REQUESTER, {
  kind: 'accepted',
  requestId: 'r' as RequestId,
  taskId: 't' as TaskId,
  deadlineMs: 1,
});
const counts = to(DONOR, { kind: 'resultAck', lease, accepted: true, reason: '' });
const isVoid = to(DONOR, { kind: 'resultAck', lease, accepted: false, reason: 'lease_void' });
const revoke = to(DONOR, { kind: 'revoke', lease, reason: 'draining', graceMs: 0 });
const refused = to(REQUESTER, { kind: 'refused', reasons: [], retryable: false });

test('what one commit owes to one client leaves as one message, in its order', () => {
  const wire = new Wire();
  wire.committed(revoke, accepted, isVoid, refused);
  assert.deepEqual(wire.taken(), [`${DONOR}: revoke resultAck`, `${REQUESTER}: accepted refused`]);
});

test('nothing leaves before its commit', () => {
  const wire = new Wire();
  wire.out.prepare([revoke]);
  assert.deepEqual(wire.taken(), []);
  wire.out.publish();
  assert.deepEqual(wire.taken(), [`${DONOR}: revoke`]);
});

test('an acceptance and an acknowledgement leave with the next message to that client, before it', () => {
  const wire = new Wire();
  wire.committed(accepted, counts);
  assert.deepEqual(wire.taken(), []);
  wire.committed(revoke);
  assert.deepEqual(wire.taken(), [`${DONOR}: resultAck revoke`]);
  wire.out.say(REQUESTER, [refused.envelope]);
  assert.deepEqual(wire.taken(), [`${REQUESTER}: accepted refused`]);
});

test('where no message comes they leave after three milliseconds, each after its own', () => {
  const wire = new Wire();
  wire.committed(accepted);
  wire.pass(PATIENCE_MS - 1);
  wire.committed(counts, accepted);
  wire.pass(1);
  assert.deepEqual(wire.taken(), [`${REQUESTER}: accepted accepted`]);
  wire.pass(PATIENCE_MS - 2);
  assert.deepEqual(wire.taken(), []);
  wire.pass(1);
  assert.deepEqual(wire.taken(), [`${DONOR}: resultAck`]);
  wire.pass(10 * PATIENCE_MS);
  assert.deepEqual(wire.taken(), []);
  assert.equal(wire.timers, 0, 'nothing waits, and a timer does');
});

test('a refused result is said at once', () => {
  const wire = new Wire();
  wire.committed(isVoid);
  assert.deepEqual(wire.taken(), [`${DONOR}: resultAck`]);
});

test('so many that they are worth a message wait no longer', () => {
  const wire = new Wire();
  wire.committed(...Array.from({ length: 200 }, () => accepted));
  assert.deepEqual(wire.taken(), []);
  wire.committed(...Array.from({ length: 57 }, () => accepted));
  assert.equal(wire.sent.flatMap(({ kinds }) => kinds).length, 257);
});

test('of a commit that failed nothing is said, and all that was true before it', () => {
  const wire = new Wire();
  wire.committed(accepted);
  wire.out.prepare([refused, counts, revoke]);
  wire.out.drop();
  wire.out.publish();
  wire.pass(2 * PATIENCE_MS);
  assert.deepEqual(wire.taken(), [`${REQUESTER}: accepted`]);
});

test('a connection that is gone takes along what waited for it, and a stop lets everything go', () => {
  const wire = new Wire();
  wire.committed(accepted, counts);
  wire.out.forget(DONOR);
  wire.out.flush();
  assert.deepEqual(wire.taken(), [`${REQUESTER}: accepted`]);
  wire.pass(2 * PATIENCE_MS);
  assert.deepEqual(wire.taken(), []);
});

test('who is spoken to in each of many slow commits hears what waits with the next one', () => {
  const wire = new Wire();
  for (let commits = 0; commits < 10; commits += 1) {
    wire.out.prepare([accepted]);
    wire.pass(20);
    wire.out.publish();
  }
  assert.equal(wire.sent.length, 5);
});

test('a connection that is gone while a commit is under way takes along what that would have said, and what waited before', () => {
  const wire = new Wire();
  wire.committed(accepted, counts);
  wire.out.prepare([refused, isVoid]);
  wire.out.forget(REQUESTER);
  wire.out.publish();
  wire.pass(2 * PATIENCE_MS);
  assert.deepEqual(wire.taken(), [`${DONOR}: resultAck resultAck`]);
});

test('a connection that is gone while a commit fails is not told what waited before', () => {
  const wire = new Wire();
  wire.committed(accepted);
  wire.out.prepare([refused]);
  wire.out.forget(REQUESTER);
  wire.out.drop();
  assert.deepEqual(wire.taken(), []);
});
