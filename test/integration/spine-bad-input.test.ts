/**
 * What bad input gets from a whole pile with real donors: a refusal with a reason, a line in the log, and nothing lost; the agent
 * still answers and an ordinary task still completes. Where a part alone is enough to show it, the test stands beside that part:
 *
 *   garbage, truncated, too large      here; broker-hostile, broker-permissions; property/codec, unit/codec-frames, unit/codec
 *   wrong versions                     here; unit/codec-frames
 *   another vehicle's topic            here; broker-permissions (every topic, filter and flag)
 *   a wrong token                      here; broker-connect, vehicle-requester, unit/broker-vehicle-tokens, fault/agent-killed
 *   unknown algorithm or type          here; unit/core-task
 *   demand that nobody could meet      here
 *   negative and absurd numbers        here; unit/codec, unit/codec-fields, cli-programs, unit/firmware-check-event
 *   an image whose digest differs      here; vehicle-donor-blobs, cli-verbs (at `algorithms add`), unit/store-blob-files
 *   a chunk out of range               here; unit/store-blob-files, vehicle-donor-blobs
 *   modules that misbehave             here; runtime-wasm, runtime-sandbox, runtime-onnx, unit/runtime-memory-cap
 *   a result for another's lease       here; unit/core-task, property/core-laws (law 4)
 *   charging, says the vehicle alone   here; unit/core-task, property/core-laws (law 3)
 *   a full disk                        here; fault/store-full, unit/store-blob-files
 *   a configuration with mistakes      cli-programs, unit/config, unit/vehicle-config
 *   a data directory that is held      cli-programs, store-worker; a vehicle's: vehicle-donor
 *   an old Node                        unit/repository-install
 */
import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { configOf, startAgent, type ConfigInput, type RunningAgent } from '@plugpool/agent';
import { encodeFrame, type Digest, type LeaseId, type RequestId, type UpBody } from '@plugpool/proto';
import { startDonor, type Requester } from '@plugpool/vehicle-client';
import { mountSmallDisk, type SmallDisk } from '../fault/small-disk.ts';
import * as modules from '../fixtures/wasm/modules.ts';
import { block, frameOf, number } from '../unit/codec-wire.ts';
import { publishPacket } from './broker-raw-client.ts';
import { RawVehicle } from './spine-raw-vehicle.ts';
import { addEcho, addProgram, computesThenCopies, connectAs } from './spine-scene.ts';
import { donorOptions, temporaryDirectory } from './vehicle-fixtures.ts';

/** As pino writes it. */
const WARN = 40;

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

interface Scene {
  readonly url: string;
  readonly dataDir: string;
  readonly running: RunningAgent;
  readonly requester: Requester;
  readonly log: readonly LogLine[];
  readonly ask: (verb: string, args?: object) => Promise<unknown>;
}

/** An agent in this process that has the echo algorithm, and somebody who asks. */
async function openScene(t: TestContext, input: ConfigInput = {}): Promise<Scene> {
  const dataDir = input.dataDir ?? temporaryDirectory(t);
  const log: LogLine[] = [];
  const write = (line: Buffer, _encoding: string, done: () => void): void => {
    log.push(JSON.parse(line.toString()) as LogLine);
    done();
  };
  const running = await startAgent(configOf({ listen: 'mqtt://127.0.0.1:0', ...input, dataDir }), {
    log: pino(new Writable({ write })),
  });
  t.after(() => running.stop());
  const { url } = running;
  const ask = async (verb: string, args?: object): Promise<unknown> => {
    const answer = await running.control(verb, args);
    if (!answer.ok) throw new Refused(answer.error);
    return answer.value;
  };
  await addEcho({ ask });
  const requester = await connectAs(t, { url }, 'asker', path.join(dataDir, 'asker'));
  return { url, dataDir, running, requester, log, ask };
}

/** What the operator's verbs answer where they refuse. */
class Refused extends Error {
  readonly code: string;
  readonly hint: string;

  constructor({ code, detail, hint }: { code: string; detail: string; hint: string }) {
    super(detail);
    this.code = code;
    this.hint = hint;
  }
}

/** Lends for programs of every kind, in sandboxes where there are any, from a made-up machine. */
async function startLender(t: TestContext, { url }: Scene, vehicle = 'lender'): Promise<void> {
  const { runtimesInstead: _real, ...options } = donorOptions(url, temporaryDirectory(t), {
    vehicle,
    sandbox: 'bwrap-else-process',
    runtimes: ['wasm', 'echo'],
  });
  const donor = await startDonor(options);
  t.after(() => donor.stop());
}

async function openLendingScene(t: TestContext, input: ConfigInput = {}): Promise<Scene> {
  const scene = await openScene(t, input);
  await scene.ask('firmware', { step: 'charge', connector: '1', vehicleId: 'lender' });
  await startLender(t, scene);
  return scene;
}

/** The agent answers, and an ordinary task of an ordinary vehicle completes. */
async function assertServes({ ask, requester }: Scene): Promise<void> {
  await ask('status');
  const task = await requester.request({ algorithm: 'echo', input: 'as ever' });
  assert.equal(Buffer.from((await task.result).output).toString(), 'as ever');
  assert.equal(((await ask('ledger')) as { balanced: boolean }).balanced, true);
}

function assertLogged({ log }: Scene, message: string, fields: Readonly<Record<string, unknown>>): void {
  const lines = log.filter(({ msg }) => msg === message);
  const isMeant = (line: LogLine): boolean =>
    Object.entries(fields).every(([name, value]) => JSON.stringify(line[name]) === JSON.stringify(value));
  assert(
    lines.some(isMeant),
    `no line "${message}" with ${JSON.stringify(fields)}: ${JSON.stringify(lines)}`,
  );
}

/** The requester's, whose slot is another one each time. */
function clientIdOf({ running }: Scene): string {
  return [...running.agent.state.clients.keys()].find((id) => id.startsWith('asker.')) ?? '';
}

const bytesOf = (text: string) => ({ where: 'inline', bytes: Buffer.from(text) }) as const;

function requestFor(requestId: string, over: Partial<Extract<UpBody, { kind: 'request' }>> = {}) {
  const selector = { by: 'type', type: 'echo' } as const;
  return {
    kind: 'request',
    requestId: requestId as RequestId,
    selector,
    args: [],
    input: bytesOf('x'),
    ...over,
  } as const;
}

const GOOD = encodeFrame([{ correlationId: 5, body: requestFor('a-request') }]);

const badFrames: readonly (readonly [what: string, bytes: Buffer, code: string])[] = [
  ['random bytes', Buffer.from('9f3c0b77e1d2aa5800ff13', 'hex'), 'malformed'],
  ['nothing', Buffer.alloc(0), 'version_unsupported'],
  ['JSON', Buffer.from('{"kind":"hello"}'), 'malformed'],
  ['a frame cut short', GOOD.subarray(0, -3), 'malformed'],
  ['a frame of version 2', Buffer.concat([number(1, 2), GOOD.subarray(2)]), 'version_unsupported'],
  [
    'a frame of version 4 billion',
    Buffer.concat([number(1, 2 ** 32 - 1), GOOD.subarray(2)]),
    'version_unsupported',
  ],
  [
    'a negative number',
    frameOf(block(15, block(1, block(1, block(1, 'i'), number(2, 1)), number(2, -1n)))),
    'malformed',
  ],
  [
    'a deadline in a million years',
    frameOf(block(12, block(1, 'r'), block(2, 'echo'), block(6, block(1, 'x')), number(7, 2 ** 50))),
    'deadline_invalid',
  ],
  ['a body that nobody knows', frameOf(block(39, 'x')), 'not_supported'],
];

for (const [what, bytes, code] of badFrames)
  test(`${what} is refused with a reason, and the same client is heard afterwards`, async (t) => {
    const scene = await openLendingScene(t);
    const stranger = await RawVehicle.welcomed(scene.url, 'stranger.ask-1');
    stranger.sayBytes(bytes);
    const [reason] = (await stranger.hear('refused')).reasons;
    assert(reason !== undefined);
    assert.equal(reason.code, code);
    assert.notEqual(reason.hint, '');
    assertLogged(scene, 'refused', { clientId: 'stranger.ask-1', code });
    stranger.say(requestFor('after-that'));
    assert.equal((await stranger.hear('delivery')).state, 'completed');
    stranger.leave();
    await assertServes(scene);
  });

test('a message above the limit, or on another vehicle’s topic, closes the connection of its sender alone', async (t) => {
  const scene = await openLendingScene(t);
  const big = await RawVehicle.welcomed(scene.url, 'stranger.ask-1');
  big.sayBytes(Buffer.alloc(257 * 1024));
  await big.client.closed;
  const thief = await RawVehicle.welcomed(scene.url, 'stranger.ask-2');
  thief.client.send(publishPacket('plugpool/v1/lender/lend/up/frame', GOOD));
  await thief.client.closed;
  await assertServes(scene);
  assert.deepEqual(
    scene.log.filter(({ level }) => level === WARN).map(({ kind }) => kind),
    ['packet_too_large', 'foreign_topic'],
  );
});

test('a wrong token is refused, and the vehicle whose name it was goes on', async (t) => {
  const scene = await openLendingScene(t, { tokens: 'tokens' });
  const thief = connectAs(t, scene, 'asker', temporaryDirectory(t));
  await assert.rejects(thief, { code: 'token_refused' });
  assert(scene.log.some(({ level, vehicleId }) => level === WARN && vehicleId === 'asker'));
  await assertServes(scene);
});

test('a request that cannot be served is refused at once, with what is wrong', async (t) => {
  const scene = await openLendingScene(t, { policy: { deadlineMax: '1h', deadlineDefault: '1h' } });
  const refused = (code: string) => ({ code, retryable: false });
  const { requester } = scene;
  await assert.rejects(requester.request({ algorithm: 'no-such' }), refused('algorithm_unknown'));
  await assert.rejects(requester.request({ algorithm: 'echo', version: '9' }), refused('algorithm_unknown'));
  await assert.rejects(requester.request({ type: 'no-such' }), refused('type_unknown'));
  await assert.rejects(requester.request({ type: 'echo', deadlineS: 7200 }), refused('deadline_invalid'));
  assertLogged(scene, 'refused', { clientId: clientIdOf(scene), reasons: ['type_unknown'] });
  assert.deepEqual(await scene.ask('tasks', { limit: 10 }), []);
  await assertServes(scene);
});

test('a demand that no vehicle could ever meet is refused when it is added, and when it is asked for', async (t) => {
  const dataDir = temporaryDirectory(t);
  const large = await openScene(t, { dataDir });
  const needs = { memoryMib: 256 * 1024 };
  await assert.rejects(addProgram(large, 'hungry', modules.copiesStdin(), needs), {
    code: 'never_feasible',
    message: 'memory needs 262,144 MiB, the largest vehicle has 131,072',
  });
  await addProgram(large, 'hungry', modules.copiesStdin(), { memoryMib: 64 * 1024 });
  await large.requester.close();
  await large.running.stop();

  // The same catalogue, at a pile where only small vehicles come.
  const small = await openLendingScene(t, { dataDir, policy: { largestDonor: { memoryMib: 8 * 1024 } } });
  await assert.rejects(small.requester.request({ algorithm: 'hungry' }), {
    code: 'never_feasible',
    retryable: false,
    message: /memory needs 65,536 MiB, the largest vehicle has 8,192/,
  });
  assertLogged(small, 'refused', { clientId: clientIdOf(small), reasons: ['never_feasible'] });
  await assertServes(small);
});

test('negative and absurd numbers of an operator are refused, and the catalogue stays as it was', async (t) => {
  const scene = await openLendingScene(t);
  const image = modules.copiesStdin();
  for (const needs of [
    { cpuMillicores: -1 },
    { memoryMib: 0 },
    { memoryMib: 1e12 },
    { workCoreS: Number.NaN },
    { workCoreS: -3 },
    { cpuMillicores: 0.5 },
  ])
    await assert.rejects(addProgram(scene, 'absurd', image, needs), { code: 'invalid_argument' });
  const step = { step: 'charge', connector: '2', vehicleId: 'other' };
  await assert.rejects(scene.ask('firmware', { ...step, socPermille: 1001 }), { code: 'invalid_argument' });
  await assert.rejects(scene.ask('firmware', { ...step, connector: '1/2/3/4/5' }), {
    code: 'invalid_argument',
  });
  assert.equal(((await scene.ask('algorithms')) as unknown[]).length, 1);
  await assertServes(scene);
});

test('an image that was damaged on the pile is run by nobody, and its task waits until it is whole', async (t) => {
  const scene = await openLendingScene(t, { policy: { rest: '100ms', crashesMax: 1000 } });
  const image = modules.copiesStdin();
  await addProgram(scene, 'copy', image);
  const digest = hash('sha256', image, 'hex');
  const file = path.join(scene.dataDir, 'blobs', digest.slice(0, 2), digest);
  const whole = readFileSync(file);
  writeFileSync(file, Buffer.from(whole).fill(0x41, whole.length - 8));
  const task = await scene.requester.request({ algorithm: 'copy', input: 'kept' });
  for await (const event of task) if (event.kind === 'update' && event.reason !== '') break;
  writeFileSync(file, whole);
  assert.equal(Buffer.from((await task.result).output).toString(), 'kept');
  const { history } = (await scene.ask('task', { taskId: task.taskId })) as {
    history: { outcome: string; reason: string }[];
  };
  assert.match(history[0]?.reason ?? '', /^image_unavailable: .*(digest|sha256|hash)/);
  assert.equal(history.at(-1)?.outcome, 'completed');
  await assertServes(scene);
});

test('bytes that nobody gave a vehicle, and bytes beyond a blob, are refused', async (t) => {
  const scene = await openLendingScene(t);
  const image = modules.copiesStdin();
  await addProgram(scene, 'copy', image);
  const stranger = await RawVehicle.welcomed(scene.url, 'stranger.ask-1');
  const digest = hash('sha256', image, 'hex') as Digest;
  stranger.say({ kind: 'blobPull', digest, offset: image.length + 1, length: 10 });
  assert.equal((await stranger.hear('blobRefused')).code, 'range_invalid');
  stranger.say({
    kind: 'blobPull',
    digest: hash('sha256', 'a secret', 'hex') as Digest,
    offset: 0,
    length: 10,
  });
  assert.equal((await stranger.hear('blobRefused')).code, 'blob_unknown');
  stranger.say({ kind: 'blobPull', digest, offset: image.length - 4, length: 60_000 });
  assert.deepEqual(Buffer.from((await stranger.hear('blobChunk')).data), Buffer.from(image).subarray(-4));
  stranger.leave();
  await assertServes(scene);
});

test('an input whose bytes are not what was announced is refused, and the right ones are taken afterwards', async (t) => {
  const scene = await openLendingScene(t);
  const stranger = await RawVehicle.welcomed(scene.url, 'stranger.ask-1');
  const bytes = randomBytes(100_000);
  const digest = hash('sha256', bytes, 'hex') as Digest;
  const blob = { digest, sizeBytes: bytes.length };
  const request = requestFor('in-chunks', { input: { where: 'blob', blob } });

  stranger.say(request);
  await stranger.hear('blobPull');
  stranger.say({ kind: 'blobChunk', digest, offset: 0, data: bytes.subarray(0, 10), sizeBytes: 99_999 });
  assert.match((await stranger.hear('refused')).reasons[0]?.detail ?? '', /announced with 100000 bytes/);

  const giveAll = async (given: Buffer): Promise<void> => {
    stranger.say(request);
    for (let end = 0; end < given.length;) {
      const { offset, length } = await stranger.hear('blobPull');
      end = offset + length;
      stranger.say({
        kind: 'blobChunk',
        digest,
        offset,
        data: given.subarray(offset, end),
        sizeBytes: given.length,
      });
    }
  };
  await giveAll(Buffer.from(bytes).fill(0, 70_000));
  assert.equal((await stranger.hear('refused')).reasons[0]?.code, 'digest_mismatch');
  assertLogged(scene, 'refused', { reasons: ['digest_mismatch'] });
  await giveAll(bytes);
  const { output } = await stranger.hear('delivery');
  assert.deepEqual(output, { where: 'blob', blob });
  stranger.leave();
  await assertServes(scene);
});

const misbehaving: readonly (readonly [what: string, image: () => Uint8Array, code: string | RegExp])[] = [
  // A machine with other things to do may not give it its share of a core in time.
  ['loops', modules.loops, /^(cpu|wall)_time_limit$/],
  ['sleeps', modules.sleepsForAnHour, 'wall_time_limit'],
  ['grows', modules.growsUntilRefusedThenTraps, 'memory_limit'],
  ['starts-large', () => modules.needsPages(2000), 'memory_limit'],
  ['floods', () => modules.floods(1), 'output_limit'],
  ['exits', () => modules.exitsWith(3), 'exit_nonzero'],
  ['traps', modules.traps, 'trap'],
  ['imports', () => modules.importsFunction('env', 'system'), 'import_forbidden'],
  ['is-no-command', modules.hasNoStart, 'image_invalid'],
];

test('a module that misbehaves fails its own task with what it did, costs nothing, and its donor goes on', async (t) => {
  const scene = await openLendingScene(t, { policy: { runTimeFloor: '1s', runTimeFactor: 1 } });
  const tasks = await Promise.all(
    misbehaving.map(async ([id, image]) => {
      await addProgram(scene, id, image(), { cpuMillicores: 100, workCoreS: 0.01 });
      return scene.requester.request({ algorithm: id });
    }),
  );
  for (const [index, [id, , code]] of misbehaving.entries()) {
    const task = tasks[index];
    assert(task !== undefined);
    await assert.rejects(task.result, { code, retryable: false }, id);
    const ended = (await scene.ask('task', { taskId: task.taskId })) as Ended;
    assert.deepEqual([id, ended.attempts, ended.state, ended.chargedMncs], [id, 1, 'failed', 0]);
  }
  assert.equal(((await scene.ask('ledger')) as { bookings: number }).bookings, 0);
  await assertServes(scene);
});

interface Ended {
  readonly attempts: number;
  readonly state: string;
  readonly chargedMncs: number;
}

test('a result for somebody else’s lease changes nothing and earns nothing', async (t) => {
  const scene = await openLendingScene(t);
  await addProgram(scene, 'slow', computesThenCopies(100_000_000));
  const thief = await RawVehicle.welcomed(scene.url, 'thief.lend');
  const task = await scene.requester.request({ algorithm: 'slow', input: 'the right bytes' });
  const lease = leaseOf(scene, task.taskId);
  const used = { cpuMs: 1_000_000, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };
  const steal = (named: LeaseId): number =>
    thief.say({ kind: 'result', lease: named, used, outcome: { ok: true, output: bytesOf('other bytes') } });
  steal(lease);
  assert.deepEqual(await thief.hear('resultAck'), {
    kind: 'resultAck',
    lease,
    accepted: false,
    reason: 'lease_void',
  });
  steal({ ...lease, fencingToken: (lease.fencingToken + 1) as LeaseId['fencingToken'] });
  assert.equal((await thief.hear('resultAck')).accepted, false);
  thief.say({ kind: 'decline', lease, reason: 'not mine to decline' });
  assertLogged(scene, 'result refused', { clientId: 'thief.lend', reason: 'lease_void' });

  const result = await task.result;
  assert.equal(Buffer.from(result.output).toString(), 'the right bytes');
  assert.deepEqual([result.donor, result.attempts], ['lender', 1]);
  const { accounts } = (await scene.ask('ledger')) as { accounts: { account: string }[] };
  assert(!accounts.some(({ account }) => account === 'vehicle:thief'));
  thief.leave();
  await assertServes(scene);
});

function leaseOf({ running }: Scene, taskId: string): LeaseId {
  const [instance] = running.agent.state.tasks.get(taskId as never)?.instances ?? [];
  assert(instance?.lease !== undefined);
  return { instanceId: instance.instanceId, fencingToken: instance.lease.fencingToken };
}

test('a vehicle that lends while the firmware knows nothing of it is given nothing, until the firmware does', async (t) => {
  const scene = await openScene(t);
  await startLender(t, scene, 'impostor');
  const task = await scene.requester.request({ algorithm: 'echo', input: 'waits' });
  const untilRefusedFor = async (test: string): Promise<void> => {
    for (;;) {
      const { donors } = (await scene.ask('explain', { taskId: task.taskId })) as Explained;
      const impostor = donors.find(({ vehicleId }) => vehicleId === 'impostor');
      if (impostor?.obstacles[0]?.test === test) return;
      await setImmediate();
    }
  };
  await untilRefusedFor('not_plugged');
  await scene.ask('firmware', { step: 'plug', connector: '1', vehicleId: 'impostor' });
  await untilRefusedFor('session_not_lending');
  assert.equal(scene.running.agent.state.counters.granted, 0);
  await scene.ask('firmware', { step: 'charge', connector: '1' });
  assert.equal((await task.result).donor, 'impostor');
  await assertServes(scene);
});

interface Explained {
  readonly donors: readonly {
    readonly vehicleId: string;
    readonly obstacles: readonly { readonly test: string }[];
  }[];
}

test('on a full disk the sender hears that it is full, nothing accepted is lost, and with space the same request succeeds', async (t) => {
  const disk = smallDisk(t, 8);
  if (disk === undefined) return;
  const scene = await openLendingScene(t, { dataDir: path.join(disk.directory, 'pile') });
  closing.push(() => scene.running.stop());
  await addProgram(scene, 'slow', computesThenCopies(150_000_000));
  const accepted = await scene.requester.request({ algorithm: 'slow', input: 'accepted before' });

  disk.fillUp();
  const stranger = await RawVehicle.welcomed(scene.url, 'stranger.ask-1');
  const requests = Array.from({ length: 200 }, (_, i) =>
    requestFor(`request-${i}`, { input: { where: 'inline', bytes: randomBytes(60_000) } }),
  );
  // The log of the database may have room for some of them.
  const refused = await firstRefused(stranger, requests);
  assert.equal(refused.reasons[0]?.code, 'storage_full');
  assert.equal(refused.retryable, true);
  assertLogged(scene, 'commit failed, nothing of it happened', {});
  await stranger.client.closed;
  await scene.ask('status');
  const inChunks = scene.requester.request({ algorithm: 'echo', input: randomBytes(200_000) });
  await untilLogged(scene, ({ reasons }) => JSON.stringify(reasons) === '["storage_full"]');

  disk.free();
  const again = await RawVehicle.welcomed(scene.url, 'stranger.ask-1');
  const same = requests.find(({ requestId }) => requestId === refused.requestId);
  assert(same !== undefined);
  again.say(same);
  const { taskId } = await again.hear('accepted');
  for (;;) if ((await again.hear('delivery')).taskId === taskId) break;
  again.leave();
  assert.equal(Buffer.from((await accepted.result).output).toString(), 'accepted before');
  assert.equal((await (await inChunks).result).output.length, 200_000);
  await assertServes(scene);
});

async function firstRefused(vehicle: RawVehicle, requests: readonly ReturnType<typeof requestFor>[]) {
  for (const request of requests) {
    vehicle.say(request);
    const answer = await vehicle.hearEither('accepted', 'refused');
    if (answer.kind === 'refused') return answer;
  }
  throw new Error('every request was accepted on a full disk');
}

async function untilLogged({ log }: Scene, isMeant: (line: LogLine) => boolean): Promise<void> {
  while (!log.some(isMeant)) await setImmediate();
}

/** What must be closed before its file system goes. */
const closing: (() => Promise<void>)[] = [];

/** Undefined where none can be mounted. */
function smallDisk(t: TestContext, sizeMib: number): SmallDisk | undefined {
  const place = mkdtempSync(path.join(tmpdir(), 'plugpool-small-'));
  const mounted = mountSmallDisk(path.join(place, 'disk'), sizeMib * 1024);
  if (!mounted.ok) {
    rmSync(place, { recursive: true });
    t.skip(mounted.why);
    return undefined;
  }
  t.after(async () => {
    for (const close of closing.splice(0)) await close();
    mounted.disk.unmount();
    rmSync(place, { recursive: true });
  });
  return mounted.disk;
}
