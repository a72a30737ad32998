/** The replay adapter passes the conformance suite: with the shipped file, and with real stays where they are at hand. */
import { describe, it } from 'node:test';
import { SAMPLE_SESSIONS_FILE, createReplayFirmware } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { sharedData } from '../shared-data.ts';
import { firmwareConformance } from './firmware-conformance.ts';
import type { FirmwareHarness, Situation } from './firmware-conformance.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface Source {
  readonly file: string;
  readonly speed: number;
  /** The middle of a stay: from the first vehicle's arrival, on the clock; and as local time. */
  readonly middleMs: number;
  readonly middle: string;
  readonly vehicles?: Record<string, string>;
  readonly limit?: number;
}

function harnessOf(source: Source) {
  return async (situation: Situation): Promise<FirmwareHarness> => {
    const clock = new SteppedClock();
    const { file, speed, vehicles, limit } = source;
    const startAt = situation === 'vehiclePlugged' ? source.middle : 'first';
    const adapter = createReplayFirmware({
      file,
      station: 'pile',
      speed,
      startAt,
      vehicles,
      limit,
      clock,
      strict: true,
    });
    return {
      adapter,
      play: async () => clock.drain(),
      playToMiddle: async () => clock.advance(source.middleMs),
      dispose: async () => undefined,
    };
  };
}

const sample: Source = {
  file: SAMPLE_SESSIONS_FILE,
  speed: 1,
  middleMs: HOUR_MS,
  middle: '2026-03-02T08:47:00',
  vehicles: { '1': 'car-a', '2': 'car-b', 'pile/3/1': 'car-c' },
};
firmwareConformance('replay', harnessOf(sample));
firmwareConformance('replay (60 times as fast)', harnessOf({ ...sample, speed: 60, middleMs: MINUTE_MS }));

const apartments = sharedData('sessions/norway-apartments.csv');
if (apartments === undefined) {
  describe('the replay (real stays) firmware adapter', () => {
    it('passes', { skip: 'shared/data/sessions is not beside this repository' }, () => undefined);
  });
} else {
  firmwareConformance(
    'replay (real stays)',
    harnessOf({ file: apartments, speed: 1, middleMs: HOUR_MS, middle: '2018-02-06T15:42:00', limit: 300 }),
  );
}
