/** The catalogue of a simulated world: programs whose output is a function of what was asked, so that every result can be verified. */
import { hash } from 'node:crypto';
import type { AlgorithmId, Digest, Offer, TaskRequest } from '@plugpool/proto';
import type { AlgorithmRecord } from '../../agent/core/records.ts';
import { digestOf } from './simulated-pile.ts';

export type Program = Omit<AlgorithmRecord, 'state' | 'addedWallMs'>;

export const PROGRAMS: readonly Program[] = [
  program('quick', { workCoreS: 4, type: 'plan', compare: { by: 'bytes' } }),
  program('steady', { workCoreS: 25, type: 'plan', compare: { by: 'bytes' } }),
  program('heavy', {
    workCoreS: 200,
    checkpoints: true,
    demands: [{ cpuMillicores: 2000, memoryMib: 2048, threads: 1 }],
  }),
  program('either', {
    workCoreS: 10,
    demands: [
      { cpuMillicores: 100, memoryMib: 256, threads: 1, gpu: { shareMillis: 500, vramMib: 1024 } },
      { cpuMillicores: 1500, memoryMib: 512, threads: 1 },
    ],
  }),
];

function program(name: string, more: Partial<Program>): Program {
  return {
    id: name as AlgorithmId,
    version: '1',
    type: name,
    runtime: 'wasm',
    image: { digest: digestOf(name), sizeBytes: 200_000 },
    demands: [{ cpuMillicores: 500, memoryMib: 128, threads: 1 }],
    workCoreS: 1,
    ...more,
  };
}

/** The argument that makes a program fail, the same way anywhere. */
export const FAILS = 'fail';

/** What the run takes in all, in milli-normalised-core-seconds: some of what the catalogue says, as the input has it. */
export function workMncsOf({ algorithmId, input }: Pick<Offer, 'algorithmId' | 'input'>): number {
  const known = PROGRAMS.find(({ id }) => id === algorithmId);
  const variety = input.where === 'inline' ? (input.bytes[0] ?? 0) : 128;
  return Math.round(((known?.workCoreS ?? 1) * 1000 * (32 + variety)) / 160);
}

type Asked = Pick<TaskRequest, 'args' | 'input'>;

interface Known {
  readonly args: Asked['args'];
  readonly part: number;
  readonly output: Uint8Array;
}

/** By the input that passes as an object: every replica computes the same, and who asked verifies it. */
const known = new WeakMap<Asked['input'], Known>();

/** A copy of the caller's own. */
export function outputOf(asked: Asked, part: number): Uint8Array {
  const before = known.get(asked.input);
  if (before?.args === asked.args && before.part === part) return before.output.slice();
  const output = outputFor(asked, part);
  known.set(asked.input, { args: asked.args, part, output });
  return output.slice();
}

function outputFor({ args, input }: Asked, part: number): Uint8Array {
  const asked = Buffer.from(JSON.stringify([args, part]));
  const given = input.where === 'inline' ? input.bytes : Buffer.from(input.blob.digest);
  return new Uint8Array(hash('sha256', Buffer.concat([asked, given]), 'buffer').subarray(0, 8));
}

/** The state of a run at some point of its work: its name tells how far it is, as the bytes would. */
export function stateAt(instanceId: string, doneMncs: number): Digest {
  const name = `${doneMncs.toString(36)}/${instanceId}`;
  return Buffer.from(name.padEnd(32, '.').slice(0, 32)).toString('hex') as Digest;
}

export function doneIn(state: Digest): number {
  const name = Buffer.from(state, 'hex').toString();
  return Number.parseInt(name.slice(0, name.indexOf('/')), 36);
}
