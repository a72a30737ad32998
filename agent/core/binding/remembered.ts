/**
 * Who was bound by a person or a proof, for the rest of the stay: after a lost link or a restart nobody gives the code again. The billed
 * transaction tells that the stay is the same one: a station ends it when the vehicle is unplugged, and gives its id to no other.
 */
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { REMEMBERED_STAYS_MAX } from '../limits.ts';
import { isPlugged, type Session } from '../sessions/session.ts';
import type { State } from '../state.ts';
import { log, writeLazily, type Turn } from '../turn.ts';
import { ASSURANCES, isWeaker } from './assurance.ts';
import { identified, type Identity } from './identity.ts';

export const REMEMBERED_NAME = 'stays-bound';

export interface RememberedStay extends Identity {
  /** Absent while none goes on: then nothing can tell that the stay is the same. */
  readonly transactionId?: string;
}

/** What will not be said again by itself. The oldest gives way. */
export function remember(turn: Turn, { connectorId, identity, transactionId }: Session): void {
  const { remembered } = turn.state;
  if (identity === undefined) return;
  remembered.delete(connectorId);
  for (const oldest of remembered.keys()) {
    if (remembered.size < REMEMBERED_STAYS_MAX) break;
    remembered.delete(oldest);
  }
  keep(turn, connectorId, { ...identity, ...(transactionId === undefined ? {} : { transactionId }) });
}

/** The session after `event`, with who is remembered to be there where the event shows that it is the same stay. */
export function recall(turn: Turn, event: FirmwareEvent, session: Session): Session {
  const { connectorId, identity } = session;
  const stay = turn.state.remembered.get(connectorId);
  if (stay === undefined) return session;
  if (!isPlugged(session.state)) return forget(turn, session);
  if (event.kind === 'transactionEnded' && event.transactionId === stay.transactionId) {
    const { transactionId: _over, ...rest } = stay;
    keep(turn, connectorId, rest);
    return session;
  }
  if (event.kind !== 'transactionStarted') return session;
  const isOpen = identity === undefined || identity.assurance === 'claimed';
  if (!isOpen && identity.vehicleId === stay.vehicleId) keepTransaction(turn, connectorId, stay, event);
  if (!isOpen) return session;
  if (event.transactionId !== stay.transactionId) return forget(turn, session);
  log(turn, 'info', 'the stay is the same, and so is its vehicle', {
    connectorId,
    vehicleId: stay.vehicleId,
    assurance: stay.assurance,
  });
  return identified(session, { vehicleId: stay.vehicleId, assurance: stay.assurance });
}

function keepTransaction(
  turn: Turn,
  connectorId: ConnectorId,
  stay: RememberedStay,
  { transactionId }: { readonly transactionId: string },
): void {
  if (stay.transactionId !== transactionId) keep(turn, connectorId, { ...stay, transactionId });
}

/** Who is named at a connector, as surely as he is remembered at others, is at none of them. */
export function forgetElsewhere(
  turn: Turn,
  connectorId: ConnectorId,
  { vehicleId, assurance }: Identity,
): void {
  const { remembered } = turn.state;
  const others = [...remembered].filter(
    ([at, stay]) =>
      at !== connectorId && stay.vehicleId === vehicleId && !isWeaker(assurance, stay.assurance),
  );
  for (const [at] of others) remembered.delete(at);
  if (others.length > 0) writeRemembered(turn);
}

function forget(turn: Turn, session: Session): Session {
  turn.state.remembered.delete(session.connectorId);
  writeRemembered(turn);
  return session;
}

function keep(turn: Turn, connectorId: ConnectorId, stay: RememberedStay): void {
  turn.state.remembered.set(connectorId, stay);
  writeRemembered(turn);
}

/** Nobody is promised anything: lost with the power, the code is given again. */
function writeRemembered(turn: Turn): void {
  writeLazily(turn, { change: 'putLearned', name: REMEMBERED_NAME, value: [...turn.state.remembered] });
}

/** False where it is damaged. */
export function loadRemembered({ remembered }: State, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (!Array.isArray(value) || !value.every(isEntry)) return false;
  for (const [connectorId, { vehicleId, assurance, transactionId }] of value.slice(0, REMEMBERED_STAYS_MAX))
    remembered.set(connectorId as ConnectorId, {
      vehicleId,
      assurance,
      ...(transactionId === undefined ? {} : { transactionId }),
    });
  return true;
}

function isEntry(entry: unknown): entry is [string, RememberedStay] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false;
  const { vehicleId, assurance, transactionId } = (entry[1] ?? {}) as Partial<
    Record<keyof RememberedStay, unknown>
  >;
  return (
    typeof vehicleId === 'string' &&
    (ASSURANCES as readonly unknown[]).includes(assurance) &&
    (transactionId === undefined || typeof transactionId === 'string')
  );
}
