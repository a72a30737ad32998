/** The EVerest adapter with everything switched on, between a link that the test holds and an EVerest that answers. */
import {
  createEverestFirmware,
  type EverestFirmwareOptions,
  type FirmwareEvent,
} from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { RECORDING_OPTIONS } from '../conformance/firmware-stories.ts';
import { HeldLink } from './held-link.ts';
import { SimulatedEverest } from './simulated-everest.ts';

export async function openControlScene(over: Partial<EverestFirmwareOptions> = {}) {
  const clock = new SteppedClock();
  const link = new HeldLink();
  const events: FirmwareEvent[] = [];
  const everest = new SimulatedEverest({
    nowWallMs: () => clock.nowWallMs(),
    publish: ({ topic, payload }) => link.deliver(topic, JSON.stringify(payload)),
  });
  const adapter = createEverestFirmware({
    ...RECORDING_OPTIONS,
    broker: 'mqtt://127.0.0.1:1883',
    evses: [{ connector: '1', module: 'evse_1_api', energyLimits: 'limits_1_api' }],
    authModule: 'auth_api',
    allow: ['cap', 'text', 'credit'],
    ocppModule: 'ocpp_api',
    credit: { vendorId: 'org.example', messageId: 'plugpoolCredit' },
    displayModule: 'display_api',
    communicationCheckEveryMs: 2_000,
    silentAfterMs: 5_000,
    clock,
    link: () => link,
    ...over,
  });
  const abort = new AbortController();
  await adapter.start((event) => events.push(event), abort.signal);
  link.up();
  return { adapter, clock, link, events, everest, abort };
}
