/** What became of what was to be done at a connector. */
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { assertNever } from '../assert-never.ts';
import { onCreditOutcome } from '../credits/send-credit.ts';
import { refreshDonor } from '../donors/donor.ts';
import type { Control } from '../effects.ts';
import { log, type Turn } from '../turn.ts';
import { onCapOutcome } from './caps.ts';

export function onControlled(turn: Turn, control: Control, outcome: ControlOutcome): void {
  switch (control.kind) {
    case 'setCap':
      onCapOutcome(turn, control.connectorId, outcome);
      return lookAtDonor(turn, control.connectorId);
    case 'clearCap':
      // A cap that could not be cleared expires by itself.
      return sayFailure(turn, control, outcome);
    case 'sendCredit':
      return onCreditOutcome(turn, control.creditId, outcome);
    case 'showText':
      return sayFailure(turn, control, outcome);
    default:
      return assertNever(control);
  }
}

function sayFailure(turn: Turn, { kind, connectorId }: Control, outcome: ControlOutcome): void {
  if (outcome.ok) return;
  // Most stations have no display that we may write to: the code is told by other ways there.
  if (kind === 'showText' && HAS_NONE.has(outcome.code)) return;
  log(turn, 'warn', 'the station did not do it', {
    control: kind,
    connectorId,
    code: outcome.code,
    detail: outcome.message,
  });
}

/** A cap leaves less for the battery. */
function lookAtDonor(turn: Turn, connectorId: ConnectorId): void {
  const vehicleId = turn.state.sessions.get(connectorId)?.identity?.vehicleId;
  const donor = vehicleId === undefined ? undefined : turn.state.donors.get(vehicleId);
  if (donor !== undefined) refreshDonor(turn, donor);
}
const HAS_NONE: ReadonlySet<string> = new Set(['not_enabled', 'unsupported', 'unknown_connector']);
