/** `plugpool retry`: what ended without a result is run again as a task of its own, once, and nothing that was told changes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { LeaseId } from '@plugpool/proto';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool, plugpoolJson, startPile, type Pile } from './cli-fixtures.ts';
import { RawVehicle } from './spine-raw-vehicle.ts';
import { addEcho, connectAs } from './spine-scene.ts';

interface Scene {
  readonly pile: Pile;
  readonly ask: (verb: string, args?: object) => Promise<unknown>;
}

async function openScene(t: TestContext): Promise<Scene> {
  const pile = await startPile(t, { policy: { crashesMax: 2, rest: '0s' } });
  const ask = async (verb: string, args: object = {}): Promise<unknown> => {
    const answer = await pile.control(verb, args);
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.value;
  };
  await addEcho({ ask });
  return { pile, ask };
}

async function donorIn({ pile, ask }: Scene): Promise<RawVehicle> {
  await ask('firmware', { step: 'charge', connector: '1', vehicleId: 'lender' });
  return RawVehicle.lending(pile.url, 'lender');
}

const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };

function crash(donor: RawVehicle, lease: LeaseId): void {
  const failure = { code: 'runtime_crashed', detail: 'gone', stderrTail: 'its last words' } as const;
  donor.say({ kind: 'result', lease, used, outcome: { ok: false, failure } });
}

interface Details {
  readonly state: string;
  readonly retryOf: string | null;
  readonly delivered: boolean;
  readonly history: readonly { readonly outcome: string; readonly reason: string }[];
}

async function taskIn({ ask }: Scene, taskId: string): Promise<Details> {
  return (await ask('task', { taskId })) as Details;
}

test('a dead task tells its history, and is run again as a new one, once, with the same input', async (t) => {
  const scene = await openScene(t);
  const { pile } = scene;
  const requester = await connectAs(t, pile, 'asker', newDirectory(t));
  const dead = await requester.request({ algorithm: 'echo', input: 'run me' });
  const hasHeard = assert.rejects(dead.result, /dead|crash|given up/i);
  const donor = await donorIn(scene);
  crash(donor, (await donor.hear('offer')).lease);
  crash(donor, (await donor.hear('offer')).lease);
  await hasHeard;
  const before = await taskIn(scene, dead.taskId);
  assert.deepEqual(
    [before.state, before.history.map(({ outcome }) => outcome)],
    ['dead', ['crashed', 'crashed']],
  );
  assert.match(before.history[1]?.reason ?? '', /runtime_crashed: gone/);

  const first = (await plugpoolJson(pile.dataDir, 'retry', dead.taskId)) as { taskId: string };
  assert.ok(CLI_CONTRACT['retry']?.safeParse(first).success, JSON.stringify(first));
  const second = (await plugpoolJson(pile.dataDir, 'retry', dead.taskId)) as { taskId: string };
  assert.equal(second.taskId, first.taskId, 'said twice, done once');
  const offer = await donor.hear('offer');
  assert.deepEqual(offer.input, { where: 'inline', bytes: new Uint8Array(Buffer.from('run me')) });
  const output = { where: 'inline', bytes: Buffer.from('run me') } as const;
  donor.say({ kind: 'result', lease: offer.lease, used, outcome: { ok: true, output } });
  assert.equal((await donor.hear('resultAck')).accepted, true);

  const after = await taskIn(scene, first.taskId);
  assert.deepEqual([after.state, after.retryOf], ['completed', dead.taskId]);
  const { delivered: _, ...told } = await taskIn(scene, dead.taskId);
  assert.deepEqual({ ...told, delivered: before.delivered }, before, 'what was told of the first stays');
  const result = await requester.result(first.taskId);
  assert.equal(Buffer.from(result.output).toString(), 'run me', 'its vehicle can fetch it');
  donor.leave();
});

test('what is unknown, runs, is done or was cancelled is not run again', async (t) => {
  const scene = await openScene(t);
  const { pile } = scene;
  const requester = await connectAs(t, pile, 'asker', newDirectory(t));
  const code = async (taskId: string): Promise<string> => {
    const outcome = await plugpool(pile.dataDir, 'retry', taskId, '--json');
    assert.equal(outcome.code, 1);
    return (JSON.parse(outcome.stdout) as { error: { code: string } }).error.code;
  };
  assert.equal(await code('t1-never'), 'task_unknown');
  const waiting = await requester.request({ algorithm: 'echo', input: 'x' });
  void waiting.result.catch(() => undefined);
  assert.equal(await code(waiting.taskId), 'task_running');
  await scene.ask('cancel', { taskId: waiting.taskId });
  assert.equal(await code(waiting.taskId), 'task_ended');

  const donor = await donorIn(scene);
  const done = await requester.request({ algorithm: 'echo', input: 'y' });
  const { lease } = await donor.hear('offer');
  const output = { where: 'inline', bytes: Buffer.from('y') } as const;
  donor.say({ kind: 'result', lease, used, outcome: { ok: true, output } });
  await done.result;
  assert.equal(await code(done.taskId), 'task_ended');
  assert.equal((await plugpool(pile.dataDir, 'retry', 'no such id!')).code, 2);
  donor.leave();
});

test('a task whose program is gone is not run again', async (t) => {
  const scene = await openScene(t);
  const requester = await connectAs(t, scene.pile, 'asker', newDirectory(t));
  const task = await requester.request({ algorithm: 'echo', input: 'x', deadlineS: 60 });
  const told = assert.rejects(task.result);
  await scene.ask('retireAlgorithm', { id: 'echo' });
  await told;
  const { stderr, code } = await plugpool(scene.pile.dataDir, 'retry', task.taskId);
  assert.equal(code, 1);
  assert.match(stderr, /retired/);
});
