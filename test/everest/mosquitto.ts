/** A real MQTT broker in EVerest's place: Debian's mosquitto, on a free port of this machine, for as long as a test lasts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const PROGRAM = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'].find((path) =>
  existsSync(path),
);

export const NO_MOSQUITTO = PROGRAM === undefined && 'mosquitto is not installed (apt-get install mosquitto)';

const READY_WITHIN_MS = 5_000;

export class Mosquitto {
  readonly port: number;
  readonly #config: string;
  #process: ChildProcess | undefined;

  constructor(port: number, folder: string) {
    this.port = port;
    this.#config = join(folder, 'mosquitto.conf');
    // `user root`: as root it would become a user that may not read the folder; as anybody else it stays who it is.
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'user root'];
    writeFileSync(this.#config, lines.join('\n'));
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#process = spawn(PROGRAM ?? '', ['-c', this.#config], { stdio: 'ignore' });
    const endMs = performance.now() + READY_WITHIN_MS;
    while (!(await answers(this.port))) {
      if (performance.now() > endMs || this.#process.exitCode !== null)
        throw new Error('mosquitto does not start');
      await delay(10);
    }
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

/** Ends with the test. */
export async function openMosquitto(t: Pick<TestContext, 'after'>): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-mosquitto-'));
  const broker = new Mosquitto(await freePort(), folder);
  t.after(async () => {
    await broker.kill();
    rmSync(folder, { recursive: true });
  });
  await broker.start();
  return broker;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
