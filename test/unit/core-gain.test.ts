/** Which run a freed donor takes: that by whose start here and now most is gained. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlgorithmId, Demand, InstanceId, TaskId } from '@plugpool/proto';
import type { Choice } from '../../agent/core/feasible/feasible.ts';
import { gainOf } from '../../agent/core/matching/gain.ts';
import { CurveResidual, LEAD_EDGES_MS } from '../../agent/core/dwell/residual.ts';
import type { Donor, Instance } from '../../agent/core/state.ts';

const MINUTE_MS = 60_000;
const NOW = { monoMs: 0, wallMs: 0 };
const LENDABLE = { cpuMillicores: 1000, memoryMib: 1000, gpus: [] };

/** Half of those that are there leave within the half-life, at any age. */
function donor(halfLifeMs: number): Donor {
  const residual = new CurveResidual(Float64Array.from(LEAD_EDGES_MS, (ms) => (Math.LN2 * ms) / halfLifeMs));
  return {
    lendable: LENDABLE,
    stay: { residual, reviewedMonoMs: 0, mayStayMs: Infinity },
  } as unknown as Donor;
}

interface Run {
  readonly runMs: number;
  readonly deadlineMs?: number;
  readonly cpu?: number;
  readonly doneMncs?: number;
}

function gain(on: Donor, { runMs, deadlineMs = 10 * runMs, cpu = 1000, doneMncs }: Run): number {
  const demand: Demand = { cpuMillicores: cpu, memoryMib: 1, threads: 1 };
  const instance = {
    instanceId: 't_0' as InstanceId,
    task: { record: { taskId: 't' as TaskId }, deadlineMonoMs: deadlineMs },
    checkpoint: doneMncs === undefined ? undefined : { doneMncs },
  } as unknown as Instance;
  const way = { algorithm: { id: 'a' as AlgorithmId }, demand, workMncs: runMs };
  const choice = { way, placement: { demand }, runMs, finishes: on.stay.residual.survives(runMs) };
  return gainOf(instance, on, choice as unknown as Choice, NOW);
}

test('where the donor may leave, the shorter run of two gains more', () => {
  const leaves = donor(60 * MINUTE_MS);
  assert.ok(gain(leaves, { runMs: 5 * MINUTE_MS }) > gain(leaves, { runMs: 40 * MINUTE_MS }));
});

test('a run gains more where its donor stays longer', () => {
  const run = { runMs: 30 * MINUTE_MS };
  assert.ok(gain(donor(600 * MINUTE_MS), run) > gain(donor(60 * MINUTE_MS), run));
});

test('a run that is likelier to be lost than to end gains less than nothing', () => {
  assert.ok(gain(donor(10 * MINUTE_MS), { runMs: 40 * MINUTE_MS }) < 0);
});

test('who has less time to spare, takes more of the donor, or is nearly done, gains more', () => {
  const on = donor(120 * MINUTE_MS);
  const runMs = 10 * MINUTE_MS;
  assert.ok(gain(on, { runMs, deadlineMs: 2 * runMs }) > gain(on, { runMs, deadlineMs: 9 * runMs }));
  assert.ok(gain(on, { runMs, cpu: 1000 }) > gain(on, { runMs, cpu: 200 }));
  assert.ok(gain(on, { runMs, doneMncs: 3 * runMs }) > gain(on, { runMs }));
});
