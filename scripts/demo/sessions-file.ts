/** The stays that the demo's firmware replays: one vehicle stays, the other is unplugged in the middle and comes back. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';

export const STAYS = 'demo-car-1';
export const LEAVES = 'demo-car-2';
export const DONORS = [STAYS, LEAVES] as const;

const SITE = 'Demo';
const BAYS = { [STAYS]: 'bay-1', [LEAVES]: 'bay-2' } as const;
const HOURS = 2 * 3600_000;

export interface Plot {
  readonly startWallMs: number;
  /** From the start until the second vehicle is unplugged, and until it is plugged in again. */
  readonly unplugAfterMs: number;
  readonly backAfterMs: number;
}

/** The configuration of the replay, with its file written into `dir`. */
export function writeSessions(dir: string, plot: Plot): Readonly<Record<string, unknown>> {
  const { startWallMs, unplugAfterMs, backAfterMs } = plot;
  const rows = [
    stay(BAYS[STAYS], startWallMs - 1_500_000, startWallMs + HOURS, 18_000),
    stay(BAYS[LEAVES], startWallMs - 600_000, startWallMs + unplugAfterMs, 1_800),
    stay(BAYS[LEAVES], startWallMs + backAfterMs, startWallMs + HOURS, 18_000),
  ];
  const header = 'site,connector,plugged_at,unplugged_at,energy_wh,charging_ended_at,stated_departure_at';
  const file = path.join(dir, 'sessions.csv');
  writeFileSync(file, `${[header, ...rows].join('\n')}\n`);
  return {
    kind: 'replay',
    file,
    speed: 1,
    startAt: localTime(startWallMs),
    vehicles: { [BAYS[STAYS]]: STAYS, [BAYS[LEAVES]]: LEAVES },
  };
}

function stay(connector: string, fromMs: number, toMs: number, energyWh: number): string {
  return [SITE, connector, localTime(fromMs), localTime(toMs), energyWh, localTime(toMs), ''].join(',');
}

/** To the second, without a zone, as the form of the file has it. */
function localTime(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 19);
}
