/** The catalogue of a simulated world: programs whose output is a function of what was asked, so that every result can be verified. */
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

/** Two FNV-1a of 32 bits, one after the other: whoever asked verifies each, and nobody has to be kept from guessing it. */
export function outputOf({ args, input }: Asked, part: number): Uint8Array {
  const given = input.where === 'inline' ? input.bytes : Buffer.from(input.blob.digest);
  const output = new Uint8Array(8);
  const view = new DataView(output.buffer);
  for (let at = 0; at < output.length; at += 4) {
    let hash = FNV_BASIS ^ at;
    const take = (byte: number): void => void (hash = Math.imul(hash ^ byte, FNV_PRIME));
    for (const arg of args) {
      for (let i = 0; i < arg.length; i += 1) take(arg.charCodeAt(i));
      take(0);
    }
    take(part);
    given.forEach(take);
    view.setUint32(at, hash >>> 0);
  }
  return output;
}

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The state of a run at some point of its work: its name tells how far it is, as the bytes would. */
export function stateAt(instanceId: string, doneMncs: number): Digest {
  const name = `${doneMncs.toString(36)}/${instanceId}`;
  return Buffer.from(name.padEnd(32, '.').slice(0, 32)).toString('hex') as Digest;
}

export function doneIn(state: Digest): number {
  const name = Buffer.from(state, 'hex').toString();
  return Number.parseInt(name.slice(0, name.indexOf('/')), 36);
}
