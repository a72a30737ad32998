/** EVerest for the bench: simulated EVSEs that publish on a real broker. */
import { openLiveEverest } from '../../test/everest/live-everest.ts';
import { NO_MOSQUITTO, openMosquitto } from '../../test/everest/mosquitto.ts';
import type { OpenBenchFirmware } from './source.ts';

/** As EVerest itself waits for its clients. */
const SILENT_AFTER_MS = 5_000;

function valueOf(index: number): string {
  return `04E2F1A2B3C4${String(index).padStart(2, '0')}`;
}

export const openBenchEverest: OpenBenchFirmware = async (connectors) => {
  if (NO_MOSQUITTO !== false) return { why: NO_MOSQUITTO };
  const ends: (() => unknown)[] = [];
  const broker = await openMosquitto({ after: (end) => ends.push(end as () => unknown) });
  const everest = await openLiveEverest(broker.url, connectors);
  const evses = everest.evses.map((_, index) => ({
    connector: `${index + 1}`,
    module: `evse_${index + 1}_api`,
  }));
  return {
    firmware: {
      name: 'everest',
      config: [{ kind: 'everest', broker: broker.url, silentAfter: `${SILENT_AFTER_MS}ms`, evses }],
      linkTimeoutMs: SILENT_AFTER_MS,
      bindingOf: (index) => ({ kind: 'idToken', value: valueOf(index) }),
      chargeAll() {
        for (const [index, evse] of everest.evses.entries()) {
          evse.plugIn();
          evse.authorise({
            id_token: { value: valueOf(index), type: 'ISO14443' },
            authorization_type: 'RFID',
          });
          evse.charge();
        }
      },
      unplug: (index) => everest.evses[index]?.unplug(),
      cutLink: () => broker.kill(),
      fallSilent: (index) => everest.silence(index),
      async stop() {
        await everest.stop();
        for (const end of ends) await end();
      },
    },
  };
};
