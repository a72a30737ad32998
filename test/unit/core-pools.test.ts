/** Sub-pools of a whole pile: planned, watched, extended with their images, changed by hand, kept over a restart. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { AlgorithmId, Demand, Deploy, LeaseId, Used } from '@plugpool/proto';
import type { OperatorCommand } from '../../agent/core/events.ts';
import type { AlgorithmClass } from '../../agent/core/algorithms/feature.ts';
import { LEARNED_RUNS_MAX } from '../../agent/core/algorithms/feature.ts';
import { expectedDemand, noForecast, offer } from '../../agent/core/pools/forecast.ts';
import { POOLS_NAME } from '../../agent/core/pools/pools-json.ts';
import { borrowedBy, lentBy, reservePpm, standing, type SubPool } from '../../agent/core/pools/pools.ts';
import { poolsView } from '../../agent/core/pools/view.ts';
import { DIMENSIONS, mapVector, type Vector } from '../../agent/core/pools/vector.ts';
import { profileOf } from '../../agent/core/algorithms/profile.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { step } from '../../agent/core/step.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  capacityReport,
  completed,
  digestOf,
  hello,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

const GPU_DEMAND: Partial<Demand> = {
  cpuMillicores: 500,
  memoryMib: 512,
  gpu: { shareMillis: 500, vramMib: 4096 },
};
/** Reports do not grow old here: what is tested is the monitor's time. */
const PATIENT = { capacityStaleMs: 3_600_000, leaseMs: 3_600_000 };

function newPile(settings: Partial<Settings> = {}): SimulatedPile {
  const pile = new SimulatedPile({ ...PATIENT, ...settings });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  return pile;
}

/** Two classes, and a vehicle with a GPU and one without: 8 cores, 16 GiB and one GPU of 8 GiB in all. */
function pileOfTwo(settings: Partial<Settings> = {}): SimulatedPile {
  const pile = newPile(settings);
  pile.addAlgorithm('sum', [{ cpuMillicores: 1000, memoryMib: 256 }]);
  pile.addAlgorithm('see', [GPU_DEMAND], { workCoreS: 0.2 });
  for (const [vehicleId, gpu] of [
    ['rich', 1000],
    ['plain', 0],
  ] as const) {
    pile.plug(vehicleId);
    pile.lend(vehicleId, { gpu });
  }
  pile.ask('asker');
  return pile;
}

function poolOf(pile: SimulatedPile, one: AlgorithmClass): SubPool {
  const pool = pile.state.pools.subPools.get(one);
  assert.ok(pool, `there is no sub-pool ${one}`);
  return pool;
}

function leasesIn(sent: readonly SentBody[]): { clientId: string; lease: LeaseId }[] {
  return sent.flatMap(({ clientId, body }) =>
    body.kind === 'offer' ? [{ clientId, lease: body.lease }] : [],
  );
}

let requests = 0;

/** Asks for that many runs; gives their leases. */
function run(pile: SimulatedPile, algorithm: string, count: number): { clientId: string; lease: LeaseId }[] {
  const sent: SentBody[] = [];
  for (let nth = 0; nth < count; nth++)
    sent.push(...pile.say('asker.ask-1', request(`r${++requests}`, algorithm)));
  return leasesIn(sent);
}

function operate(pile: SimulatedPile, command: OperatorCommand) {
  const effects = step(pile.state, [{ kind: 'operator', question: 7, command }], pile.now());
  pile.commit(effects);
  const answer = effects.answers[0]?.answer;
  assert.ok(answer);
  return answer;
}

function causes(pile: SimulatedPile, one: AlgorithmClass): string[] {
  return pile.state.pools.changes
    .filter(({ algorithmClass }) => algorithmClass === one)
    .map(({ cause }) => cause);
}

test('the first algorithm of a class gets it a sub-pool, and the gpu one is rich in gpu with a slice of the rest', () => {
  const pile = pileOfTwo();
  const cpu = poolOf(pile, 'cpu');
  const gpu = poolOf(pile, 'gpu');
  assert.deepEqual([cpu.size.gpuMillis, cpu.size.vramMib], [0, 0]);
  assert.deepEqual([gpu.size.gpuMillis, gpu.size.vramMib], [900, 7372]);
  assert.ok(gpu.size.cpuMillicores > 0 && gpu.size.cpuMillicores < cpu.size.cpuMillicores);
  assert.deepEqual(reservePpm(pile.state.pools).gpuMillis, 100_000);
  pile.unplug('rich');
  assert.equal(gpu.size.gpuMillis, 0);
  assert.equal(pile.state.pools.whole.cpuMillicores, 4000);
});

test('a retired class gives its part back, and what was planned for it serves the others', () => {
  const pile = pileOfTwo();
  operate(pile, { verb: 'retireAlgorithm', id: 'see' as AlgorithmId });
  assert.deepEqual([...pile.state.pools.subPools.keys()], ['cpu']);
  assert.equal(poolOf(pile, 'cpu').ppm.cpuMillicores, 900_000);
});

test('S2-low: a sub-pool that is hardly used for the whole window gives back to the reserve, and not before', () => {
  const pile = pileOfTwo();
  const before = poolOf(pile, 'cpu').ppm;
  pile.pass(pile.settings.poolWindowMs - 1);
  assert.deepEqual(poolOf(pile, 'cpu').ppm, before);
  pile.pass(1);
  assert.deepEqual(poolOf(pile, 'cpu').ppm, {
    cpuMillicores: 20_000,
    memoryMib: 20_000,
    gpuMillis: 0,
    vramMib: 0,
  });
  assert.deepEqual(causes(pile, 'cpu').at(-1), 'low');
  const changes = pile.state.pools.changes.length;
  pile.pass(10 * pile.settings.poolWindowMs);
  assert.equal(pile.state.pools.changes.length, changes, 'nothing more moves');
});

test('S2-low: a short run in between begins the window anew', () => {
  const pile = pileOfTwo();
  const { poolWindowMs } = pile.settings;
  pile.pass(poolWindowMs - 1000);
  const [held] = run(pile, 'sum', 1);
  assert.ok(held);
  pile.pass(10);
  pile.say(held.clientId, completed(held.lease));
  pile.pass(poolWindowMs - 10);
  assert.equal(causes(pile, 'cpu').includes('low'), false);
  pile.pass(10);
  assert.equal(causes(pile, 'cpu').includes('low'), true);
});

test('S2-low: a sub-pool that was planned anew rests for the cooldown, however long its use was low before', () => {
  const pile = pileOfTwo();
  const { poolWindowMs, poolCooldownMs } = pile.settings;
  pile.pass(poolWindowMs - 1000);
  operate(pile, { verb: 'planPools' });
  pile.pass(poolCooldownMs - 1);
  assert.equal(causes(pile, 'cpu').includes('low'), false);
  pile.pass(1);
  assert.equal(causes(pile, 'cpu').at(-1), 'low');
});

test('S2-high: a sub-pool that is nearly used up for the whole window draws from the reserve, with its images', () => {
  const pile = pileOfTwo({ deployImagesMax: 3 });
  pile.addAlgorithm('sort', [{ cpuMillicores: 1000, memoryMib: 256 }]);
  pile.addAlgorithm('seek', [GPU_DEMAND]);
  const share = (algorithmClass: AlgorithmClass, shareMillis: Partial<Vector>): void =>
    void operate(pile, { verb: 'setPool', algorithmClass, shareMillis });
  share('cpu', { cpuMillicores: 400, memoryMib: 400 });
  share('gpu', { cpuMillicores: 100, gpuMillis: 450, vramMib: 450 });
  pile.pass(10_000);
  assert.deepEqual(lastListOf(pile, 'rich'), ['see', 'sort', 'seek']);
  assert.equal(run(pile, 'sum', 8).length, 8);
  pile.pass(pile.settings.poolWindowMs - 1);
  assert.equal(poolOf(pile, 'cpu').size.cpuMillicores, 3200);
  assert.equal(causes(pile, 'cpu').includes('high'), false);
  pile.pass(1);
  assert.equal(causes(pile, 'cpu').includes('high'), true);
  assert.equal(poolOf(pile, 'cpu').size.cpuMillicores, 7200, 'all that the reserve had');
  assert.deepEqual(lastListOf(pile, 'rich'), ['sum', 'see', 'sort']);
});

test('S2-high: an empty reserve is said once, and who wanted is served first when something comes back', () => {
  const pile = pileOfTwo({ poolCooldownMs: 0 });
  const [seeing] = run(pile, 'see', 1);
  assert.ok(seeing);
  // With it seven runs take nearly all cpu: their sub-pool wants more than the reserve and all.
  run(pile, 'sum', 7);
  pile.pass(3 * pile.settings.poolWindowMs);
  assert.deepEqual(causes(pile, 'cpu').slice(-2), ['high', 'reserve_empty']);
  assert.equal(reservePpm(pile.state.pools).cpuMillicores, 0);
  const wantsMore = (): boolean | undefined =>
    poolsView(pile.state, pile.now()).subPools.find(({ subPool }) => subPool === 'cpu')?.wantsMore;
  assert.equal(wantsMore(), true);
  pile.say(seeing.clientId, completed(seeing.lease));
  pile.pass(pile.settings.poolWindowMs);
  assert.equal(causes(pile, 'gpu').at(-1), 'low');
  assert.equal(causes(pile, 'cpu').at(-1), 'served_first');
  assert.equal(wantsMore(), false);
});

test('guarantees, not walls: who stays inside is within, who is beyond borrows, and what it lends is said', () => {
  const pile = pileOfTwo();
  const { pools } = pile.state;
  const demand = { cpuMillicores: 1000, memoryMib: 256, threads: 1 };
  const whole = poolOf(pile, 'cpu').size.cpuMillicores;
  assert.equal(standing(pools, 'cpu', demand), 'within');
  assert.equal(standing(pools, 'memory', demand), 'borrowing', 'no class, no guarantee');
  run(pile, 'sum', 8);
  assert.equal(pools.used.cpu.cpuMillicores, 8000, 'nobody is kept from what is idle');
  assert.equal(standing(pools, 'cpu', demand), 'borrowing');
  assert.equal(borrowedBy(pools, 'cpu').cpuMillicores, 8000 - whole);
  const reserve = 8000 - whole - poolOf(pile, 'gpu').size.cpuMillicores;
  assert.equal(lentBy(pools, 'gpu').cpuMillicores, 8000 - whole - reserve);
});

test('a grant is counted as soon as it is planned: of what arrives together only the guaranteed part is within', () => {
  const pile = pileOfTwo();
  operate(pile, { verb: 'setPool', algorithmClass: 'cpu', shareMillis: { cpuMillicores: 250 } });
  run(pile, 'sum', 2);
  assert.equal(
    standing(pile.state.pools, 'cpu', { cpuMillicores: 1, memoryMib: 1, threads: 1 }),
    'borrowing',
  );
});

test('without sub-pools nothing is planned, nobody borrows, and use is counted all the same', () => {
  const pile = pileOfTwo({ subPools: false });
  run(pile, 'sum', 3);
  const { pools } = pile.state;
  assert.equal(pools.subPools.size, 0);
  assert.equal(standing(pools, 'cpu', { cpuMillicores: 99_000, memoryMib: 1, threads: 1 }), 'within');
  assert.equal(pools.used.cpu.cpuMillicores, 3000);
  pile.pass(10 * pile.settings.poolWindowMs);
  assert.deepEqual(pools.changes, []);
  const answer = operate(pile, { verb: 'planPools' });
  assert.equal(answer.ok ? '' : answer.code, 'sub_pools_off');
});

test('an operator gives a sub-pool what the reserve has, and no more; the monitor takes nothing of it away', () => {
  const pile = pileOfTwo();
  const tooMuch = operate(pile, { verb: 'setPool', algorithmClass: 'cpu', shareMillis: { gpuMillis: 110 } });
  assert.ok(!tooMuch.ok);
  assert.equal(tooMuch.code, 'reserve_too_small');
  assert.match(tooMuch.detail, /gpu at most 10 %/);
  const unknown = operate(pile, {
    verb: 'setPool',
    algorithmClass: 'memory',
    shareMillis: { cpuMillicores: 1 },
  });
  assert.equal(unknown.ok ? '' : unknown.code, 'class_unknown');
  assert.ok(operate(pile, { verb: 'setPool', algorithmClass: 'gpu', shareMillis: { gpuMillis: 400 } }).ok);
  assert.equal(poolOf(pile, 'gpu').ppm.gpuMillis, 400_000);
  pile.pass(5 * pile.settings.poolWindowMs);
  assert.equal(poolOf(pile, 'gpu').ppm.gpuMillis, 400_000);
  // Nor does another class in the catalogue.
  pile.addAlgorithm('sort', [{ cpuMillicores: 500, memoryMib: 16_000 }]);
  assert.equal(poolOf(pile, 'gpu').ppm.gpuMillis, 400_000);
  assert.ok(operate(pile, { verb: 'planPools' }).ok);
  assert.notEqual(poolOf(pile, 'gpu').ppm.gpuMillis, 400_000);
});

test('the plan follows what is asked for', () => {
  const pile = pileOfTwo();
  const before = poolOf(pile, 'gpu').ppm.cpuMillicores;
  run(pile, 'sum', 200);
  operate(pile, { verb: 'planPools' });
  assert.ok(poolOf(pile, 'gpu').ppm.cpuMillicores < before);
});

test('a plan, what an operator chose and the last changes are there after a restart; a damaged one is dropped and said', () => {
  const pile = pileOfTwo();
  operate(pile, { verb: 'setPool', algorithmClass: 'gpu', shareMillis: { gpuMillis: 333 } });
  const before = new Map(
    [...pile.state.pools.subPools].map(([one, { ppm, byHand }]) => [one, { ppm, byHand }]),
  );
  const { changes } = pile.state.pools;
  pile.restart();
  pile.step({ kind: 'tick' });
  const after = new Map(
    [...pile.state.pools.subPools].map(([one, { ppm, byHand }]) => [one, { ppm, byHand }]),
  );
  assert.deepEqual(after, before);
  assert.deepEqual(pile.state.pools.changes, changes);

  for (const damaged of [
    '"x"',
    '{}',
    '{"subPools":[{"algorithmClass":"cpu","ppm":{},"byHand":true}]}',
    tooLarge(),
  ]) {
    pile.disk.learned.set(POOLS_NAME, damaged);
    pile.restart();
    const { logs } = step(pile.state, [], pile.now());
    assert.ok(
      logs.some(({ level, fields }) => level === 'warn' && fields['name'] === POOLS_NAME),
      damaged,
    );
    assert.equal(poolOf(pile, 'gpu').byHand, false);
  }
});

function tooLarge(): string {
  const ppm = mapVector(() => 600_000);
  const subPools = ['cpu', 'gpu'].map((algorithmClass) => ({ algorithmClass, ppm, byHand: false }));
  return JSON.stringify({ subPools, forecast: [], writtenWallMs: 1, changes: [] });
}

test('what runs used moves a class, after a restart too, and the sub-pools with it', () => {
  const pile = newPile();
  pile.addAlgorithm('guess', [{ cpuMillicores: 500, memoryMib: 6000 }]);
  assert.deepEqual([...pile.state.pools.subPools.keys()], ['memory']);
  pile.plug('donor');
  pile.lend('donor');
  pile.ask('asker');
  const used: Used = { cpuMs: 500, wallMs: 1000, memoryPeakMib: 20, gpuMs: 0 };
  for (let nth = 0; nth < LEARNED_RUNS_MAX; nth++) {
    const [held] = run(pile, 'guess', 1);
    assert.ok(held);
    pile.pass(10);
    pile.say(held.clientId, { ...completed(held.lease), used } as ReturnType<typeof completed>);
  }
  assert.deepEqual([...pile.state.pools.subPools.keys()], ['cpu']);
  pile.restart();
  pile.step({ kind: 'tick' });
  assert.deepEqual([...pile.state.pools.subPools.keys()], ['cpu']);
});

test('an agent that stops keeps its forecast, and time without an agent counts', () => {
  const pile = pileOfTwo({ poolHalfLifeMs: 3_600_000 });
  run(pile, 'sum', 100);
  const time = { nowMs: pile.nowMs, halfLifeMs: 3_600_000 };
  const before = expectedDemand(pile.state.pools.forecast, time).cpu.cpuMillicores;
  pile.step({ kind: 'stopping' });
  // What may wait is written with the next commit, or by the engine when it stops.
  pile.addAlgorithm('sort');
  pile.jump(3_600_000);
  pile.restart();
  const after = expectedDemand(pile.state.pools.forecast, { ...time, nowMs: pile.nowMs }).cpu.cpuMillicores;
  assert.ok(Math.abs(after - before / 2) < before / 100, `${before} became ${after}`);
});

test('work beyond the deadline is not forecast: nobody draws a sub-pool to its class by stating more', () => {
  const expected = (workMncs: number, deadlineMs: number): number => {
    const pile = pileOfTwo({ poolHalfLifeMs: 3_600_000 });
    pile.say('asker.ask-1', request('r1', 'sum', { deadlineMs, wants: { demand: { workMncs } } }));
    const time = { nowMs: pile.nowMs, halfLifeMs: 3_600_000 };
    return expectedDemand(pile.state.pools.forecast, time).cpu.cpuMillicores;
  };
  assert.equal(expected(1.2e7, 600_000), expected(9e6, 600_000));
  assert.ok(expected(9e6, 600_000) > expected(3e5, 600_000));
});

test('an algorithm that is catalogued again with another demand is learned anew', () => {
  const pile = newPile();
  pile.addAlgorithm('guess', [{ cpuMillicores: 500, memoryMib: 6000 }]);
  const [algorithm] = pile.state.algorithms.values();
  assert.ok(algorithm);
  profileOf(pile.state, algorithm).learned = { runs: 50, cpuMillicores: 1, memoryMib: 1, gpuMillis: 0 };
  pile.addAlgorithm('guess', [{ cpuMillicores: 8000, memoryMib: 10 }]);
  assert.equal(pile.disk.learned.get('use:guess@1'), 'null');
  pile.restart();
  pile.step({ kind: 'tick' });
  assert.deepEqual([...pile.state.pools.subPools.keys()], ['cpu']);
  assert.deepEqual(pile.state.damaged, []);
});

test('a steady load is forecast as what it is, and half of it is forgotten in a half-life', () => {
  const forecast = noForecast();
  const halfLifeMs = 60_000;
  const demand = { cpuMillicores: 1000, memoryMib: 100, threads: 1 };
  // One run of ten seconds every second: ten at once.
  for (let nowMs = 0; nowMs < 20 * halfLifeMs; nowMs += 1000)
    offer(forecast.cpu, { demand, runMs: 10_000 }, { nowMs, halfLifeMs });
  const nowMs = 20 * halfLifeMs;
  const then = expectedDemand(forecast, { nowMs, halfLifeMs }).cpu;
  assert.ok(Math.abs(then.cpuMillicores - 10_000) < 100, `${then.cpuMillicores}`);
  const later = expectedDemand(forecast, { nowMs: nowMs + halfLifeMs, halfLifeMs }).cpu;
  for (const dimension of DIMENSIONS) assert.ok(Math.abs(later[dimension] - then[dimension] / 2) < 1e-6);
});

function deployedIn(sent: readonly SentBody[]): [clientId: string, images: string[]][] {
  return sent.flatMap(({ clientId, body }) =>
    body.kind === 'deploy' ? [[clientId, body.images.map(({ algorithmId }) => algorithmId as string)]] : [],
  );
}

function lastListOf(pile: SimulatedPile, vehicleId: string): string[] | undefined {
  return deployedIn(pile.sent).findLast(([clientId]) => clientId === `${vehicleId}.lend`)?.[1];
}

test('S2-203: a donor is told the images of its sub-pools that it can run, most asked for first, and once', () => {
  const pile = pileOfTwo();
  const lists = deployedIn(pile.sent);
  assert.deepEqual(lists, [
    ['rich.lend', ['see', 'sum']],
    ['plain.lend', ['sum']],
  ]);
  pile.sent.splice(0);
  pile.pass(20_000);
  pile.say('plain.lend', capacityReport({}));
  assert.deepEqual(deployedIn(pile.sent), [], 'nothing is news');
});

test('S2-203: a donor that has exactly these images is told nothing, another only what its owner allows', () => {
  const pile = newPile();
  pile.addAlgorithm('sum');
  pile.addAlgorithm('sort');
  for (const vehicleId of ['has', 'picky']) pile.plug(vehicleId);
  const reports = {
    has: { cachedImages: [digestOf('sum'), digestOf('sort')] },
    picky: { allowedAlgorithms: ['sort'] as AlgorithmId[] },
  };
  for (const [vehicleId, more] of Object.entries(reports)) {
    pile.connect(`${vehicleId}.lend`);
    pile.say(`${vehicleId}.lend`, hello({}));
    pile.say(`${vehicleId}.lend`, capacityReport({}, more));
  }
  assert.deepEqual(deployedIn(pile.sent), [['picky.lend', ['sort']]]);
});

test('S2-203: a vehicle that changes its mind all the time is told a list no more than every ten seconds', () => {
  const pile = newPile();
  pile.addAlgorithm('sum');
  pile.addAlgorithm('sort');
  pile.plug('donor');
  pile.lend('donor');
  pile.sent.splice(0);
  const allowed = ['sum', 'sort'] as AlgorithmId[];
  for (let nth = 0; nth < 150; nth++) {
    pile.say('donor.lend', capacityReport({}, { allowedAlgorithms: [allowed[nth % 2] as AlgorithmId] }));
    pile.pass(100);
  }
  const told = pile.sent
    .filter(({ body }) => body.kind === 'deploy')
    .map(({ body }) => (body as Deploy).images.length);
  assert.ok(told.length >= 1 && told.length <= 2, `${told.length} lists in fifteen seconds`);
});

test('S2-203: the list is bounded, and shared out by the sizes of the sub-pools', () => {
  const pile = newPile({ deployImagesMax: 6 });
  for (let nth = 0; nth < 10; nth++)
    pile.addAlgorithm(`sum${nth}`, [{ cpuMillicores: 1000, memoryMib: 256 }]);
  for (let nth = 0; nth < 10; nth++) pile.addAlgorithm(`see${nth}`, [GPU_DEMAND]);
  pile.plug('donor');
  pile.lend('donor', { gpu: 1000 });
  const [list] = deployedIn(pile.sent);
  assert.equal(list?.[1].length, 6);
  assert.equal(list[1].filter((id) => id.startsWith('see')).length, 3);
});

test('the worked example of docs/pools.md', () => {
  const pile = pileOfTwo();
  assert.deepEqual(poolOf(pile, 'cpu').ppm, ppm(736_666, 497_777, 0, 0));
  assert.deepEqual(poolOf(pile, 'gpu').ppm, ppm(163_333, 402_222, 900_000, 900_000));
  assert.deepEqual(poolOf(pile, 'cpu').size, ppm(5893, 8155, 0, 0));
  assert.deepEqual(poolOf(pile, 'gpu').size, ppm(1306, 6590, 900, 7372));
  run(pile, 'sum', 8);
  assert.deepEqual(borrowedBy(pile.state.pools, 'cpu'), ppm(2107, 0, 0, 0));
  assert.deepEqual(lentBy(pile.state.pools, 'gpu'), ppm(1306, 0, 0, 0));
  pile.pass(60_000);
  const last = pile.state.pools.changes.slice(-4).map(({ algorithmClass, cause }) => [algorithmClass, cause]);
  assert.deepEqual(last, [
    ['cpu', 'high'],
    ['cpu', 'reserve_empty'],
    ['gpu', 'low'],
    ['cpu', 'served_first'],
  ]);
  assert.deepEqual(poolOf(pile, 'gpu').ppm, ppm(20_000, 20_000, 20_000, 20_000));
  assert.deepEqual(poolOf(pile, 'cpu').ppm, ppm(980_000, 497_777, 0, 0));
});

function ppm(cpuMillicores: number, memoryMib: number, gpuMillis: number, vramMib: number): Vector {
  return { cpuMillicores, memoryMib, gpuMillis, vramMib };
}
