/** How long silence is normal on the bus of GB/T 27930-2015. */

/** 7.4.1 and 7.4.3: BCL and CCS, each every 50 ms, are given up after this long. */
export const CHARGING_SILENCE_MS_MAX = 1_000;
/** Tables 6 to 10: what is said in every other stage (BHM, BRM, BCP, BRO, BCS, BSD …) is given up after this long, or longer. */
export const SILENCE_MS_MAX = 5_000;
/** A current of nothing for this long is a pause, not the moment between two set points. */
export const NO_CURRENT_MS_MIN = 1_000;

/** Power is told when it changes, at most this often … */
export const METER_EVERY_MS_MIN = 1_000;
/** … and when it does not change, this often: silence would mean that the charger is not heard. */
export const METER_EVERY_MS_MAX = 5_000;
/** The vehicle's state of charge, while it does not change. */
export const EV_INFO_EVERY_MS = 60_000;
