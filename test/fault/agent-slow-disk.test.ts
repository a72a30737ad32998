/**
 * A disk whose syncs take long, under the agent as it runs on a pile: commits wait for it, and nothing else does. Nothing is lost, no
 * lease ends because of it, the broker answers at once, and an agent that falls in the middle of a sync has kept what it said.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { packet, RawClient } from '../integration/broker-raw-client.ts';
import { RealPile, type RealPileOptions } from './real-pile/real-pile.ts';
import { slowSync, type SlowSync } from './slow-sync/slow-sync.ts';

const PINGREQ = 0xc0;
const PINGRESP = 13;
const PINGS = 60;

interface SlowScene {
  readonly pile: RealPile;
  readonly disk: SlowSync;
}

/** The disk is fast until a test slows it down. Undefined where there can be no such disk. */
async function openScene(t: TestContext, options: RealPileOptions = {}): Promise<SlowScene | undefined> {
  const made = slowSync(0);
  if (!made.ok) {
    t.skip(made.why);
    return undefined;
  }
  const pile = new RealPile({ ...options, agentEnv: made.disk.env });
  t.after(async () => {
    made.disk.setDelayMs(0);
    await pile.stop();
    made.disk.remove();
  });
  await pile.start();
  return { pile, disk: made.disk };
}

for (const delayMs of [20, 200])
  test(`with a sync of ${delayMs} ms every task ends at its first try, and each is booked once`, async (t) => {
    const scene = await openScene(t, { runMs: 1_000 });
    if (scene === undefined) return;
    const { pile, disk } = scene;
    disk.setDelayMs(delayMs);
    for (let waves = 0; waves < 3; waves += 1) pile.underWay.askWave(`wave ${waves}`);
    await pile.underWay.allEnded();
    disk.setDelayMs(0);
    const { tasks } = await pile.assertAllDone();
    // The runs are half a lease long: without renewals that are answered in time some would have been lost.
    const outcomes = tasks.flatMap(({ attempts }) => attempts.map(({ outcome }) => outcome));
    assert.deepEqual(new Set(outcomes), new Set(['completed']));
  });

test('while commits wait for the disk the broker answers within a quarter of a sync', async (t) => {
  const delayMs = 200;
  const scene = await openScene(t, { agentConfig: { tokens: 'open', policy: { lease: '10s' } } });
  if (scene === undefined) return;
  const { pile, disk } = scene;
  const pinger = await new RawClient(Number(new URL(pile.stage.url).port)).ready('bystander.ask-1');
  disk.setDelayMs(delayMs);
  const tookMs: number[] = [];
  for (let pings = 0; pings < PINGS; pings += 1) {
    // There is always a commit under way.
    if (pings % 10 === 0) pile.underWay.askWave(`with ping ${pings}`);
    const startMs = performance.now();
    pinger.send(packet(PINGREQ));
    while ((await pinger.next()).type !== PINGRESP);
    tookMs.push(performance.now() - startMs);
    await pile.stage.until('a moment to pass', () => Promise.resolve(performance.now() > startMs + 30));
  }
  disk.setDelayMs(0);
  await pile.underWay.allEnded();
  const medianMs = tookMs.toSorted((a, b) => a - b)[PINGS / 2] ?? Infinity;
  t.diagnostic(`a ping took ${medianMs.toFixed(1)} ms, the slowest ${Math.max(...tookMs).toFixed(1)} ms`);
  assert.ok(medianMs < delayMs / 4, `half of the pings took longer than ${medianMs} ms`);
  pinger.socket.destroy();
  await pile.assertAllDone();
});

test('an agent that is killed in the middle of slow syncs, three times, has kept what it said', async (t) => {
  const scene = await openScene(t);
  if (scene === undefined) return;
  const { pile, disk } = scene;
  for (let falls = 1; falls <= 3; falls += 1) {
    disk.setDelayMs(100);
    pile.underWay.askWave(`before fall ${falls}`);
    const from = pile.history.length;
    await pile.stage.until('somebody to hear something', () =>
      Promise.resolve(pile.history.slice(from).filter(({ way }) => way === 'heard').length >= falls * 3),
    );
    await pile.stage.killAgent();
    disk.setDelayMs(0);
    await pile.assertNothingBroken();
    await pile.stage.startAgent();
    await pile.underWay.allEnded();
  }
  await pile.assertAllDone();
});
