/** What is worth saying of a configuration that is right: keys that should go, and numbers that are never reached. */
import { INSTANCES_MAX } from '@plugpool/proto';
import { mostOfOne } from '../core/clients/share.ts';
import { DEFAULT_SETTINGS } from '../core/settings.ts';
import type { ConfigProblem } from './problems.ts';
import type { ConfigFile } from './schema.ts';

export function outdatedKeys({ dwell }: ConfigFile): ConfigProblem[] {
  if (dwell.utcOffsetMinutes === undefined) return [];
  const what = 'is right for half of the year where clocks are set; write dwell.timeZone, as Europe/Berlin';
  return [{ where: 'dwell.utcOffsetMinutes', what }];
}

/** What is the default was not asked for: whoever only lowers the bound of all vehicles is told nothing. */
export function unreachedKeys({ policy }: ConfigFile): ConfigProblem[] {
  const { openTasksMax, openTasksPerVehicleMax } = policy;
  const most = mostOfOne(openTasksMax, INSTANCES_MAX);
  if (openTasksPerVehicleMax <= most) return [];
  if (openTasksPerVehicleMax === DEFAULT_SETTINGS.openTasksPerVehicleMax) return [];
  const share =
    'a third of policy.openTasksMax, and a quarter while it is not plugged in (docs/hostile-vehicles.md)';
  const what = `is more than a vehicle ever has, which is ${most} at most: ${share}; lower it, or set openTasksMax to three times as much`;
  return [{ where: 'policy.openTasksPerVehicleMax', what }];
}
