/** What is heard live: a listener that was held up tells no silence that was none, and a recording names no car. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import { BusStories } from '../../firmware-bridge/gbt27930/bus-stories.ts';
import { parseCandumpLine } from '../../firmware-bridge/gbt27930/candump-line.ts';
import type { CanFrame } from '../../firmware-bridge/gbt27930/candump-line.ts';
import { MaskedLines } from '../../firmware-bridge/gbt27930/masked-line.ts';
import { createPseudonymizer } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent } from '../../firmware-bridge/index.ts';
import { Gbt27930Bus } from '../conformance/gbt27930-bus.ts';

const VIN = 'LSVAA49J132047371';

function framesOf(text: string): readonly CanFrame[] {
  return text.split('\n').flatMap((line) => {
    const parsed = parseCandumpLine(line);
    return parsed.kind === 'frame' ? [parsed.frame] : [];
  });
}

/** A clock whose timers fire when the test says, however late that is. */
class HeldUpClock {
  nowMs = 0;
  fire: (() => void) | undefined;
  nowWallMs = (): number => Date.UTC(2026, 0, 1) + this.nowMs;
  nowMonoMs = (): number => this.nowMs;
  setTimer = (_delayMs: number, fire: () => void) => {
    this.fire = fire;
    return () => (this.fire = undefined);
  };
}

function listening() {
  const clock = new HeldUpClock();
  const events: FirmwareEvent[] = [];
  const connectors = new Map([['can0', 'pile/1/1' as ConnectorId]]);
  const pseudonymize = createPseudonymizer(new Uint8Array(16));
  const stories = new BusStories({ connectors, pseudonymize, clock }, (event) => events.push(event));
  const hear = (bus: Gbt27930Bus): void => framesOf(bus.take()).forEach((frame) => stories.hear(frame));
  return { clock, stories, hear, kinds: () => events.splice(0).map(({ kind }) => kind), events };
}

test('a process that stood still for longer than the bus may be silent loses no link when the frames are there', () => {
  const { clock, hear, kinds } = listening();
  hear(new Gbt27930Bus().charge(200));
  kinds();
  clock.nowMs += 3_000;
  clock.fire?.();
  hear(new Gbt27930Bus().charge(200));
  clock.nowMs += 100;
  clock.fire?.();
  assert.ok(!kinds().includes('linkLost'));
});

test('a bus that is silent is told so, be the timer late or not', () => {
  const { clock, hear, kinds } = listening();
  hear(new Gbt27930Bus().charge(200));
  kinds();
  clock.nowMs += 3_000;
  clock.fire?.();
  assert.deepEqual(kinds(), []);
  clock.nowMs += 100;
  clock.fire?.();
  assert.deepEqual(kinds(), ['linkLost']);
});

test('a tap’s clock is the source’s time where it is one, and not where it counts from its start', () => {
  const { hear, events } = listening();
  const sourceMs = Date.UTC(2026, 2, 1);
  hear(new Gbt27930Bus('can0', sourceMs).bhm());
  hear(new Gbt27930Bus('can0', 3_256_500).bst(1));
  assert.deepEqual(
    events.map(({ at }) => at.sourceWallMs),
    [sourceMs, undefined],
  );
});

test('a frame of an interface that no connector has is said to be none of ours', () => {
  const { stories } = listening();
  const [frame] = framesOf(new Gbt27930Bus('can7').bhm().take());
  assert.ok(frame !== undefined && !stories.hear(frame));
});

function record(text: string): string {
  const masked = new MaskedLines();
  return framesOf(text)
    .map((frame) => `${masked.of(frame)}\n`)
    .join('');
}

test('a recording is what came, but for the VIN and the number of the battery', () => {
  const named = new Gbt27930Bus().handshake(VIN).charge(500).take();
  const nameless = new Gbt27930Bus().handshake().charge(500).take();
  assert.notEqual(named, nameless);
  assert.equal(record(named), nameless);
  assert.equal(record(nameless), nameless);
});

test('number, date and charges of a battery are left out, and what it shares with others is not', () => {
  const announced = '(1.0) can0 1CEC56F4#10310007FF000200\n';
  const packets = [2, 3, 4].map((packet) => `(1.0) can0 1CEB56F4#0${packet}42424242424242\n`).join('');
  const kept = record(announced + packets).match(/#0[234]\w+/g);
  assert.deepEqual(kept, ['#0242424242420000', '#0300000000000000', '#0400424200000000']);
});

test('packets that nobody announced, and a BRM in one frame, could hold a name', () => {
  const masked = record('(1.0) can0 1CEB56F4#0442424242424242\n(1.0) can0 1C0256F4#4242424242424242\n');
  assert.ok(!masked.includes('42424242'), masked);
});

test('what a stranger on the bus says could be a name', () => {
  const masked = record('(1.0) can0 18FEEC00#4242424242424242\n');
  assert.ok(!masked.includes('42424242'), masked);
});
