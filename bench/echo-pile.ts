/** A pile that has the echo algorithm and vehicles that lend for it: what several benches start from. */
import { hash } from 'node:crypto';
import type { Stage } from '../scripts/stage.ts';

export async function addEcho(stage: Stage): Promise<void> {
  const image = Buffer.from('echo');
  const digest = hash('sha256', image, 'hex');
  const dataBase64 = image.toString('base64');
  await stage.ask('imagePart', { digest, sizeBytes: image.length, offset: 0, dataBase64 });
  await stage.ask('addAlgorithm', {
    id: 'echo',
    version: '1',
    type: 'echo',
    runtime: 'echo',
    image: { digest, sizeBytes: image.length },
    demands: [{ cpuMillicores: 5, memoryMib: 1, threads: 1 }],
    workCoreS: 0.001,
  });
}

/** The firmware says that these vehicles charge, at connectors from 1 on. */
export async function charge(stage: Stage, vehicleIds: readonly string[]): Promise<void> {
  for (const [index, vehicleId] of vehicleIds.entries())
    await stage.ask('firmware', { step: 'charge', connector: String(index + 1), vehicleId });
}

export async function untilLending(stage: Stage, count: number, withinMs?: number): Promise<void> {
  const isSo = async (): Promise<boolean> => {
    const { donorsEligible } = (await stage.ask('status')) as { donorsEligible: number };
    return donorsEligible === count;
  };
  await stage.until(`${count} donors to lend`, isSo, withinMs);
}
