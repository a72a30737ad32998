/** The public entry of the wire contract. */
export type * from './domain.ts';
export type * from './messages.ts';
export * from './limits.ts';
export * from './topics.ts';
