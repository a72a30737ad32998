/** What the operator's `bind` and `unbind` do: who is who, on disk before it is told, and at once for whoever stands there now. */
import type { Credential, CredentialKind } from '@plugpool/firmware-bridge';
import type { ConnectorId, VehicleId } from '@plugpool/proto';
import type { OperatorAnswer } from '../events.ts';
import { BINDINGS_MAX } from '../limits.ts';
import type { BindingRecord } from '../records.ts';
import { changeSession } from '../sessions/firmware.ts';
import { isSeenPlugged, type Session } from '../sessions/session.ts';
import { write, type Turn } from '../turn.ts';
import { bindingKey, bindingsOf, namedBy } from './bindings.ts';
import { identified, namedByOperator } from './identity.ts';
import { remember } from './remembered.ts';

export interface BindOrder {
  readonly vehicleId: VehicleId;
  /** Take it from the vehicle that it is bound to. */
  readonly replace: boolean;
}

export function bindCredential(turn: Turn, order: BindOrder, credential: Credential): OperatorAnswer {
  const refusal = whyNot(turn, order, [credential]);
  if (refusal !== undefined) return refusal;
  keep(turn, order.vehicleId, credential);
  for (const session of [...turn.state.sessions.values()])
    if (session.shown?.[credential.kind] === credential.pseudonym) nameAnew(turn, session, credential);
  return bound(order, null, [credential]);
}

/**
 * The operator sees the vehicle at the connector: it is believed for this stay, and what was shown there is bound to it for those
 * to come. `kind`: that alone is bound.
 */
export function bindConnector(
  turn: Turn,
  order: BindOrder,
  connectorId: ConnectorId,
  kind: CredentialKind | undefined,
): OperatorAnswer {
  const session = turn.state.sessions.get(connectorId);
  if (session === undefined || !isSeenPlugged(session.state)) return nobodyThere(connectorId);
  const credentials = credentialsShown(session).filter((each) => kind === undefined || each.kind === kind);
  if (kind !== undefined && credentials.length === 0) return notShown(connectorId, kind);
  const refusal = whyNot(turn, order, credentials);
  if (refusal !== undefined) return refusal;
  for (const credential of credentials) keep(turn, order.vehicleId, credential);
  const named = namedByOperator(session, order.vehicleId);
  remember(turn, named);
  changeSession(turn, session, named, 'named');
  return bound(order, connectorId, credentials);
}

function credentialsShown({ shown = {} }: Session): Credential[] {
  return Object.entries(shown).map(([kind, pseudonym]) => ({ kind: kind as CredentialKind, pseudonym }));
}

/** All or nothing. */
function whyNot(
  { state: { bindings } }: Turn,
  { vehicleId, replace }: BindOrder,
  credentials: readonly Credential[],
): OperatorAnswer | undefined {
  const anew = credentials.filter((credential) => !bindings.has(bindingKey(credential)));
  if (bindings.size + anew.length > BINDINGS_MAX) return tooMany();
  if (replace) return undefined;
  for (const credential of credentials) {
    const holder = bindings.get(bindingKey(credential))?.vehicleId;
    if (holder !== undefined && holder !== vehicleId) return boundToAnother(credential.kind, holder);
  }
  return undefined;
}

function keep(turn: Turn, vehicleId: VehicleId, credential: Credential): void {
  const { bindings } = turn.state;
  const key = bindingKey(credential);
  const binding: BindingRecord = { credential, vehicleId, boundWallMs: Math.round(turn.now.wallMs) };
  const before = bindings.get(key)?.vehicleId;
  bindings.set(key, binding);
  write(turn, { change: 'putBinding', binding });
  if (before !== undefined && before !== vehicleId) weaken(turn, before);
}

function nameAnew(turn: Turn, session: Session, credential: Credential): void {
  const said = namedBy(turn.state.bindings, credential);
  if (said !== undefined) changeSession(turn, session, identified(session, said), 'named');
}

export function unbind(turn: Turn, vehicleId: VehicleId, kind: CredentialKind | undefined): OperatorAnswer {
  const gone = bindingsOf(turn.state.bindings, vehicleId).filter(
    ({ credential }) => kind === undefined || credential.kind === kind,
  );
  for (const { credential } of gone) {
    turn.state.bindings.delete(bindingKey(credential));
    write(turn, { change: 'removeBinding', credential });
  }
  if (gone.length > 0) weaken(turn, vehicleId);
  return { ok: true, value: { vehicleId, removed: gone.map(({ credential }) => credential.kind) } };
}

/** What it was known by does not name it any more: until something else does, that it stands there is a claim. */
function weaken(turn: Turn, vehicleId: VehicleId): void {
  for (const session of [...turn.state.sessions.values()]) {
    if (session.identity?.vehicleId !== vehicleId || session.identity.assurance === 'operator') continue;
    const claim: Session = { ...session, identity: { vehicleId, assurance: 'claimed' } };
    const known = credentialsShown(session)
      .map((credential) => namedBy(turn.state.bindings, credential))
      .filter((said) => said !== undefined)
      .reduce((after, said) => identified(after, said), claim);
    changeSession(turn, session, known, 'named');
  }
}

function bound(
  { vehicleId }: BindOrder,
  connectorId: ConnectorId | null,
  credentials: readonly Credential[],
): OperatorAnswer {
  return { ok: true, value: { vehicleId, connectorId, kinds: credentials.map(({ kind }) => kind) } };
}

function boundToAnother(kind: CredentialKind, holder: VehicleId): OperatorAnswer {
  return {
    ok: false,
    code: 'bound_to_another',
    detail: `this ${kind} is bound to ${holder}`,
    hint: 'take it from there with --replace, where that is meant',
  };
}

function nobodyThere(connectorId: ConnectorId): OperatorAnswer {
  return {
    ok: false,
    code: 'not_plugged',
    detail: `the firmware does not say that a vehicle is plugged in at ${connectorId}`,
    hint: 'plugpool connectors shows where one is',
  };
}

function notShown(connectorId: ConnectorId, kind: CredentialKind): OperatorAnswer {
  return {
    ok: false,
    code: 'credential_unknown',
    detail: `the firmware told no ${kind} of the vehicle at ${connectorId}`,
    hint: 'give its value on standard input with --value-from-stdin, or bind it without --kind for this stay',
  };
}

function tooMany(): OperatorAnswer {
  return {
    ok: false,
    code: 'too_many_bindings',
    detail: `more than ${BINDINGS_MAX} credentials would be bound`,
    hint: 'unbind vehicles that come no more: plugpool bindings lists them',
  };
}
