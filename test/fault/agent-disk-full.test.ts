/**
 * No space on the disk in the middle of a commit, with the agent as it runs on a pile: whoever asks hears that the disk is full,
 * whatever was accepted ends once there is space, and an agent that falls on the full disk starts again from it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { HistoryEntry } from '../simulation/history.ts';
import { RealPile } from './real-pile/real-pile.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

const DISK_KIB = 24 * 1024;
/** What is left when the commits come: nothing, a page, part of a transaction, several of them. */
const LEFT_KIB = [0, 4, 24, 60, 200];

interface FullScene {
  readonly pile: RealPile;
  readonly disk: SmallDisk;
}

/** The agent's directory on a disk of its own; undefined where none can be mounted. */
async function openScene(t: TestContext): Promise<FullScene | undefined> {
  const dir = mkdtempSync(path.join(tmpdir(), 'plugpool-full-'));
  const pile = new RealPile({ dir });
  const mounted = mountSmallDisk(pile.stage.agentDataDir, DISK_KIB);
  t.after(async () => {
    await pile.stop();
    if (mounted.ok) mounted.disk.unmount();
    rmSync(dir, { recursive: true });
  });
  if (!mounted.ok) {
    t.skip(mounted.why);
    return undefined;
  }
  await pile.start();
  return { pile, disk: mounted.disk };
}

function wasRefused(history: readonly HistoryEntry[]): boolean {
  return history.some(
    ({ body }) => body.kind === 'refused' && body.reasons.some(({ code }) => code === 'storage_full'),
  );
}

/** Asks for more and more, until somebody hears that the disk is full. */
async function askUntilRefused({ history, underWay, stage }: RealPile): Promise<void> {
  const from = history.length;
  await stage.until('somebody to hear that the disk is full', () => {
    if (wasRefused(history.slice(from))) return Promise.resolve(true);
    underWay.askWave('while it fills');
    return Promise.resolve(false);
  });
}

test('a disk that fills up in the middle of commits refuses what it cannot keep, and loses nothing', async (t) => {
  const scene = await openScene(t);
  if (scene === undefined) return;
  const { pile, disk } = scene;
  for (const leftKib of LEFT_KIB) {
    pile.underWay.askWave(`before ${leftKib}`);
    disk.fillUp(leftKib * 1024);
    await askUntilRefused(pile);
    await pile.stage.ask('status');
    disk.free();
    await pile.underWay.allEnded();
  }
  assert.match(readFileSync(pile.stage.logPath('agent'), 'utf8'), /commit failed, nothing of it happened/);
  await pile.assertAllDone();
});

test('an agent that is killed on a full disk has kept all it said, and goes on once there is space', async (t) => {
  const scene = await openScene(t);
  if (scene === undefined) return;
  const { pile, disk } = scene;
  pile.underWay.askWave('before');
  disk.fillUp();
  await askUntilRefused(pile);
  await pile.stage.killAgent();
  await pile.assertNothingBroken();
  // With no page to spare a start may be refused, with a reason; it must break nothing.
  await pile.stage.startAgent().catch(() => assert.match(pile.logTail(), /full/));
  await pile.stage.killAgent();
  await pile.assertNothingBroken();
  disk.free();
  await pile.stage.startAgent();
  await pile.underWay.allEnded();
  await pile.assertAllDone();
});
