/** A sessions file as a recording: what a pile would have told of each stay, at the file's own times. */
import type { ReadRecording } from '../recording.ts';
import { planSessions } from './plan-sessions.ts';
import { readSessions } from './read-sessions.ts';
import { CHARGING_POWER_W_DEFAULT, METER_EVERY_MS_DEFAULT } from './replay-firmware.ts';

export const readSessionsRecording: ReadRecording = async function* (file, { station }) {
  const { rows, brokenAt } = await readSessions(file, { station, endAtFault: true });
  const options = { chargingPowerW: CHARGING_POWER_W_DEFAULT, meterEveryMs: METER_EVERY_MS_DEFAULT };
  for (const { simulatedMs, fact } of planSessions(rows, options))
    yield { ...fact, at: { sourceWallMs: simulatedMs, receivedWallMs: simulatedMs } };
  if (brokenAt !== undefined) throw brokenAt;
};
