/** Every bound of the agent's memory and patience, in one place (law 7). Those of the wire are in proto/limits.ts. */

/** Tasks that are accepted and not yet delivered. */
export const OPEN_TASKS_MAX = 20_000;
export const OPEN_TASKS_PER_VEHICLE_MAX = 5_000;
/** Bytes of inline inputs of tasks that have not ended; outputs are on disk alone. */
export const INLINE_BYTES_TOTAL_MAX = 64 * 1024 * 1024;
export const INLINE_BYTES_PER_VEHICLE_MAX = 16 * 1024 * 1024;
/** Request ids of closed tasks that are remembered; the oldest are forgotten first. */
export const CLOSED_TASKS_MAX = 100_000;
/** Tasks that one housekeeping forgets: the rest waits for the next, and one transaction stays short. */
export const FORGOTTEN_MAX = 5_000;
/** Requests and results that wait for their bytes. */
export const AWAITED_BLOBS_MAX = 256;
export const ALGORITHMS_MAX = 1_000;
export const CONNECTORS_MAX = 10_000;
/** Vehicles remembered beside those connected or holding leases. */
export const IDLE_DONORS_MAX = 1_000;
/** Donors that one instance avoids, since it failed there. */
export const AVOIDED_DONORS_MAX = 16;
/** Donors that an explanation lists. */
export const EXPLAINED_DONORS_MAX = 100;
