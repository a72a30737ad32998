/** `npm run demo` as a program would use it: one JSON document on standard output, and in it what docs and README promise. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { z } from 'zod';

const ROOT = path.join(import.meta.dirname, '../..');

/** More may stand beside what is named here. */
const summary = z.looseObject({
  ok: z.literal(true),
  tasks: z.array(
    z.looseObject({
      id: z.string().min(1),
      algorithm: z.enum(['route-plan-astar', 'route-plan-anneal', 'lidar-voxel-ground', 'sign-text-detect']),
      requester: z.string().min(1),
      donor: z.enum(['demo-car-1', 'demo-car-2']),
      attempts: z.int().min(1),
      state: z.literal('completed'),
      outputMatches: z.literal(true),
      ms: z.int().min(0),
    }),
  ),
  donors: z.array(z.looseObject({ vehicleId: z.string(), cpuModel: z.string().min(1) })),
  ledger: z.looseObject({ balanced: z.literal(true), bookings: z.int() }),
  moved: z.int(),
  confirmed: z.int(),
});

test(
  'the demo prints one document: a dozen tasks over three types, one moved, all right, all booked',
  {
    timeout: 180_000,
  },
  async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'plugpool-demo-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const child = spawn('npm', ['run', '--silent', 'demo', '--', '--json', '--dir', folder], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGTERM'));
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    const lines = stdout.split('\n');
    assert.deepEqual([lines.length, lines[1]], [2, ''], 'one document, on one line');
    const { tasks, donors, ledger, moved, confirmed } = summary.parse(JSON.parse(stdout));
    assert(tasks.length >= 12);
    assert.equal(new Set(tasks.map(({ id }) => id)).size, tasks.length);
    assert.deepEqual(
      ['route-plan', 'lidar', 'sign-text'].filter(
        (type) => !tasks.some(({ algorithm }) => algorithm.startsWith(type)),
      ),
      [],
    );
    assert.deepEqual(donors.map(({ vehicleId }) => vehicleId).toSorted(), ['demo-car-1', 'demo-car-2']);
    assert.equal(ledger.bookings, tasks.length + confirmed, 'each run that agreed is booked');
    assert(moved >= 1, 'the donor that was unplugged lost one');
    assert(tasks.some(({ attempts }) => attempts > 1));
  },
);
