/** The EVerest adapter passes the conformance suite, over a link that the test holds in its hand. */
import { createEverestFirmware } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { HeldLink } from '../everest/held-link.ts';
import { CONTRACT_TOKEN, EVCCID, RFID_TOKEN, SimulatedEverest } from '../everest/simulated-everest.ts';
import { firmwareConformance } from './firmware-conformance.ts';
import type { FirmwareHarness, Situation } from './firmware-conformance.ts';
import { RECORDING_OPTIONS } from './firmware-stories.ts';

firmwareConformance('everest', (situation: Situation): Promise<FirmwareHarness> => {
  const clock = new SteppedClock();
  const link = new HeldLink();
  const everest = new SimulatedEverest({
    nowWallMs: () => clock.nowWallMs(),
    publish: ({ topic, payload }) => link.deliver(topic, JSON.stringify(payload)),
  });
  const adapter = createEverestFirmware({
    ...RECORDING_OPTIONS,
    broker: 'mqtt://127.0.0.1:1883',
    evses: [{ connector: '1', module: 'evse_1_api' }],
    authModule: 'auth_api',
    communicationCheckEveryMs: 2_000,
    silentAfterMs: 5_000,
    clock,
    link: () => link.anew(),
  });
  const live = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000);
      everest.everySecond();
    }
  };
  const playToMiddle = (): Promise<void> => {
    link.up();
    if (everest.state === 'Unplugged') everest.plugIn();
    live(2);
    if (everest.state === 'AuthRequired') {
      everest.showToken(RFID_TOKEN, 'UsedToStart');
      everest.authorise(CONTRACT_TOKEN);
    }
    everest.sayVehicle({ soc: 41.5, fullInMs: 3_600_000, departsInMs: 7_200_000, evccid: EVCCID });
    live(2);
    if (everest.state === 'Preparing') everest.charge();
    live(2);
    return Promise.resolve();
  };
  if (situation === 'vehiclePlugged') everest.plugIn();
  return Promise.resolve({
    adapter,
    async play() {
      await playToMiddle();
      everest.pauseByVehicle();
      live(3);
      everest.charge();
      live(2);
      everest.stopCharging();
      live(2);
      everest.unplug();
      live(1);
    },
    playToMiddle,
    link: {
      cut: () => Promise.resolve(link.down('it was cut')),
      restore: () => Promise.resolve(link.up()),
    },
    dispose: () => Promise.resolve(),
  });
});
