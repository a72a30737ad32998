/** No meter, at the owner's word. */
import type { PowerMeter } from '../../ports.ts';

export const meterOff: PowerMeter = {
  start: () => ({
    ok: false,
    code: 'no_power_meter',
    detail: 'the owner does not have it measured',
    hint: 'set energy: auto to have it measured',
  }),
  read: () => undefined,
};
