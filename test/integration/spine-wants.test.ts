/** What a request wants and what a pile deploys, from end to end over a real pile and real lending vehicles. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { askDonor } from '../../vehicle-client/adapters/control-socket.ts';
import type { StatusJson } from '../../vehicle-client/cli/status.ts';
import { dataPaths } from '../../vehicle-client/data-dir.ts';
import type { Stage } from '../../scripts/stage.ts';
import { printsEnvironment } from '../fixtures/wasm/modules.ts';
import { LENDS_ALL, addProgram, connectAs, openStage, untilLending } from './spine-scene.ts';

/** A pile with one program and one vehicle that lends under this constraint. */
async function sceneWith(t: TestContext, requestConstraint: string): Promise<Stage> {
  const stage = openStage(t);
  await stage.startAgent();
  await addProgram(stage, 'parts', printsEnvironment(), { cpuMillicores: 100 });
  await stage.ask('firmware', { step: 'charge', connector: '1', vehicleId: 'lender' });
  stage.startDonor('lender', { ...LENDS_ALL, policy: { ...LENDS_ALL.policy, requestConstraint } });
  await untilLending(stage, 1);
  return stage;
}

test('an image is at the donor before anybody asks, and each of three parts knows which it is', async (t) => {
  const stage = await sceneWith(t, 'request.requester == "asker" && request.instances <= 3');
  const socket = dataPaths(path.join(stage.dir, 'lender')).controlSocket;
  await stage.until('the image to be deployed', async () => {
    const { images } = (await askDonor(socket, { op: 'status' })) as StatusJson;
    return images.deployed === 1 && images.kept === 1;
  });
  const asker = await connectAs(t, stage, 'asker', path.join(stage.dir, 'asker'));
  const wants = { instances: 3, constraint: 'donor.cores >= 1', latencyMs: 500, budgetCoreS: 100 };
  const { outputs } = await (await asker.request({ algorithm: 'parts', ...wants })).result;
  assert.deepEqual(
    outputs.map((output) => Buffer.from(output).toString().split('\0').slice(0, 2)),
    [0, 1, 2].map((part) => [`PLUGPOOL_PART=${part}`, 'PLUGPOOL_PARTS=3']),
  );
});

test("what an owner's constraint forbids waits, while what it allows runs on the same vehicle", async (t) => {
  const stage = await sceneWith(t, 'request.requester == "welcome"');
  const asker = await connectAs(t, stage, 'asker', path.join(stage.dir, 'asker'));
  const welcome = await connectAs(t, stage, 'welcome', path.join(stage.dir, 'welcome'));
  const task = await asker.request({ algorithm: 'parts' });
  await (
    await welcome.request({ algorithm: 'parts' })
  ).result;
  const entry = await asker.explain(task.taskId);
  assert.equal(entry.state, 'queued');
  assert.equal(entry.explanation?.place, 1);
  assert.deepEqual(entry.explanation.obstacles, [{ test: 'owner_constraint_not_met', donors: 1 }]);
  assert.match(
    entry.explanation.wouldRun[0] ?? '',
    /^its owner's constraint allowing it, on a donor that is here$/,
  );
  await assert.rejects(welcome.explain(task.taskId), { code: 'task_unknown' });
  assert.match(await explainedTo(stage, 'asker', task.taskId), /place in the line: 1, the next/);
  assert.equal(await task.cancel(), 'cancelled');
});

/** What `plugpool-vehicle explain` says. */
async function explainedTo(stage: Stage, vehicleId: string, taskId: string): Promise<string> {
  const dataDir = path.join(stage.dir, vehicleId);
  const where = ['--agent', stage.url, '--vehicle', vehicleId, '--data-dir', dataDir];
  const { code, stdout, stderr } = await stage.vehicle(['explain', taskId, ...where]);
  assert.equal(code, 0, stderr);
  return stdout;
}
