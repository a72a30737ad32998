/** What became of what was to be done at a connector. */
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import { assertNever } from '../assert-never.ts';
import type { Control } from '../effects.ts';
import { log, type Turn } from '../turn.ts';
import { onCapOutcome } from './caps.ts';

export function onControlled(turn: Turn, control: Control, outcome: ControlOutcome): void {
  switch (control.kind) {
    case 'setCap':
      return onCapOutcome(turn, control.connectorId, outcome);
    case 'clearCap':
      // A cap that could not be cleared expires by itself.
      return sayFailure(turn, control, outcome);
    case 'showText':
      return sayFailure(turn, control, outcome);
    default:
      return assertNever(control);
  }
}

function sayFailure(turn: Turn, { kind, connectorId }: Control, outcome: ControlOutcome): void {
  if (outcome.ok) return;
  log(turn, 'warn', 'the station did not do it', {
    control: kind,
    connectorId,
    code: outcome.code,
    detail: outcome.message,
  });
}
