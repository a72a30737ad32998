/** Which credential the operator bound to which vehicle: what a card, a contract or a car's own name shown at a connector means. */
import type { Credential, CredentialKind } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import type { BindingRecord } from '../records.ts';
import { ASSURANCE_OF } from './assurance.ts';
import type { Identity } from './identity.ts';

/** By what `bindingKey` makes of the credential. */
export type Bindings = Map<string, BindingRecord>;

export function bindingKey({ kind, pseudonym }: Credential): string {
  return `${kind}/${pseudonym}`;
}

export function loadBindings(stored: readonly BindingRecord[]): Bindings {
  return new Map(stored.map((binding) => [bindingKey(binding.credential), binding]));
}

/** Whom the credential names, and how sure that is; undefined where nobody bound it. */
export function namedBy(bindings: Bindings, credential: Credential): Identity | undefined {
  const binding = bindings.get(bindingKey(credential));
  if (binding === undefined) return undefined;
  return { vehicleId: binding.vehicleId, assurance: ASSURANCE_OF[credential.kind] };
}

export function bindingsOf(bindings: Bindings, vehicleId: VehicleId): BindingRecord[] {
  return [...bindings.values()].filter((binding) => binding.vehicleId === vehicleId);
}

export interface BindingView {
  readonly vehicleId: VehicleId;
  readonly kind: CredentialKind;
  readonly assurance: string;
  /** Tells two credentials of one kind apart; nothing can be made of it. */
  readonly mark: string;
  readonly boundWallMs: number;
}

const MARK_CHARS = 8;

export function bindingsView(bindings: Bindings): BindingView[] {
  return [...bindings.values()]
    .map(({ credential: { kind, pseudonym }, vehicleId, boundWallMs }) => ({
      vehicleId,
      kind,
      assurance: ASSURANCE_OF[kind],
      mark: pseudonym.slice(0, MARK_CHARS),
      boundWallMs,
    }))
    .sort((a, b) => (a.vehicleId + a.kind < b.vehicleId + b.kind ? -1 : 1));
}
