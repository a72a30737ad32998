/** The program itself, as a process: how it is used, and what asking prints, where, and how it ends. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Accepted, Delivery, TaskId } from '@plugpool/proto';
import { temporaryDirectory } from './vehicle-fixtures.ts';
import { pileFor, start, type Ended } from './vehicle-program.ts';
import { type Heard } from './vehicle-scripted-pile.ts';

function accepted({ body }: Heard<'request'>): Accepted {
  return { kind: 'accepted', requestId: body.requestId, taskId: 'task-1' as TaskId, deadlineMs: 60_000 };
}

function delivery({ body }: Heard<'request'>, over: Partial<Delivery>): Delivery {
  return {
    kind: 'delivery',
    requestId: body.requestId,
    taskId: 'task-1' as TaskId,
    state: 'completed',
    attempts: 1,
    donor: 'lender',
    chargedMncs: 3,
    agreeing: 1,
    algorithmId: 'echo',
    algorithmVersion: '1',
    ...over,
  };
}

const WHO = ['--vehicle', 'v', '--agent', 'mqtt://127.0.0.1:1'];

test('wrong usage ends with 2, says what is wrong and what to do, and prints nothing else', async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /Usage: plugpool-vehicle/],
    [['nonsense'], /unknown command 'nonsense'/],
    [['run'], /missing required argument 'algorithm'/],
    [['run', 'x', '--agent', 'mqtt://127.0.0.1:1'], /vehicle: is missing/],
    [['run', 'x', '--vehicle', 'v', '--agent', 'http://x'], /--agent: .*address of a pile/],
    [['run', 'x', '--vehicle', 'v', '--deadline-s', 'soon'], /number of seconds/],
    [['run', 'x@1', '--type', '--vehicle', 'v', '--agent', 'mqtt://127.0.0.1:1'], /a type has no version/],
    [['run', 'x', ...WHO, '--latency', '200'], /time above 0 with its unit, such as 200ms/],
    [['run', 'x', ...WHO, '--latency', '1min', '--instances', '17'], /number of instances cannot be 17/],
    [['run', 'x', ...WHO, '--deadline-s', '9999999'], /number of seconds above 0, at most 2592000/],
    [['run', 'x', ...WHO, '--at', '57.7'], /latitude and longitude in degrees, such as/],
    [['run', 'x', ...WHO, '--at', '157.7,0'], /latitude of 157.7 is nowhere.*\n.*-90 to 90/],
    [['run', 'x', ...WHO, '--zone', 'a', '--at', '1,1'], /'--zone <name>' cannot be used with .*'--at/],
    [['run', 'x', ...WHO, '--instances', '17'], /number of instances cannot be 17.*\n.*from 1 to 16/],
    [['run', 'x', ...WHO, '--instances', '2'], /2 instances give 2 outputs.*\n.*--output FILE/],
    [['run', 'x', ...WHO, '--trust', 'everybody'], /fleet, or make: and one or more names/],
    [['run', 'x', ...WHO, '--cpu', '1.5'], /a whole number above 0/],
    [['run', 'x', ...WHO, '--budget', '-1'], /a number above 0/],
    [['run', 'x', ...WHO, '--quorum', '6'], /owners that must agree cannot be 6.*\n.*from 1 to 5/],
    [['run', 'x', ...WHO, '--constraint', ''], /the constraint is empty/],
    [['donate', '--vehicle', 'a b', '--agent', 'mqtt://127.0.0.1:1'], /--vehicle: /],
    [['leaving', '--vehicle', 'v', '--at', 'yesterday'], /"yesterday" is no time/],
    [['plug-code', '--vehicle', 'v'], /missing required argument 'code'/],
    [['leaving', '--vehicle', 'v'], /--at <time>/],
  ];
  for (const [args, expected] of cases) {
    const { code, stdout, stderr } = await start(t, args).ended;
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, expected);
    assert.equal(stdout, '');
  }
});

test('with --json a mistake is one JSON document, for a person on standard error', async (t) => {
  for (const args of [
    ['run', '--json'],
    ['run', 'x', '--json'],
    ['donate', '--vehicle', '/', '--json'],
    ['run', 'x', '--bad', '--json'],
  ]) {
    const { code, stdout, stderr } = await start(t, args).ended;
    assert.equal(code, 2);
    const document = JSON.parse(stdout) as { ok: boolean; error: { code: string; hint: string } };
    assert.equal(document.ok, false);
    assert.notEqual(document.error.hint, '');
    assert.notEqual(stderr, '');
  }
});

test('a pile that cannot be reached and a donor that does not run end with 1', async (t) => {
  const unreachable = await start(t, ['tasks', '--vehicle', 'v', '--agent', 'mqtt://127.0.0.1:1', '--json'])
    .ended;
  assert.equal(unreachable.code, 1);
  assert.equal((JSON.parse(unreachable.stdout) as { error: { code: string } }).error.code, 'unreachable');
  const noDonor = await start(t, ['status', '--vehicle', 'v']).ended;
  assert.equal(noDonor.code, 1);
  assert.match(noDonor.stderr, /no donor runs/);
});

test('run gives the output alone on standard output', async (t) => {
  const pile = await pileFor(t);
  const { child, ended } = start(t, [
    'run',
    'echo@2',
    '--agent',
    pile.url,
    '--vehicle',
    'v',
    '--input',
    '-',
    '--',
    '-x',
    '--json',
  ]);
  child.stdin?.end('through standard input');
  const request = await pile.next('request');
  assert.deepEqual(request.body.selector, { by: 'algorithm', algorithmId: 'echo', version: '2' });
  assert.deepEqual(request.body.args, ['-x', '--json']);
  assert.ok(request.body.input.where === 'inline');
  assert.equal(Buffer.from(request.body.input.bytes).toString(), 'through standard input');
  const output = randomBytes(5000);
  pile.send(
    request.clientId,
    accepted(request),
    delivery(request, { output: { where: 'inline', bytes: output } }),
  );
  await pile.next('deliveryAck');
  const { code, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
});

test('run with --json gives one document with the output in it, or the file that it stands in', async (t) => {
  const pile = await pileFor(t);
  const file = join(temporaryDirectory(t), 'output');
  for (const more of [[], ['--output', file]]) {
    const { ended } = start(t, [
      'run',
      'echo',
      '--type',
      '--agent',
      pile.url,
      '--vehicle',
      'v',
      '--json',
      ...more,
    ]);
    const request = await pile.next('request');
    assert.deepEqual(request.body.selector, { by: 'type', type: 'echo' });
    pile.send(
      request.clientId,
      accepted(request),
      delivery(request, { agreeing: 2, output: { where: 'inline', bytes: Buffer.from('out') } }),
    );
    await pile.next('deliveryAck');
    const { code, stdout } = await ended;
    assert.equal(code, 0);
    const document = JSON.parse(stdout) as {
      ok: boolean;
      donor: string;
      agreeing: number;
      outputBase64?: string;
      outputFile?: string;
    };
    assert.equal(document.ok, true);
    assert.equal(document.donor, 'lender');
    assert.equal(document.agreeing, 2);
    if (more.length === 0) assert.equal(Buffer.from(document.outputBase64 ?? '', 'base64').toString(), 'out');
    else assert.equal(readFileSync(document.outputFile ?? '', 'utf8'), 'out');
  }
});

test('run says what the request wants, and stores one file for each instance', async (t) => {
  const pile = await pileFor(t);
  const file = join(temporaryDirectory(t), 'OUT');
  const flags =
    '--at -31.9523,115.8613 --latency 0.2s --instances 2 --all-at-once --cpu 500 --memory 64 --gpu 250 --vram 1024 ' +
    '--threads 2 --work 1.5 --budget 30 --payer couriers --trust make:Volta,Ohm --quorum 2';
  const models = ['--gpu-model', 'RTX 2080', '--constraint', 'donor.make != "Ampere"'];
  const who = ['--agent', pile.url, '--vehicle', 'v', '--json', '--output', file];
  const { ended } = start(t, ['run', 'echo', ...who, ...flags.split(' '), ...models]);
  const request = await pile.next('request');
  assert.deepEqual(request.body.wants, {
    place: { by: 'point', latitudeE7: -319_523_000, longitudeE7: 1_158_613_000 },
    latencyMs: 200,
    instances: 2,
    allAtOnce: true,
    demand: {
      cpuMillicores: 500,
      memoryMib: 64,
      threads: 2,
      gpu: { shareMillis: 250, vramMib: 1024, model: 'RTX 2080' },
      workMncs: 1500,
    },
    budgetMncs: 30_000,
    payer: 'couriers',
    trust: { whom: 'makes', makes: ['Volta', 'Ohm'] },
    constraint: 'donor.make != "Ampere"',
    quorum: 2,
  });
  const outputs = ['part 0', 'part 1'].map(
    (text) => ({ where: 'inline', bytes: Buffer.from(text) }) as const,
  );
  pile.send(request.clientId, accepted(request), delivery(request, { output: outputs[0] as never, outputs }));
  await pile.next('deliveryAck');
  const { code, stdout } = await ended;
  assert.equal(code, 0);
  const told = JSON.parse(stdout) as { outputFile: string; outputs: { outputFile: string }[] };
  assert.equal(told.outputFile, `${file}.0`);
  assert.deepEqual(
    told.outputs.map(({ outputFile }) => readFileSync(outputFile, 'utf8')),
    ['part 0', 'part 1'],
  );
  assert.equal(existsSync(file), false);
});

test('several outputs do not run together on standard output, and stay at the pile', async (t) => {
  const pile = await pileFor(t);
  const { ended } = start(t, ['result', 'task-1', '--agent', pile.url, '--vehicle', 'v']);
  const query = await pile.next('statusQuery');
  const outputs = ['part 0', 'part 1'].map(
    (text) => ({ where: 'inline', bytes: Buffer.from(text) }) as const,
  );
  const asked = { ...query, body: { requestId: 'r1' } } as unknown as Heard<'request'>;
  pile.send(query.clientId, delivery(asked, { output: outputs[0] as never, outputs }));
  const { code, stdout, stderr } = await ended;
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /there are 2 outputs, and nothing would tell them apart/);
  assert.match(stderr, /FILE\.0, FILE\.1/);
  assert.equal(pile.unread('deliveryAck').length, 0);
});

test('explain says why a task waits, for a person and as JSON', async (t) => {
  const pile = await pileFor(t);
  const explanation = {
    summary: 'two vehicles lend, and both \u001b[31mleave\u009b too soon',
    place: 1,
    wouldRun: ['a vehicle that stays for 20 minutes'],
    obstacles: [{ test: 'leaving_too_soon', donors: 2 }],
  };
  const entry = {
    taskId: 'task-1' as TaskId,
    requestId: 'r1' as Heard<'request'>['body']['requestId'],
    algorithmId: 'echo',
    state: 'queued',
    attempts: 0,
    progressPermille: 0,
    delivered: false,
    reason: 'preempted',
    explanation,
  } as const;
  const answer = async (args: readonly string[]): Promise<Ended> => {
    const { ended } = start(t, ['explain', 'task-1', '--agent', pile.url, '--vehicle', 'v', ...args]);
    const { clientId, correlationId, body } = await pile.next('statusQuery');
    assert.equal(body.explain, true);
    const report = { kind: 'statusReport', tasks: [entry], truncated: false } as const;
    pile.send(clientId, { correlationId, body: report });
    return ended;
  };
  const plain = await answer([]);
  assert.equal(plain.code, 0);
  assert.equal(
    plain.stdout,
    [
      'task-1  echo  queued: two vehicles lend, and both \ufffd[31mleave\ufffd too soon',
      'place in the line: 1, the next',
      'may start: not to be estimated',
      'what would make it run:',
      '  - a vehicle that stays for 20 minutes',
      '',
      'WHAT STANDS IN THE WAY  DONORS',
      'leaving too soon        2',
      '',
    ].join('\n'),
  );
  const json = JSON.parse((await answer(['--json'])).stdout) as object;
  assert.deepEqual(json, {
    ok: true,
    taskId: 'task-1',
    algorithm: 'echo',
    state: 'queued',
    reason: 'preempted',
    explanation: { ...explanation, startInMs: null },
  });
  const list = start(t, ['tasks', '--agent', pile.url, '--vehicle', 'v']);
  const { clientId, correlationId } = await pile.next('statusQuery');
  const body = { kind: 'statusReport', tasks: [entry], truncated: false } as const;
  pile.send(clientId, { correlationId, body });
  assert.match((await list.ended).stdout, /a request with the highest priority took its place/);
});

test('an output that has no place is told before anybody is asked', async (t) => {
  const directory = temporaryDirectory(t);
  for (const [output, why] of [
    ['/nowhere/output', /no such file or directory/],
    [directory, /it is a directory/],
  ] as const) {
    const who = ['--agent', 'mqtt://127.0.0.1:1', '--vehicle', 'v'];
    for (const argv of [
      ['run', 'echo'],
      ['result', 'task-1'],
    ]) {
      const { code, stdout, stderr } = await start(t, [...argv, ...who, '--output', output]).ended;
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, new RegExp(`the output cannot be written to ${output}: `));
      assert.match(stderr, why);
    }
  }
});

test('an output that cannot be written after all is not acknowledged', async (t) => {
  const pile = await pileFor(t);
  const directory = join(temporaryDirectory(t), 'outputs');
  mkdirSync(directory);
  const output = join(directory, 'plan');
  const { ended } = start(t, ['run', 'echo', '--agent', pile.url, '--vehicle', 'v', '--output', output]);
  const request = await pile.next('request');
  rmdirSync(directory);
  pile.send(
    request.clientId,
    accepted(request),
    delivery(request, { output: { where: 'inline', bytes: Buffer.from('out') } }),
  );
  const { code, stderr } = await ended;
  assert.equal(code, 1);
  assert.match(stderr, /the output cannot be written to .*outputs\/plan/);
  assert.match(stderr, /plugpool-vehicle result task-1/);
  assert.equal(pile.unread('deliveryAck').length, 0);
});

test('an input that cannot be read is told before anybody is asked', async (t) => {
  const { code, stderr } = await start(t, [
    'run',
    'x',
    '--vehicle',
    'v',
    '--agent',
    'mqtt://127.0.0.1:1',
    '--input',
    '/nowhere',
  ]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /the input \/nowhere cannot be used/);
});

test('a failed task ends with 1 and its last words', async (t) => {
  const pile = await pileFor(t);
  const { ended } = start(t, ['run', 'echo', '--agent', pile.url, '--vehicle', 'v', '--json']);
  const request = await pile.next('request');
  const failure = { code: 'trap', detail: 'unreachable executed', stderrTail: 'index out of range' };
  pile.send(request.clientId, accepted(request), delivery(request, { state: 'failed', failure }));
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 1);
  const document = JSON.parse(stdout) as {
    ok: boolean;
    taskId: string;
    state: string;
    error: { code: string };
  };
  assert.deepEqual(
    [document.ok, document.taskId, document.state, document.error.code],
    [false, 'task-1', 'failed', 'trap'],
  );
  assert.match(stderr, /index out of range/);
});

test('an interrupt cancels the task and waits for the confirmation', async (t) => {
  const pile = await pileFor(t);
  const { child, ended } = start(t, ['run', 'echo', '--agent', pile.url, '--vehicle', 'v']);
  const request = await pile.next('request');
  pile.send(request.clientId, accepted(request));
  // Anything that is heard after the acceptance: then the program knows its task.
  pile.send(request.clientId, {
    correlationId: 4,
    body: { kind: 'blobPull', digest: 'a'.repeat(64) as never, offset: 0, length: 1 },
  });
  await pile.next('blobRefused');
  child.kill('SIGINT');
  const cancel = await pile.next('cancel');
  assert.deepEqual(cancel.body.which, { by: 'task', taskId: 'task-1' });
  const failure = { code: 'cancelled', detail: 'cancelled by its requester', stderrTail: '' };
  pile.send(request.clientId, delivery(request, { state: 'cancelled', failure }));
  const { code, stderr } = await ended;
  assert.equal(code, 1);
  assert.match(stderr, /was cancelled/);
});
