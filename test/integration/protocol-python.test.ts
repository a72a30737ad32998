/**
 * docs/protocol.md is enough to write a client in another language: the vehicles of test/interop are Python, written from that page
 * and the schema alone. Through a real pile they lend to this project's client and ask of it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { loadConfig, startDonor } from '@plugpool/vehicle-client';
import { command, loops } from '../fixtures/wasm/modules.ts';
import { newDirectory, startPile, type Pile } from './cli-fixtures.ts';
import { addProgram, connectAs } from './spine-scene.ts';
import { ToldProbe } from './vehicle-fixtures.ts';

const ROOT = path.join(import.meta.dirname, '../..');
/** Debian's modules are not seen by a Python that a version manager put before Debian's. */
const PYTHONS = ['python3', '/usr/bin/python3'];
const TOKEN = 'a-token-of-a-snake';

/** What Python's donor has built in, as the module that ours runs: the letters a to z become capitals. */
const IN_CAPITALS = command(`(local $at i32) (local $end i32) (local $letter i32)
  (loop $more
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.load (i32.const 8)) (then
      (local.set $at (i32.const 1024))
      (local.set $end (i32.add (local.get $at) (i32.load (i32.const 8))))
      (loop $next
        (local.set $letter (i32.load8_u (local.get $at)))
        (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 26))
          (then (i32.store8 (local.get $at) (i32.sub (local.get $letter) (i32.const 32)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
      (call $put (i32.const 1024) (i32.load (i32.const 8)))
      (br $more))))`);

function works(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const PYTHON = PYTHONS.find((python) => works(python, '-c', 'import paho.mqtt.client, google.protobuf'));
const skip =
  PYTHON !== undefined && works('protoc', '--version')
    ? false
    : 'Python or its modules are missing (Debian: apt install python3-paho-mqtt python3-protobuf protobuf-compiler)';

interface Happened {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A vehicle of test/interop, and what it says that happened. */
class PythonVehicle {
  readonly happened: Happened[] = [];
  readonly ended: Promise<string>;
  #told: (() => void)[] = [];

  constructor(t: TestContext, generated: string, pile: Pile, program: string, ...args: string[]) {
    const { hostname, port } = new URL(pile.url);
    const child = spawn(PYTHON ?? '', [path.join(ROOT, 'test/interop', program), hostname, port, ...args], {
      env: { ...process.env, PYTHONPATH: generated, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => child.kill());
    this.ended = Promise.all([text(child.stderr), once(child, 'exit')]).then(([stderr]) => stderr);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.happened.push(JSON.parse(line) as Happened);
      for (const tell of this.#told.splice(0)) tell();
    });
  }

  all(event: string): Happened[] {
    return this.happened.filter((each) => each.event === event);
  }

  async until(event: string): Promise<void> {
    while (this.all(event).length === 0) {
      const died = this.ended.then((stderr) => ({ stderr }));
      const told = new Promise<undefined>((resolve) => this.#told.push(() => resolve(undefined)));
      const end = await Promise.race([died, told]);
      assert.equal(end, undefined, `it ended before ${event}: ${end?.stderr}`);
    }
  }
}

interface Scene {
  readonly pile: Pile;
  readonly vehicle: (program: string, ...args: string[]) => PythonVehicle;
}

/** A pile at whose first connector this vehicle charges, with a program that is done and one that never is. */
async function openScene(t: TestContext, vehicleId: string): Promise<Scene> {
  const generated = newDirectory(t);
  const schema = [`--proto_path=${path.join(ROOT, 'proto')}`, 'plugpool/v1/plugpool.proto'];
  execFileSync('protoc', [`--python_out=${generated}`, ...schema]);
  const pile = await startPile(t, { logLevel: 'error', tokens: 'tokens' });
  const operator = { ask: (verb: string, args?: object) => pile.control(verb, args) };
  await addProgram(operator, 'capitals', IN_CAPITALS);
  await addProgram(operator, 'endless', loops());
  await pile.control('firmware', { step: 'charge', connector: '1', vehicleId });
  return { pile, vehicle: (program, ...args) => new PythonVehicle(t, generated, pile, program, ...args) };
}

test(
  'a donor in Python lends: bytes above a message, a connection lost in the middle of a run, an answer lost with another, a revocation',
  { skip },
  async (t) => {
    const { pile, vehicle } = await openScene(t, 'snake');
    const donor = vehicle('donor.py', 'snake', TOKEN);
    await donor.until('welcome');
    const asker = await connectAs(t, pile, 'asker', newDirectory(t));
    for (const input of ['north', 'by northwest '.repeat(20_000)]) {
      const {
        output,
        attempts,
        donor: by,
      } = await (await asker.request({ algorithm: 'capitals', input })).result;
      assert.deepEqual([Buffer.from(output).toString(), attempts, by], [input.toUpperCase(), 1, 'snake']);
    }
    assert.deepEqual(
      donor.all('offer').map(({ image_kept: kept }) => kept),
      [false, true],
      'the image travels once',
    );
    assert.deepEqual(
      donor.all('welcome').map(({ keep, drop }) => [keep, drop]),
      [
        [0, 0],
        [1, 0],
        [0, 1],
      ],
      'the lease outlives the connection; that of a result whose answer was lost is over',
    );
    const task = await asker.request({ algorithm: 'capitals', input: 'never mind', args: ['60'] });
    for await (const event of task) if (event.kind === 'update' && event.state === 'running') break;
    assert.equal(await task.cancel(), 'cancelled');
    await donor.until('revoke');
    assert.deepEqual(donor.all('revoke'), [{ event: 'revoke', reason: 'cancelled' }]);
    const [first, second] = donor.all('result_ack');
    assert.deepEqual(
      [first?.['accepted'], second?.['accepted']],
      [true, true],
      'handed in again, it still counts',
    );
  },
);

test(
  'a requester in Python asks: bytes above a message, the same request again after a lost connection, a request taken back',
  { skip },
  async (t) => {
    const { pile, vehicle } = await openScene(t, 'lender');
    const lender = await startDonor({
      ...loadConfig({
        flags: {
          agent: pile.url,
          vehicle: 'lender',
          dataDir: newDirectory(t),
          sandbox: 'bwrap-else-process',
        },
        env: {},
      }),
      probe: new ToldProbe(),
    });
    t.after(() => lender.stop());

    const large = vehicle('requester.py', 'snake', TOKEN, 'large', 'capitals', '200000', 'tear');
    assert.equal(await large.ended, '');
    const [first, second] = large.all('accepted');
    assert.deepEqual(first, second, 'one task for one request id');
    assert.deepEqual(large.all('delivery'), [
      { event: 'delivery', state: 'TASK_STATE_COMPLETED', code: '', capitals: true, donor: 'lender' },
    ]);

    const endless = vehicle('requester.py', 'snake', TOKEN, 'endless', 'endless', '1', 'cancel');
    assert.equal(await endless.ended, '');
    assert.deepEqual(
      endless.all('delivery').map(({ state, code }) => [state, code]),
      [['TASK_STATE_CANCELLED', 'cancelled']],
    );

    const stranger = vehicle('requester.py', 'snake', `${TOKEN}, or not`, 'large', 'capitals', '1');
    await stranger.until('connack');
    assert.deepEqual(stranger.happened, [{ event: 'connack', code: 5 }]);
  },
);
