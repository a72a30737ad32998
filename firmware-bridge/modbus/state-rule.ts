/** Which state the values of a connector's registers mean: the first rule of the map whose conditions all hold. */
import type { ReportedState, StateRule } from './register-map.ts';
import type { Value } from './register-value.ts';

type Condition = StateRule['when'][string];

/** Undefined: no rule holds, so the map does not know what the device says. A register without a value fulfils nothing. */
export function stateOf(
  rules: readonly StateRule[],
  values: ReadonlyMap<string, Value>,
): ReportedState | undefined {
  return rules.find(({ when }) => Object.entries(when).every(([name, one]) => holds(one, values.get(name))))
    ?.is;
}

function holds(condition: Condition, value: Value | undefined): boolean {
  if (value === undefined) return false;
  if (Array.isArray(condition)) return condition.includes(value);
  const { atLeast = -Infinity, below = Infinity } = condition;
  return typeof value === 'number' && value >= atLeast && value < below;
}
