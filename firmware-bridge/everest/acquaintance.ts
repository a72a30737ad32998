/** What is remembered of a stay, so that its vehicle is known again after a lost link or a restart of the agent. */
import type { Credential } from '../port.ts';

/** What tells one session from another; unknown where it was not said. */
export interface Session {
  /** EVerest's id of the session. */
  readonly uuid?: string | undefined;
  readonly sessionStartWallMs?: number | undefined;
}

export interface Acquaintance extends Session {
  readonly credentials: readonly Credential[];
}

/** A session lasts until its vehicle leaves: in the same one stands the same vehicle. */
export function isSameSession(
  before: Acquaintance | undefined,
  { uuid, sessionStartWallMs }: Session,
): boolean {
  if (uuid !== undefined) return before?.uuid === uuid;
  return sessionStartWallMs !== undefined && before?.sessionStartWallMs === sessionStartWallMs;
}
