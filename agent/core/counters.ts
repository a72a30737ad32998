/** What the agent counts of its own work, for whoever operates it; nothing is decided by it. */
export interface Counters {
  accepted: number;
  refused: number;
  granted: number;
  completed: number;
  failed: number;
  expired: number;
  cancelled: number;
  dead: number;
  /** Attempts that ended because their donor left. */
  departures: number;
  /** States of runs that were accepted, and the work that attempts after them had not to do again, in milli-normalised-core-seconds. */
  checkpoints: number;
  savedMncs: number;
  staleMessages: number;
}

export function noCounts(): Counters {
  return {
    accepted: 0,
    refused: 0,
    granted: 0,
    completed: 0,
    failed: 0,
    expired: 0,
    cancelled: 0,
    dead: 0,
    departures: 0,
    checkpoints: 0,
    savedMncs: 0,
    staleMessages: 0,
  };
}
