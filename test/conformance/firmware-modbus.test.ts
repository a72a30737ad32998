/** The Modbus adapter passes the conformance suite, on registers in memory and a stepped clock. */
import { createModbusFirmware, createPseudonymizer } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { firmwareConformance } from './firmware-conformance.ts';
import type { FirmwareHarness, Situation } from './firmware-conformance.ts';
import { MemoryRegisters, settled } from './modbus-registers.ts';

const VEHICLE = 122;
const OCPP = 104;
const POWER = 220;
const ENERGY = 218;
const SOC = 730;
const CARD = 720;
const POLL_MS = 2_000;
const [A, B, C] = [1, 2, 3];

firmwareConformance('modbus', async (situation: Situation): Promise<FirmwareHarness> => {
  const clock = new SteppedClock();
  const device = new MemoryRegisters();
  const say = async (vehicle: number, powerW: number, energyWh: number, ocpp = 6): Promise<void> => {
    device.set(VEHICLE, vehicle);
    device.set(OCPP, ocpp);
    device.set(POWER, 0, powerW);
    device.set(ENERGY, 0, energyWh);
    for (let look = 0; look < 4; look += 1) {
      await settled();
      clock.advance(POLL_MS);
    }
    await settled();
  };
  device.set(SOC, 40);
  device.set(CARD, 0x4445, 0x4d4f, ...Array<number>(8).fill(0));
  if (situation === 'vehiclePlugged') await say(C, 7_000, 10_000);
  else await say(A, 0, 10_000);
  const adapter = createModbusFirmware({
    station: 'pile',
    host: 'unused',
    map: 'bender',
    connectors: [{ connector: '1' }],
    pollMs: POLL_MS,
    pseudonymize: createPseudonymizer(new Uint8Array(16)),
    clock,
    link: device,
  });
  const playToMiddle = async (): Promise<void> => {
    await say(B, 0, 10_000, 5);
    await say(C, 7_000, 11_000);
  };
  return {
    adapter,
    playToMiddle,
    async play() {
      await playToMiddle();
      await say(B, 0, 12_000, 8);
      await say(A, 0, 12_000, 0);
    },
    link: {
      async cut() {
        device.isCut = true;
        for (let wait = 0; wait < 8; wait += 1) {
          clock.advance(POLL_MS);
          await settled();
        }
      },
      async restore() {
        device.isCut = false;
        clock.advance(30_000);
        await settled();
      },
    },
    dispose: async () => undefined,
  };
});
