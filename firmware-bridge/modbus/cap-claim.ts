/** What is ours of a device's cap registers, so that only that is ever put back: what held before us, and what we wrote over it. */
import type { CapRegister, CapValues } from './cap-registers.ts';

/** Of one register: tries in a row that nobody answered. */
export const MAY_HOLD_MAX = 8;

export interface CapClaim {
  /** What others set: it holds again when our cap is over. */
  readonly before: CapValues;
  /**
   * What a register holds as long as nobody else writes it: what we wrote, what the device made of it, and what it held before where
   * we do not know whether it heard us.
   */
  readonly mayHold: Readonly<Record<CapRegister, readonly number[]>>;
}

export function isOurs({ mayHold }: CapClaim, name: CapRegister, found: CapValues): boolean {
  return mayHold[name].includes(found[name]);
}

export function isOurWatchdog(claim: CapClaim, found: CapValues): boolean {
  return isOurs(claim, 'seconds', found) && isOurs(claim, 'fallback', found);
}

/** What others set, by what is found now: whatever is not ours. */
export function beforeOf(claim: CapClaim | undefined, found: CapValues): CapValues {
  if (claim === undefined) return found;
  const of = (name: CapRegister): number => (isOurs(claim, name, found) ? claim.before : found)[name];
  return { limit: of('limit'), fallback: of('fallback'), seconds: of('seconds') };
}

/** Of values each of which a register may hold. */
export function mayHold(...all: readonly CapValues[]): CapClaim['mayHold'] {
  return eachRegister((name) => all.map((values) => values[name]));
}

/** While it is being written over: what we wrote last, or what we write now. */
export function alsoHold(claim: CapClaim | undefined, values: CapValues): CapClaim['mayHold'] {
  return eachRegister((name) => [...(claim?.mayHold[name] ?? []), values[name]]);
}

function eachRegister(of: (name: CapRegister) => readonly number[]): CapClaim['mayHold'] {
  const last = (name: CapRegister): readonly number[] => [...new Set(of(name))].slice(-MAY_HOLD_MAX);
  return { limit: last('limit'), fallback: last('fallback'), seconds: last('seconds') };
}
