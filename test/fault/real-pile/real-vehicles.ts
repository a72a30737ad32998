/** Vehicles with real connections in the process that starts them: donors whose programs take a moment, and requesters; recorded. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import {
  connectRequester,
  startDonor,
  type Donor,
  type DonorOptions,
  type Requester,
} from '@plugpool/vehicle-client';
import { EchoRuntime } from '../../../vehicle-client/runtimes/echo/runtime.ts';
import type { Runtime } from '../../../vehicle-client/runtimes/port.ts';
import { donorOptions, runtimesOf } from '../../integration/vehicle-fixtures.ts';
import { recordedLink, type Watching } from './recorded-link.ts';
import { backwards } from './slow-runtime.ts';

export interface Surroundings extends Watching {
  readonly url: string;
  /** Each vehicle gets a directory of its own in it. */
  readonly dir: string;
}

export function startRecordedDonor(
  around: Surroundings,
  vehicleId: string,
  runtime: Runtime,
  log?: DonorOptions['log'],
): Promise<Donor> {
  const token = `the-token-of-${vehicleId}`;
  const dataDir = directoryOf(around, vehicleId);
  return startDonor(
    donorOptions(around.url, dataDir, {
      vehicle: vehicleId,
      log,
      link: recordedLink({ url: around.url, vehicleId, slot: 'lend', token }, around),
      runtimesInstead: runtimesOf(new EchoRuntime(), runtime),
    }),
  );
}

export function connectRecorded(around: Surroundings, vehicleId: string): Promise<Requester> {
  const token = `the-token-of-${vehicleId}`;
  return connectRequester({
    agent: around.url,
    vehicleId,
    dataDir: directoryOf(around, vehicleId),
    link: recordedLink({ url: around.url, vehicleId, slot: 'ask-1', token }, around),
  });
}

function directoryOf({ dir }: Surroundings, vehicleId: string): string {
  const directory = path.join(dir, vehicleId);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Requests of one vehicle under way: each must end with the bytes that it was sent. */
export class UnderWay {
  readonly #requester: Requester;
  readonly #ended: Promise<void>[] = [];
  #asked = 0;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  get asked(): number {
    return this.#asked;
  }

  /** Some at once, some one after the other, one with a large input and output, one in three parts. */
  askWave(name: string): void {
    for (const algorithm of ['slow', 'echo', 'slow', 'echo'])
      this.#add(this.#ask(algorithm, `${name}, at once, ${this.#asked}`));
    this.#add(this.#ask('slow', `${name}, in chunks. `.repeat(6_000)));
    this.#add(this.#ask('slow', `${name}, in parts`, 3));
    this.#add(this.#askInTurn(name));
  }

  async allEnded(): Promise<void> {
    await Promise.all(this.#ended.splice(0));
  }

  async #askInTurn(name: string): Promise<void> {
    for (const algorithm of ['echo', 'slow', 'echo']) await this.#ask(algorithm, `${name}, in turn`);
  }

  #add(ended: Promise<void>): void {
    // It is awaited later, and must not end this process until then.
    ended.catch(() => undefined);
    this.#ended.push(ended);
  }

  async #ask(algorithm: string, text: string, instances = 1): Promise<void> {
    this.#asked += 1;
    const input = Buffer.from(text);
    const task = await this.#requester.request({ algorithm, input, instances });
    const { outputs } = await task.result;
    assert.equal(outputs.length, instances, `the parts of ${task.taskId}`);
    const right = algorithm === 'slow' ? backwards(input) : input;
    for (const output of outputs) assert.ok(right.equals(output), `${task.taskId} gave the right bytes`);
  }
}
