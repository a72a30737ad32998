/** Who is plugged in is known again after the agent was started anew, where EVerest says the same session. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openControlScene } from '../everest/control-scene.ts';
import { EVCCID, RFID_TOKEN } from '../everest/simulated-everest.ts';

function memoryFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-everest-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'everest.json');
}

/** A vehicle comes, shows its card and charges; then the agent stops. */
async function firstRun(file: string) {
  const scene = await openControlScene({ memoryFile: file });
  scene.everest.plugIn();
  scene.everest.authorise();
  scene.everest.charge();
  scene.everest.sayVehicle({ evccid: EVCCID });
  scene.clock.advance(1_000);
  scene.everest.everySecond();
  await scene.adapter.stop();
  return scene;
}

/** What the next run makes of what EVerest says then. */
async function nextRun(file: string, say: (scene: Awaited<ReturnType<typeof openControlScene>>) => void) {
  const scene = await openControlScene({ memoryFile: file });
  say(scene);
  await scene.adapter.stop();
  return scene.events.map((event) => (event.kind === 'credential' ? event.credential.kind : event.kind));
}

test('after a restart the same session is the same vehicle', async (t) => {
  const file = memoryFile(t);
  const { everest, link } = await firstRun(file);
  const told = await nextRun(file, (next) => {
    everest.sayInfo();
    for (const { topic, payload } of link.undelivered.splice(0)) next.link.deliver(topic, payload);
  });
  assert.deepEqual(told, ['plugged', 'idToken', 'evccid', 'transactionStarted', 'chargingStarted']);
});

test('after a restart another session is another vehicle', async (t) => {
  const file = memoryFile(t);
  const { everest, link, clock } = await firstRun(file);
  const told = await nextRun(file, (next) => {
    everest.unplug();
    clock.advance(60_000);
    everest.plugIn();
    link.undelivered.length = 0;
    everest.sayInfo();
    for (const { topic, payload } of link.undelivered.splice(0)) next.link.deliver(topic, payload);
  });
  assert.deepEqual(told, ['plugged']);
});

test('a vehicle that left is not remembered', async (t) => {
  const file = memoryFile(t);
  const scene = await openControlScene({ memoryFile: file });
  scene.everest.plugIn();
  scene.everest.authorise();
  scene.everest.unplug();
  await scene.adapter.stop();
  assert.equal(readFileSync(file, 'utf8'), '{}');
});

test('nothing in the file names a card or a car', async (t) => {
  const file = memoryFile(t);
  await firstRun(file);
  const text = readFileSync(file, 'utf8').toUpperCase();
  assert.match(text, /"KIND":"EVCCID"/);
  for (const value of [RFID_TOKEN.id_token.value, EVCCID, EVCCID.replaceAll(':', '')])
    assert.ok(!text.includes(value), value);
});

test('a file that is damaged, or of something else, knows nobody', async (t) => {
  const file = memoryFile(t);
  for (const text of [
    '',
    '{"evse_1_api":',
    '[]',
    '{"evse_1_api":{"credentials":[{"kind":"vin","pseudonym":"WBA0"}]}}',
  ]) {
    writeFileSync(file, text);
    assert.deepEqual(await nextRun(file, (next) => next.everest.plugIn()), ['plugged', 'meter']);
  }
});

test('where it cannot be kept, that is said, and everything else goes on', async () => {
  const issues: string[] = [];
  const scene = await openControlScene({
    memoryFile: join(tmpdir(), 'plugpool-no-such-folder', 'everest.json'),
    report: ({ kind }) => issues.push(kind),
  });
  scene.everest.plugIn();
  await scene.adapter.stop();
  assert.deepEqual(issues, ['link_up', 'memory_unsaved']);
  assert.equal(scene.events[0]?.kind, 'plugged');
});
