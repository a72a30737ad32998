/** The ids of the agent's calls: no other id is like them, so that an answer to one is known whenever, and however often, it comes. */
import { randomBytes } from 'node:crypto';

const RUN_BYTES = 6;
const CALL_BYTES = 14;
/**
 * The word is for somebody who reads along; by the chance behind it two relays in a row, or two runs of one, know their own.
 * With what follows it is as long as OCPP lets an id be, 36 characters.
 */
const OWN_ID_PREFIX = `plugpool-${randomBytes(RUN_BYTES).toString('base64url')}`;

export function newOwnId(): string {
  return OWN_ID_PREFIX + randomBytes(CALL_BYTES).toString('base64url');
}

export function isOwnId(id: string): boolean {
  return id.startsWith(OWN_ID_PREFIX);
}
