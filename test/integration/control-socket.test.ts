/** The control socket: who may open it, what a line may be, and what becomes of its file. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ControlClient, ControlSocketError, type ControlAnswer } from '@plugpool/agent';
import { ControlServer } from '../../agent/adapters/control-socket/control-server.ts';
import { newDirectory, startPile } from './cli-fixtures.ts';

type Answer = (verb: string, args: unknown) => Promise<ControlAnswer>;

async function serve(t: TestContext, path: string, answer: Answer): Promise<ControlServer> {
  const server = new ControlServer({ path, answer });
  await server.start();
  t.after(() => server.stop());
  return server;
}

function echo(verb: string, args: unknown): Promise<ControlAnswer> {
  return Promise.resolve({ ok: true, value: { verb, args } });
}

function client(t: TestContext, path: string, timeoutMs?: number): ControlClient {
  const made = new ControlClient(path, timeoutMs);
  t.after(() => made.close());
  return made;
}

interface Raw {
  readonly socket: Socket;
  readonly line: () => Promise<{ id: unknown; ok: boolean; value?: unknown; error?: { code: string } }>;
  readonly closed: Promise<void>;
}

/** Whoever speaks the protocol by hand. */
async function connectRaw(t: TestContext, path: string): Promise<Raw> {
  const socket = createConnection(path);
  t.after(() => socket.destroy());
  let text = '';
  const waiting: ((line: string) => void)[] = [];
  const lines: string[] = [];
  socket.on('data', (chunk) => {
    const parts = (text + chunk.toString()).split('\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const next = waiting.shift();
      if (next === undefined) lines.push(part);
      else next(part);
    }
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  const line = async (): Promise<ReturnType<typeof JSON.parse>> =>
    JSON.parse(lines.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve))));
  return { socket, line, closed };
}

test('it is of mode 0600 whatever the umask, and gone after the stop', async (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const path = join(newDirectory(t), 'agent.sock');
  const server = await serve(t, path, echo);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await server.stop();
  assert.equal(existsSync(path), false);
});

test('a question gets the answer with its id, many on one connection', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  await serve(t, path, echo);
  const raw = await connectRaw(t, path);
  for (let id = 0; id < 100; id++) raw.socket.write(`{"id":${id},"verb":"v","args":{"n":${id}}}\n`);
  const answers = [];
  for (let id = 0; id < 100; id++) answers.push(await raw.line());
  assert.deepEqual(
    answers,
    Array.from({ length: 100 }, (_, id) => ({ id, ok: true, value: { verb: 'v', args: { n: id } } })),
  );
});

test('a question in pieces is one question', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  await serve(t, path, echo);
  const raw = await connectRaw(t, path);
  for (const piece of ['{"id":"a', '","verb":', '"v"}', '\n{"id":"b","verb":"w"}\n']) raw.socket.write(piece);
  assert.deepEqual([(await raw.line()).id, (await raw.line()).id], ['a', 'b']);
});

test('what is no question is refused, and the connection goes on', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  await serve(t, path, echo);
  const raw = await connectRaw(t, path);
  for (const line of [
    'garbage',
    '[]',
    'null',
    '{"verb":"v"}',
    '{"id":1}',
    '{"id":{},"verb":"v"}',
    '\u0000',
  ]) {
    raw.socket.write(`${line}\n`);
    assert.equal((await raw.line()).error?.code, 'malformed', line);
  }
  raw.socket.write('{"id":1,"verb":"v"}\n');
  assert.equal((await raw.line()).ok, true);
});

test('a line that is too long is refused without being kept, with and without its end', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  await serve(t, path, echo);
  for (const end of ['', '\n']) {
    const raw = await connectRaw(t, path);
    raw.socket.write(`{"id":1,"verb":"${'x'.repeat(300 * 1024)}"}${end}`);
    assert.equal((await raw.line()).error?.code, 'malformed');
    await raw.closed;
  }
});

test('one connection too many is closed, and room is made again when one leaves', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  await serve(t, path, echo);
  const held = [];
  for (let count = 0; count < 32; count++) held.push(await connectRaw(t, path));
  for (const { socket, line } of held) {
    socket.write('{"id":1,"verb":"v"}\n');
    await line();
  }
  const refused = createConnection(path);
  refused.on('error', () => undefined);
  await new Promise<void>((resolve) => refused.once('close', () => resolve()));
  held[0]?.socket.end();
  await held[0]?.closed;
  assert.deepEqual(await askUntilThereIsRoom(t, path), { verb: 'v', args: {} });
});

/** Our side is closed a moment before the server has noticed. */
async function askUntilThereIsRoom(t: TestContext, path: string): Promise<unknown> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await client(t, path)
      .ask('v')
      .catch(() => undefined);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

test('a socket on which somebody answers is never replaced; a leftover is', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  await serve(t, path, echo);
  const second = new ControlServer({ path, answer: echo });
  await assert.rejects(second.start(), { code: 'held' });
  assert.deepEqual(await client(t, path).ask('v'), { verb: 'v', args: {} });

  const leftover = join(newDirectory(t), 'agent.sock');
  writeFileSync(leftover, '');
  await serve(t, leftover, echo);
  assert.deepEqual(await client(t, leftover).ask('v'), { verb: 'v', args: {} });

  const folder = join(newDirectory(t), 'agent.sock');
  mkdirSync(folder);
  await assert.rejects(new ControlServer({ path: folder, answer: echo }).start(), { code: 'control_socket' });
});

test('a stop waits for the answer that is under way, and it is sent', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const server = await serve(t, path, async (verb) => {
    asked.resolve();
    await go.promise;
    return { ok: true, value: verb };
  });
  const answer = client(t, path).ask('slow');
  await asked.promise;
  const stopped = server.stop();
  go.resolve();
  assert.equal(await answer, 'slow');
  await stopped;
});

test('an agent that does not answer in time, or closes, is said to; the next question connects anew', async (t) => {
  const path = join(newDirectory(t), 'agent.sock');
  let mode: 'silent' | 'closing' | 'garbage' | 'answering' = 'silent';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      if (mode === 'closing') socket.destroy();
      if (mode === 'garbage') socket.write('<html>\n');
      if (mode === 'answering') socket.write('{"id":1,"ok":true,"value":7}\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  const asking = client(t, path, 50);
  await assert.rejects(asking.ask('v'), /gave no answer within 0\.05 s/);
  mode = 'closing';
  await assert.rejects(asking.ask('v'), /closed the connection/);
  mode = 'garbage';
  await assert.rejects(asking.ask('v'), /no JSON/);
  mode = 'answering';
  assert.equal(await asking.ask('v'), 7);
});

test('a verb that is unknown, or whose arguments are wrong, is refused with what to do', async (t) => {
  const pile = await startPile(t);
  const asking = client(t, join(pile.dataDir, 'agent.sock'));
  const wrong: readonly (readonly [verb: string, args: object, code: string])[] = [
    ['nothing', {}, 'verb_unknown'],
    ['constructor', {}, 'verb_unknown'],
    ['status', { extra: 1 }, 'invalid_argument'],
    ['tasks', { limit: 1e9 }, 'invalid_argument'],
    ['tasks', {}, 'invalid_argument'],
    ['task', { taskId: '../x' }, 'invalid_argument'],
    ['addAlgorithm', { id: 'x' }, 'invalid_argument'],
    ['imagePart', { digest: 'x', sizeBytes: 1, offset: 0, dataBase64: '' }, 'invalid_argument'],
    ['firmware', { step: 'explode', connector: '1' }, 'invalid_argument'],
  ];
  for (const [verb, args, code] of wrong) {
    await assert.rejects(asking.ask(verb, args), (error: unknown) => {
      assert.ok(error instanceof ControlSocketError);
      assert.equal(error.code, code, verb);
      assert.notEqual(error.hint, '');
      return true;
    });
  }
});
