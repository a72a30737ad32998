/** The operator's verbs against a whole agent (real store, broker and control socket), and their JSON against the contract. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connectRequester, startDonor, type Requester } from '@plugpool/vehicle-client';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool, plugpoolJson, startPile, type Pile } from './cli-fixtures.ts';
import { donorOptions, HeldRuntime, runtimesOf } from './vehicle-fixtures.ts';

/** The smallest module there is: the magic number and the version. */
const WASM = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

function algorithmArgs(file: string, id: string, ...more: string[]): string[] {
  const needs = ['--cpu-millicores', '1000', '--memory-mib', '64', '--work-core-s', '1'];
  return ['algorithms', 'add', file, '--id', id, '--version', '1.0', '--runtime', 'wasm', ...needs, ...more];
}

function imageIn(t: TestContext, bytes: Uint8Array = WASM): string {
  const path = join(newDirectory(t), 'image.wasm');
  writeFileSync(path, bytes);
  return path;
}

async function startLender(t: TestContext, pile: Pile): Promise<HeldRuntime> {
  const runtime = new HeldRuntime();
  const connected = Promise.withResolvers<void>();
  const donor = await startDonor(
    donorOptions(pile.url, newDirectory(t), {
      runtimes: ['wasm'],
      runtimesInstead: runtimesOf(runtime),
      onEvent: ({ kind }) => kind === 'connected' && connected.resolve(),
    }),
  );
  t.after(() => donor.stop());
  await connected.promise;
  return runtime;
}

async function startAsker(t: TestContext, pile: Pile): Promise<Requester> {
  const requester = await connectRequester({
    agent: pile.url,
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
  });
  t.after(() => requester.close());
  return requester;
}

type Document = Record<string, unknown>;

/** The verb's document, which must be what the contract says. */
async function promised(verb: string, pile: Pile, ...argv: string[]): Promise<Document> {
  const document = await plugpoolJson(pile.dataDir, ...argv);
  const parsed = CLI_CONTRACT[verb]?.safeParse(document);
  assert.ok(
    parsed?.success,
    `${verb}: ${JSON.stringify(document)}\n${parsed?.error?.message ?? 'no contract'}`,
  );
  return document as Document;
}

test('every verb tells of a pile at work what the contract promises', async (t) => {
  const pile = await startPile(t);
  const asker = await startAsker(t, pile);
  const image = imageIn(t);

  const { algorithm } = await promised(
    'algorithms add',
    pile,
    ...algorithmArgs(image, 'slow', '--type', 'work'),
  );
  assert.equal(
    (algorithm as { image: { digest: string } }).image.digest,
    createHash('sha256').update(WASM).digest('hex'),
  );
  const gpu = ['--gpu-millis', '500', '--vram-mib', '1024', '--gpu-model', 'X1'];
  const orCpu = ['--or-cpu-millicores', '2500', '--or-memory-mib', '128'];
  const added = await promised('algorithms add', pile, ...algorithmArgs(image, 'seer', ...gpu, ...orCpu));
  assert.equal((added['algorithm'] as Document)['checkpoints'], undefined);
  assert.deepEqual((added['algorithm'] as Document)['demands'], [
    { cpuMillicores: 1000, memoryMib: 64, threads: 1, gpu: { shareMillis: 500, vramMib: 1024, model: 'X1' } },
    { cpuMillicores: 2500, memoryMib: 128, threads: 3 },
  ]);
  await promised('algorithms list', pile, 'algorithms', 'list');
  await promised('algorithms list', pile, 'algorithms');
  await promised('algorithms show', pile, 'algorithms', 'show', 'seer');

  const waits = await asker.request({ algorithm: 'slow', input: 'x' });
  const alone = await promised('explain', pile, 'explain', waits.taskId);
  assert.equal(alone['summary'], 'no donor is known here');

  const runtime = await startLender(t, pile);
  const unplugged = await promised('explain', pile, 'explain', waits.taskId);
  assert.deepEqual((unplugged['donors'] as Document[])[0]?.['obstacles'], [{ test: 'not_plugged' }]);
  const seer = await asker.request({ algorithm: 'seer', input: 'y' });

  await promised('firmware', pile, 'firmware', 'plug', '--connector', '1', '--vehicle', 'lender');
  await promised(
    'firmware',
    pile,
    'firmware',
    'charge',
    '--connector',
    '1',
    '--soc',
    '55.5',
    '--leaves-in',
    '8h',
  );
  await runtime.started(2);
  const { connectors } = await promised('connectors', pile, 'connectors');
  const [connector] = connectors as Document[];
  assert.deepEqual(
    [connector?.['connectorId'], connector?.['state'], connector?.['socPermille']],
    ['station/1/1', 'charging', 555],
  );
  const { vehicles } = await promised('vehicles', pile, 'vehicles');
  const lender = (vehicles as Document[]).find(({ vehicleId }) => vehicleId === 'lender');
  assert.deepEqual([lender?.['phase'], (lender?.['runs'] as string[]).length], ['eligible', 2]);
  const status = await promised('status', pile, 'status');
  assert.deepEqual(status['tasks'], { queued: 0, running: 2, undelivered: 0 });
  assert.equal((await promised('task', pile, 'task', waits.taskId))['state'], 'running');
  assert.equal((await promised('explain', pile, 'explain', waits.taskId))['donors'] instanceof Array, true);

  const pools = await promised('pools', pile, 'pools');
  const names = (pools['subPools'] as Document[]).map(({ subPool }) => subPool);
  assert.deepEqual(new Set(names), new Set(['cpu', 'gpu']));
  const changed = await promised('pools set', pile, 'pools', 'set', 'gpu', '--gpu', '40%');
  assert.deepEqual(((changed['subPool'] as Document)['shares'] as Document)['vramPpm'], 400_000);
  const replanned = await promised('pools plan', pile, 'pools', 'plan');
  assert.equal((replanned['subPools'] as Document[]).length, 2);

  await promised('cancel', pile, 'cancel', seer.taskId);
  await assert.rejects(seer.result, { code: 'cancelled' });
  runtime.jobs.find(({ job }) => Buffer.from(job.input).toString() === 'x')?.end(Buffer.from('done'));
  await waits.result;

  const done = await promised('task', pile, 'task', waits.taskId);
  assert.deepEqual([done['quorum'], done['agreeing']], [null, 1]);
  assert.deepEqual(
    [done['state'], done['donor'], done['attempts'], done['outputBytes'], done['algorithmVersion']],
    ['completed', 'lender', 1, 4, '1.0'],
  );
  assert.deepEqual(
    (done['history'] as Document[]).map(({ outcome }) => outcome),
    ['completed'],
  );
  assert.equal((done['bookings'] as Document[]).length, 1);
  assert.match(
    String((await promised('explain', pile, 'explain', waits.taskId))['summary']),
    /^it ended on lender$/,
  );
  const late = await plugpool(pile.dataDir, 'cancel', waits.taskId);
  assert.equal(late.code, 1);
  assert.match(late.stderr, new RegExp(`task ${waits.taskId} is completed already`));
  const { tasks } = await promised('tasks', pile, 'tasks', '--limit', '10');
  assert.deepEqual(
    (tasks as Document[]).map(({ taskId, state }) => [taskId, state]),
    [
      [seer.taskId, 'cancelled'],
      [waits.taskId, 'completed'],
    ],
  );
  const ledger = await promised('ledger', pile, 'ledger');
  assert.deepEqual([ledger['balanced'], ledger['bookings']], [true, 1]);

  await promised('algorithms retire', pile, 'algorithms', 'retire', 'slow');
  await promised('algorithms remove', pile, 'algorithms', 'remove', 'seer', '--version', '1.0');
  assert.deepEqual((await promised('trust', pile, 'trust'))['vehicles'], []);
  assert.equal((await promised('trust reset', pile, 'trust', 'reset', 'lender'))['wasKnown'], false);
  assert.deepEqual(await promised('tokens unbind', pile, 'tokens', 'unbind', 'asker'), {
    ok: true,
    vehicleId: 'asker',
    wasBound: true,
  });
  await promised('config check', pile, 'config', 'check');
});

test('what docs/cli-json.md shows is what the contract says, for every verb', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/cli-json.md'), 'utf8');
  const operator = text.slice(text.indexOf('## plugpool\n'), text.indexOf('## plugpool-vehicle\n'));
  const shown = new Map<string, unknown>();
  for (const [, verb = '', json = ''] of operator.matchAll(/^### (.+)\n[^#]*?```json\n([^`]*)```/gm))
    shown.set(verb, JSON.parse(json));
  assert.deepEqual([...shown.keys()].sort(), Object.keys(CLI_CONTRACT).sort());
  for (const [verb, document] of shown) {
    const parsed = CLI_CONTRACT[verb]?.safeParse(document);
    assert.ok(parsed?.success, `${verb}: ${parsed?.error?.message}`);
  }
});

test('a person reads tables, with nothing in them that commands a terminal', async (t) => {
  const pile = await startPile(t);
  await pile.control('firmware', { step: 'charge', connector: '1', vehicleId: 'car-a' });
  const asker = await startAsker(t, pile);
  const file = imageIn(t);
  await plugpool(pile.dataDir, ...algorithmArgs(file, 'slow'));
  const evil = '\u001b[2J\u009b31mred';
  const task = await asker.request({ algorithm: 'slow', args: [evil], input: '' });
  for (const argv of [
    ['status'],
    ['vehicles'],
    ['connectors'],
    ['tasks'],
    ['task', task.taskId],
    ['explain', task.taskId],
    ['ledger'],
    ['algorithms', 'list'],
    ['algorithms', 'show', 'slow'],
    ['pools'],
  ]) {
    const { code, stdout, stderr } = await plugpool(pile.dataDir, ...argv);
    assert.deepEqual([code, stderr], [0, ''], argv.join(' '));
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, argv.join(' '));
  }
  const { stdout } = await plugpool(pile.dataDir, 'status');
  assert.equal(stdout.trimEnd().split('\n').length, 11);
  assert.match(
    (await plugpool(pile.dataDir, 'tasks')).stdout,
    /^TASK +ALGORITHM +STATE .*\n\S+ +slow +waiting +asker/,
  );
});

test('sub-pools are shown with their last changes, and changed by hand as far as the reserve reaches', async (t) => {
  const pile = await startPile(t);
  await plugpool(pile.dataDir, ...algorithmArgs(imageIn(t), 'slow'));
  assert.match((await plugpool(pile.dataDir, 'algorithms', 'list')).stdout, /\n\S+ +1\.0 +slow +cpu +wasm/);
  assert.match(
    (await plugpool(pile.dataDir, 'algorithms', 'show', 'slow')).stdout,
    /\nleans on +cpu 3\.1 %, memory 0\.0 %, gpu 0\.0 % of the reference machine/,
  );
  const set = await plugpool(pile.dataDir, 'pools', 'set', 'cpu', '--cpu', '40%', '--memory', '30.5');
  assert.equal(set.code, 0, set.stderr);
  assert.match(set.stdout, /^the sub-pool cpu has cpu 40 %, memory 30\.5 %, gpu 0 %, vram 0 % now/);
  const { stdout } = await plugpool(pile.dataDir, 'pools');
  assert.match(
    stdout,
    /^SUB-POOL +SIZE +USE +BORROWED +LENT +STATE\ncpu .*set by hand, 1 algorithm\nreserve/,
  );
  assert.match(stdout, /ago +cpu +set by hand +cpu 90 % → 40 %, memory 90 % → 30\.5 %/);

  const twice = await plugpool(pile.dataDir, 'pools', 'set', 'gpu', '--gpu', '10');
  assert.deepEqual([twice.code, /there are sub-pools of cpu/.test(twice.stderr)], [1, true]);
  for (const argv of [['cpu'], ['cpu', '--cpu', '101'], ['disk', '--cpu', '1'], ['cpu', '--cpu', 'much']])
    assert.equal((await plugpool(pile.dataDir, 'pools', 'set', ...argv)).code, 2, argv.join(' '));
  const off = await startPile(t, { pools: { enabled: false } });
  assert.match((await plugpool(off.dataDir, 'pools')).stdout, /^sub-pools are off; /);
  assert.match((await plugpool(off.dataDir, 'pools', 'plan')).stderr, /set pools\.enabled to true/);
});

test('a program that keeps its state is catalogued as one, until it is added again without', async (t) => {
  const pile = await startPile(t);
  const image = imageIn(t);
  const shown = async () => (await plugpool(pile.dataDir, 'algorithms', 'show', 'slow')).stdout;
  const { algorithm } = await promised(
    'algorithms add',
    pile,
    ...algorithmArgs(image, 'slow', '--checkpoints'),
  );
  assert.equal((algorithm as Document)['checkpoints'], true);
  const { algorithms } = await promised('algorithms list', pile, 'algorithms', 'list');
  assert.equal((algorithms as Document[])[0]?.['checkpoints'], true);
  assert.match(await shown(), /\ncheckpoints +keeps its state, to go on elsewhere\n/);

  await promised('algorithms add', pile, ...algorithmArgs(image, 'slow'));
  assert.match(await shown(), /\ncheckpoints +none\n/);
});

test('how outputs compare is catalogued with the program', async (t) => {
  const pile = await startPile(t);
  const image = imageIn(t);
  for (const [how, compare, said] of [
    ['bytes', { by: 'bytes' }, /\ncompared +byte by byte\n/],
    [
      'numbers:float32:1e-5',
      { by: 'numbers', format: 'float32', tolerance: 1e-5 },
      /\ncompared +as float32 numbers, within 0.00001\n/,
    ],
  ] as const) {
    const args = algorithmArgs(image, 'slow', '--compare', how);
    const { algorithm } = await promised('algorithms add', pile, ...args);
    assert.deepEqual((algorithm as Document)['compare'], compare);
    assert.match((await plugpool(pile.dataDir, 'algorithms', 'show', 'slow')).stdout, said);
  }
  await promised('algorithms add', pile, ...algorithmArgs(image, 'slow'));
  assert.match((await plugpool(pile.dataDir, 'algorithms', 'show', 'slow')).stdout, /\ncompared +no: /);
});

test('an image comes in parts, is refused where it is none, and is not sent twice', async (t) => {
  const pile = await startPile(t);
  const large = Buffer.concat([WASM, Buffer.alloc(700_000, 7)]);
  const path = imageIn(t, large);
  const added = (await plugpoolJson(pile.dataDir, ...algorithmArgs(path, 'large'))) as {
    algorithm: { image: { sizeBytes: number } };
  };
  assert.equal(added.algorithm.image.sizeBytes, large.length);
  assert.equal((await plugpool(pile.dataDir, ...algorithmArgs(path, 'large'))).code, 0);

  const text = await plugpool(pile.dataDir, ...algorithmArgs(imageIn(t, Buffer.from('(module)')), 'text'));
  assert.equal(text.code, 1);
  assert.match(text.stderr, /no WebAssembly module.*\n.*what to do: /);
  const other = await plugpool(pile.dataDir, ...algorithmArgs(imageIn(t), 'large'));
  assert.equal(other.code, 1);
  assert.match(other.stderr, /another image/);
  const empty = await plugpool(pile.dataDir, ...algorithmArgs(imageIn(t, Buffer.alloc(0)), 'empty'));
  assert.equal(empty.code, 1);
  assert.match(empty.stderr, /is empty/);
  const absent = await plugpool(pile.dataDir, ...algorithmArgs('/no/such/file.wasm', 'absent'));
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /cannot read \/no\/such\/file\.wasm/);
});

test('a wrong digest over the socket is refused and leaves nothing behind', async (t) => {
  const pile = await startPile(t);
  const digest = createHash('sha256').update('something else').digest('hex');
  const part = { digest, sizeBytes: WASM.length, offset: 0, dataBase64: WASM.toString('base64') };
  const answer = await pile.control('imagePart', part);
  assert.equal(answer.ok ? '' : answer.error.code, 'digest_mismatch');
  const image = { digest, sizeBytes: WASM.length };
  const demands = [{ cpuMillicores: 1000, memoryMib: 64, threads: 1 }];
  const about = { id: 'a', version: '1', type: 'a', runtime: 'wasm', workCoreS: 1, demands };
  const added = await pile.control('addAlgorithm', { ...about, image });
  assert.equal(added.ok ? '' : added.error.code, 'image_missing');
});

test('a pile whose connectors are replayed takes no steps by hand', async (t) => {
  const pile = await startPile(t, { firmware: [{ kind: 'replay' }] });
  const { code, stderr } = await plugpool(pile.dataDir, 'firmware', 'plug', '--connector', '1');
  assert.equal(code, 1);
  assert.match(stderr, /other firmware\n {2}what to do: .*kind: manual/);
});

test('a step that the connector does not allow is refused with what to do', async (t) => {
  const pile = await startPile(t);
  const { code, stderr } = await plugpool(pile.dataDir, 'firmware', 'finish', '--connector', '4');
  assert.equal(code, 1);
  assert.match(
    stderr,
    /No vehicle is plugged in at connector station\/4\/1.*\n {2}what to do: Plug a vehicle in first/,
  );
});

test('a ledger that does not balance is told, and is exit code 1', async (t) => {
  const { ControlServer } = await import('../../agent/adapters/control-socket/control-server.ts');
  const dataDir = newDirectory(t);
  const value = { bookings: 1, balanced: false, accounts: [], balances: [] };
  const server = new ControlServer({
    path: join(dataDir, 'agent.sock'),
    answer: async () => ({ ok: true, value }),
  });
  await server.start();
  t.after(() => server.stop());
  const { code, stdout } = await plugpool(dataDir, 'ledger', '--json');
  assert.deepEqual([code, JSON.parse(stdout)], [1, { ok: false, ...value }]);
  assert.match((await plugpool(dataDir, 'ledger')).stdout, /NOT balanced/);
});
