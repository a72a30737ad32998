/** What the probe reads: the kernel's tables, nvidia-smi's, a car's payloads; and the real machine once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { parseNvidiaGpus } from '../../vehicle-client/adapters/gpu-nvidia.ts';
import { parseSignal } from '../../vehicle-client/adapters/signals-mqtt.ts';
import {
  parseAvailableMib,
  parseCpuTicks,
  parseProcessTicks,
  readTreeUse,
} from '../../vehicle-client/adapters/linux-proc.ts';
import {
  KERNEL_CHECKSUM,
  KERNEL_ITERATIONS,
  REFERENCE_ITERATIONS_PER_SEC,
  runKernel,
  speedMillisOf,
} from '../../vehicle-client/core/kernel.ts';

test('busy time leaves out idle time, waiting for a disk and what a hypervisor took, and counts guests once', () => {
  const stat = 'cpu  100 20 30 400 50 6 7 8 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n';
  assert.deepEqual(parseCpuTicks(stat), { busy: 163, total: 621 });
});

test('a process whose name holds spaces and parentheses is read right', () => {
  const stat = `42 (a) b (c) S 7 ${'0 '.repeat(9)}11 12 13 14 20 0 1 0 5 1000 250 0`;
  assert.deepEqual(parseProcessTicks(stat), { ticks: 50, parentPid: 7, residentPages: 250 });
});

test('available memory is read, and missed where it is not told', () => {
  assert.equal(parseAvailableMib('MemTotal: 100 kB\nMemAvailable:    2048 kB\n'), 2);
  assert.equal(parseAvailableMib('MemTotal: 100 kB\n'), undefined);
});

test('a child and its child count as own', { skip: process.platform !== 'linux' }, async (t) => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  t.after(() => process.kill(-(child.pid as number), 'SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { pids, residentMib } = readTreeUse([process.pid]);
  assert.ok(pids.has(child.pid as number));
  assert.ok(pids.has(Number(line.toString())));
  assert.ok(residentMib > 10);
  assert.deepEqual(readTreeUse([2 ** 22 + 1]).pids, new Set());
});

test('what own tasks hold of a GPU is idle', () => {
  const devices = 'GPU-1, NVIDIA Orin, 8192, 3000, 40\nGPU-2, NVIDIA Orin, 8192, 100, 7\n';
  const apps = 'GPU-1, 77, 2500\nGPU-1, 78, 400\n';
  assert.deepEqual(parseNvidiaGpus(devices, apps, new Set([77])), [
    {
      deviceId: 'GPU-1',
      model: 'NVIDIA Orin',
      vramMib: 8192,
      vramUsedByOthersMib: 500,
      usedByOthersMillis: 0,
    },
    {
      deviceId: 'GPU-2',
      model: 'NVIDIA Orin',
      vramMib: 8192,
      vramUsedByOthersMib: 100,
      usedByOthersMillis: 70,
    },
  ]);
  assert.deepEqual(parseNvidiaGpus('GPU-1, shared memory, [N/A], [N/A], 3\n', '', new Set()), []);
});

test('a car says its signals bare or in JSON, and nonsense says nothing', () => {
  assert.equal(parseSignal('socPercent', ' 81.5 '), 81.5);
  assert.equal(parseSignal('socPercent', '{"battery":{"cells":[{"soc":42}]}}', 'battery.cells.0.soc'), 42);
  assert.equal(parseSignal('socPercent', '181'), undefined);
  assert.equal(parseSignal('socPercent', '{"a":1}', 'a.b'), undefined);
  assert.equal(parseSignal('socPercent', 'no json', 'a'), undefined);
  assert.equal(parseSignal('socPercent', '{"a":{}}', 'a'), undefined);
  assert.equal(parseSignal('chargingPowerW', ''), undefined);
  assert.equal(parseSignal('ignition', '{"on":true}', 'on'), 'on');
  assert.equal(parseSignal('ignition', 'OFF'), 'off');
  assert.equal(parseSignal('readyByWallMs', '2026-11-21T07:30:00Z'), Date.UTC(2026, 10, 21, 7, 30));
});

test('the kernel does the same work everywhere', () => {
  assert.equal(runKernel(KERNEL_ITERATIONS), KERNEL_CHECKSUM);
});

test('speed is the fastest run against the reference', () => {
  const referenceMs = (KERNEL_ITERATIONS / REFERENCE_ITERATIONS_PER_SEC) * 1000;
  assert.equal(speedMillisOf(KERNEL_ITERATIONS, [referenceMs * 3, referenceMs, referenceMs * 2]), 1000);
  assert.equal(speedMillisOf(KERNEL_ITERATIONS, [referenceMs / 2]), 2000);
  assert.throws(() => speedMillisOf(KERNEL_ITERATIONS, []));
});
