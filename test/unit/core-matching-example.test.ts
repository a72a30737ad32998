/** The worked example of docs/matching.md, figure by figure. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { VehicleId } from '@plugpool/proto';
import { DwellModel, DEFAULT_DWELL } from '../../agent/core/dwell/dwell-model.ts';
import type { Residual } from '../../agent/core/dwell/residual.ts';
import type { StaySoFar } from '../../agent/core/dwell/stay-so-far.ts';
import { explain } from '../../agent/core/explain/explain.ts';
import { choose } from '../../agent/core/feasible/feasible.ts';
import { gainOf } from '../../agent/core/matching/gain.ts';
import { neededBy } from '../../agent/core/waiting/line.ts';
import type { Instance } from '../../agent/core/state.ts';
import { bodiesOf, request, SimulatedPile, type SentBody } from '../simulation/simulated-pile.ts';

const HOUR_MS = 3_600_000;

/** Of a vehicle that leaves at the same rate at any time. */
class Memoryless implements Residual {
  readonly #ratePerMs: number;
  constructor(departuresPerHour: number) {
    this.#ratePerMs = departuresPerHour / HOUR_MS;
  }

  survives(ms: number): number {
    return Math.exp(-this.#ratePerMs * Math.max(0, ms));
  }

  longestMs(p: number): number {
    return -Math.log(p) / this.#ratePerMs;
  }

  meanUntilMs(ms: number): number {
    return (1 - this.survives(ms)) / this.#ratePerMs;
  }

  hazardPerMs(): number {
    return this.#ratePerMs;
  }
}

/** At the first connector one vehicle in two leaves each hour, at the second one in ten. */
class TwoConnectors extends DwellModel {
  override residual(stay: StaySoFar): Residual {
    return new Memoryless(stay.connectorId.includes('alba') ? 0.5 : 0.1);
  }
}

function sceneOfThree(): SimulatedPile {
  const pile = new SimulatedPile();
  pile.state.dwell = new TwoConnectors(DEFAULT_DWELL);
  const twoCores = { cpuMillicores: 2000, threads: 2, memoryMib: 1024 };
  pile.addAlgorithm('plan', [twoCores], { workCoreS: 1200 });
  pile.addAlgorithm('train', [twoCores], { workCoreS: 7200 });
  pile.addAlgorithm('look', [{ cpuMillicores: 1000, memoryMib: 512 }], { workCoreS: 10 });
  for (const asker of ['a', 'b', 'c']) pile.ask(asker);
  pile.say('a.ask-1', request('r', 'train', { deadlineMs: 3 * HOUR_MS }));
  pile.say('b.ask-1', request('r', 'plan', { deadlineMs: HOUR_MS }));
  pile.say('c.ask-1', request('r', 'look', { deadlineMs: HOUR_MS / 6, wants: { latencyMs: 5_000 } }));
  return pile;
}

function arrive(pile: SimulatedPile, vehicleId: string): string[] {
  const before = pile.sent.length;
  pile.plug(vehicleId);
  pile.lend(vehicleId);
  return granted(pile.sent.slice(before));
}

function granted(sent: readonly SentBody[]): string[] {
  return bodiesOf(sent, 'offer').map(({ algorithmId }) => algorithmId);
}

function waitingFor(pile: SimulatedPile, program: string): Instance {
  for (const instance of pile.state.waiting.instances())
    if (instance.waitsIn?.need.ways[0]?.algorithm.id === program) return instance;
  throw new Error(`nobody waits for ${program}`);
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 0.0006, `${actual} is not ${expected}`);
}

test('alba takes the urgent one and then the one that will probably end there; the long one waits', () => {
  const pile = sceneOfThree();
  assert.deepEqual(arrive(pile, 'alba'), ['look', 'plan']);
  const train = waitingFor(pile, 'train');
  const why = explain(pile.state, train.task.record.taskId, pile.now());
  assert.deepEqual(
    why?.donors.flatMap(({ because }) => because),
    [
      'cpu: needs 2,000 millicores, 1,000 free of 4,000 lent',
      'leaving too soon: P = 0.57 < 0.60 that it stays for the 60 min of the run',
    ],
  );
});

test('the probabilities and the gain are those of the page', () => {
  const pile = sceneOfThree();
  arrive(pile, 'alba');
  const alba = pile.state.donors.get('alba' as VehicleId);
  assert.ok(alba);
  alba.free = alba.lendable;
  const plan = [...pile.state.tasks.values()].flatMap(({ instances }) => instances)[1];
  assert.ok(plan);
  const choice = choose(pile.state, neededBy(pile.state, plan), alba, pile.now());
  assert.ok(choice);
  near(choice.finishes, 0.9034);
  near(gainOf(plan, alba, choice, pile.now()), 0.0574);
});

test('brisa, who probably stays, takes the long one; a short one fills the end of alba’s stay', () => {
  const pile = sceneOfThree();
  arrive(pile, 'alba');
  assert.deepEqual(arrive(pile, 'brisa'), ['train']);
  const sent = pile.say('c.ask-1', request('r2', 'look'));
  const offer = sent.find(({ body }) => body.kind === 'offer');
  assert.equal(offer?.clientId, 'alba.lend');
});
