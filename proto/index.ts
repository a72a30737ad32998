/** The public entry of the wire contract. */
export type * from './domain.ts';
export type * from './messages.ts';
export type { DecodedFrame, RejectedBody } from './codec.ts';
export { PROTOCOL_VERSION, decodeDownFrame, decodeUpFrame, encodeFrame, encodeFrames } from './codec.ts';
export * from './digest.ts';
export * from './limits.ts';
export * from './topics.ts';
