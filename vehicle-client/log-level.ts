/** How important a line of the log must be to be written. */

/** The least important first; at `silent` nothing is. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
