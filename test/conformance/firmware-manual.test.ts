/** The manual adapter passes the conformance suite. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FirmwareError, createManualFirmware } from '../../firmware-bridge/index.ts';
import type { ManualFirmware } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { firmwareConformance } from './firmware-conformance.ts';
import type { FirmwareHarness, Situation } from './firmware-conformance.ts';

/** A step that is refused because nobody listens, or because an earlier part of the stay was played before. */
async function tolerant(step: Promise<unknown>): Promise<void> {
  await step.catch((error: unknown) => {
    if (!(error instanceof FirmwareError)) throw error;
  });
}

async function playToMiddle(firmware: ManualFirmware, clock: SteppedClock): Promise<void> {
  await tolerant(firmware.plug('1', { vehicleId: 'car-a', socPermille: 400 }));
  clock.advance(60_000);
  await tolerant(firmware.charge('1'));
  await tolerant(firmware.suspend('1', { by: 'EVSE' }));
}

async function playToEnd(firmware: ManualFirmware, clock: SteppedClock): Promise<void> {
  await tolerant(firmware.charge('1', { socPermille: 600 }));
  await tolerant(firmware.info('1', { departureInMs: 3_600_000 }));
  await tolerant(firmware.suspend('1'));
  clock.advance(60_000);
  await tolerant(firmware.finish('1'));
  await tolerant(firmware.unplug('1'));
}

async function leavePlugged(stateFile: string, clock: SteppedClock): Promise<void> {
  const earlier = createManualFirmware({ station: 'pile', stateFile, clock });
  await earlier.start(() => undefined, new AbortController().signal);
  await playToMiddle(earlier, clock);
  await earlier.stop();
}

firmwareConformance('manual', async (situation: Situation): Promise<FirmwareHarness> => {
  const folder = await mkdtemp(join(tmpdir(), 'plugpool-firmware-'));
  const stateFile = join(folder, 'manual.json');
  const clock = new SteppedClock();
  if (situation === 'vehiclePlugged') await leavePlugged(stateFile, clock);
  const adapter = createManualFirmware({ station: 'pile', stateFile, clock });
  return {
    adapter,
    async play() {
      await playToMiddle(adapter, clock);
      await playToEnd(adapter, clock);
    },
    playToMiddle: () => playToMiddle(adapter, clock),
    dispose: () => rm(folder, { recursive: true }),
  };
});
