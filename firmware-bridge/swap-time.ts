/** How soon another vehicle can be where one was. */

/** Nobody is unplugged, drives off and lets another plug in within this: after a shorter silence it is the same vehicle. */
export const SWAP_MS_MIN = 15_000;
