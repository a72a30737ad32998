/** Lines of candump reach the adapter through every kind of source, and a source that breaks is opened again. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createGbt27930Firmware, createPseudonymizer } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent, FirmwareIssue } from '../../firmware-bridge/index.ts';
import { Gbt27930Bus } from '../conformance/gbt27930-bus.ts';

const TIMEOUT = { timeout: 20_000 };
const SPOKEN = new Gbt27930Bus().handshake().charge(200).take();

/** A running adapter, and a way to wait for what it tells. */
class Heard {
  readonly kinds: string[] = [];
  readonly issues: FirmwareIssue[] = [];
  lostBecause = '';
  stop: () => Promise<void> = async () => undefined;
  readonly #waiting = new Map<string, () => void>();

  static async start(t: TestContext, from: string): Promise<Heard> {
    const heard = new Heard();
    const adapter = createGbt27930Firmware({
      station: 'pile',
      from,
      connectors: { can0: '1' },
      pseudonymize: createPseudonymizer(new Uint8Array(16)),
      report: (issue) => {
        heard.issues.push(issue);
        heard.#waiting.get('issue')?.();
      },
    });
    heard.stop = () => adapter.stop();
    t.after(heard.stop);
    await adapter.start((event) => heard.#hear(event), new AbortController().signal);
    return heard;
  }

  /** Resolves when this was told for the `nth` time. */
  async told(kind: string, nth = 1): Promise<void> {
    if (this.kinds.filter((one) => one === kind).length >= nth) return;
    await new Promise<void>((resolve) => this.#waiting.set(`${kind} ${nth}`, resolve));
  }

  /** Resolves when an issue was reported. */
  async reported(): Promise<void> {
    if (this.issues.length === 0) await new Promise<void>((resolve) => this.#waiting.set('issue', resolve));
  }

  #hear(event: FirmwareEvent): void {
    const { kind } = event;
    if (event.kind === 'linkLost') this.lostBecause = event.reason;
    this.kinds.push(kind);
    this.#waiting.get(`${kind} ${this.kinds.filter((one) => one === kind).length}`)?.();
  }
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'plugpool-can-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Resolves when no process has this id. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a TCP server is listened to, and again after it hung up', TIMEOUT, async (t) => {
  const written: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => written.push(data));
    socket.write(SPOKEN);
  });
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const heard = await Heard.start(t, `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await heard.told('chargingStarted');
  sockets[0]?.destroy();
  await heard.told('linkLost');
  await heard.told('chargingStarted', 2);
  assert.deepEqual(
    heard.kinds.filter((kind) => kind !== 'meter' && kind !== 'evInfo'),
    // The server speaks the handshake anew: that is another session.
    ['plugged', 'chargingStarted', 'linkLost', 'linkUp', 'unplugged', 'plugged', 'chargingStarted'],
  );
  assert.deepEqual(written, [], 'the adapter wrote to its source');
});

test('a Unix socket is listened to', TIMEOUT, async (t) => {
  const path = join(folder(t), 'can.sock');
  const server = createServer((socket) => socket.end(SPOKEN));
  server.listen(path);
  await once(server, 'listening');
  t.after(() => server.close());
  const heard = await Heard.start(t, `unix:${path}`);
  await heard.told('chargingStarted');
});

test('a pipe is listened to, whoever writes to it and how often', TIMEOUT, async (t) => {
  const path = join(folder(t), 'can.fifo');
  execFileSync('mkfifo', [path]);
  const heard = await Heard.start(t, path);
  const first = await open(path, 'w');
  await first.writeFile(new Gbt27930Bus().handshake().take());
  await first.close();
  await heard.told('plugged');
  const second = await open(path, 'w');
  await second.writeFile(new Gbt27930Bus().charge(200).take());
  await second.close();
  await heard.told('chargingStarted');
  assert.ok(!heard.kinds.includes('linkLost'));
});

/** Another program in candump's place, for as long as the test runs. */
function candumpOf(t: TestContext, script: string | undefined): void {
  const path = folder(t);
  if (script !== undefined) {
    writeFileSync(join(path, 'candump'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(path, 'candump'), 0o755);
  }
  const before = process.env['PATH'];
  process.env['PATH'] = script === undefined ? path : `${path}:${before}`;
  t.after(() => (process.env['PATH'] = before));
}

test('the program candump is started for an interface, and its end is a lost link', TIMEOUT, async (t) => {
  const file = join(folder(t), 'spoken');
  writeFileSync(file, SPOKEN);
  candumpOf(t, `[ "$*" = "-L can0" ] && cat ${file}`);
  const heard = await Heard.start(t, 'candump:can0');
  await heard.told('chargingStarted');
  await heard.told('linkLost');
  assert.match(heard.lostBecause, /candump can0 ended/);
});

test('why candump ended, or that it is not installed, is said', TIMEOUT, async (t) => {
  candumpOf(t, 'echo "SIOCGIFINDEX: No such device" >&2; exit 1');
  const failing = await Heard.start(t, 'candump:can0');
  await failing.told('linkLost');
  assert.match(failing.lostBecause, /No such device/);
  candumpOf(t, undefined);
  const absent = await Heard.start(t, 'candump:can0');
  await absent.told('linkLost');
  assert.match(absent.lostBecause, /not installed \(Debian: can-utils\)/);
});

test('candump is ended with the adapter', TIMEOUT, async (t) => {
  const file = join(folder(t), 'pid');
  candumpOf(t, `echo $$ > ${file}; echo started; exec sleep 60`);
  const heard = await Heard.start(t, 'candump:can0');
  await heard.reported();
  await heard.stop();
  await gone(Number(readFileSync(file, 'utf8')));
});

test('a recording is lived at its own pace, once', TIMEOUT, async (t) => {
  const file = join(folder(t), 'short.log');
  writeFileSync(file, new Gbt27930Bus().bhm().wait(120).charge(100).take());
  const began = performance.now();
  const heard = await Heard.start(t, file);
  await heard.told('chargingStarted');
  assert.ok(performance.now() - began >= 119);
  await heard.told('linkLost');
});

test(
  'a source that is not there is a lost link, and lines that cannot be used are told once, not each',
  TIMEOUT,
  async (t) => {
    const absent = await Heard.start(t, join(folder(t), 'absent'));
    await absent.told('linkLost');
    const path = join(folder(t), 'can.sock');
    const server = createServer((socket) => {
      socket.write(` can0  1826F456   [3]  01 01 00\n`.repeat(1_000));
      socket.write(new Gbt27930Bus('can7').handshake().take());
      socket.write(SPOKEN);
    });
    server.listen(path);
    await once(server, 'listening');
    t.after(() => server.close());
    const heard = await Heard.start(t, `unix:${path}`);
    await heard.told('chargingStarted');
    assert.equal(heard.issues.length, 1);
    assert.equal(heard.issues[0]?.code, 'source_odd');
    assert.match(heard.issues[0].hint, /candump -L/);
  },
);

test('options that cannot be right are refused before anything is opened', () => {
  const pseudonymize = createPseudonymizer(new Uint8Array(16));
  const right = { station: 'pile', from: 'candump:can0', connectors: { can0: '1' }, pseudonymize };
  const wrong = [
    { from: '' },
    { from: 'udp://1.2.3.4:5' },
    { from: 'tcp://nowhere' },
    { from: 'tcp://nowhere:99999' },
    { from: 'unix:relative' },
    { from: 'candump:can0; rm' },
    { connectors: {} },
    { connectors: { can0: '1', can1: '1' } },
    { connectors: { can0: 'a b' } },
    { unpluggedAfterMs: 5 },
  ];
  for (const options of wrong) {
    assert.throws(
      () => createGbt27930Firmware({ ...right, ...options }),
      { code: 'invalid_argument' },
      JSON.stringify(options),
    );
  }
});
