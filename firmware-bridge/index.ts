/** The public entry of the firmware bridge. */
export type * from './port.ts';
