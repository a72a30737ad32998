/** The bounds of the relay: every queue, memory and wait of it, in one place. */

const KIB = 1024;
const MIB = 1024 * KIB;

// What waits for a turn (call-lane.ts).
/** Calls of the agent that wait at one pile and side. */
export const OWN_CALLS_WAITING_MAX = 8;
/** Calls of the other side that wait for the answer to one of the agent's; beyond it the agent's call is given up. */
export const HELD_CALLS_MAX = 32;
export const HELD_CHARS_MAX = 1 * MIB;
/** A call that nobody answered for so long is held against nobody any more. OCPP leaves the time to who calls; 30 s is usual. */
export const CALL_UNANSWERED_MS_MAX = 30_000;
/** Calls of one side that are not answered: one by the standard, more by those who do not keep it. */
export const OPEN_CALLS_MAX = 64;
/** Ids of calls whose answers nobody waits for any more. */
export const FORGOTTEN_CALLS_MAX = 64;
/** The agent's calls give the charging its way again after this long, whatever the agent asked for. */
export const OWN_CALL_MS_MAX = 10_000;

// What is remembered of a pile for an agent that comes later (recalled-frames.ts).
export const RECALLED_SLOTS_MAX = 128;
export const RECALLED_CHARS_MAX = 128 * KIB;
/** A larger frame is not what makes up a connector's state. */
export const RECALLED_FRAME_CHARS_MAX = 16 * KIB;
export const RECALLED_UNANSWERED_MAX = 16;

// The socket that the agent reads (tap-server.ts).
export const TAP_READERS_MAX = 8;
/** What a reader has not taken yet; beyond it is dropped. What it is told at first comes on top. */
export const TAP_UNREAD_BYTES_MAX = 8 * MIB;

// Between two sockets (socket-peer.ts).
/** What one side has not taken yet; then no more is read from the other, until it is below the second. */
export const UNSENT_BYTES_HIGH = 1 * MIB;
export const UNSENT_BYTES_LOW = 128 * KIB;
/** A side that takes nothing for so long is not there. */
export const STUCK_MS_MAX = 60_000;
/** How long the other side may take to answer a close. */
export const CLOSE_MS_MAX = 2_000;

// While the CSMS is away (relayed-pile.ts).
export const AWAY_FRAMES_MAX = 64;
export const AWAY_CHARS_MAX = 256 * KIB;
export const REDIAL_FIRST_MS = 250;
export const REDIAL_MS_MAX = 2_000;

// Who may come in (attempt-limit.ts, pile-address.ts).
/** Connections of one pile at once after a quiet time, and how long it takes until it has one more. */
export const ATTEMPTS_AT_ONCE = 5;
export const ATTEMPT_EVERY_MS = 5_000;
/** Identities with their addresses whose attempts are counted. */
export const ATTEMPT_KEYS_MAX = 4_096;
export const IDENTITY_CHARS_MAX = 255;

// What is read of a frame (frame-head.ts).
/** Its head: type, id (36 characters by OCPP) and action. */
export const HEAD_CHARS_MAX = 512;
