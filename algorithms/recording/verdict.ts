/** What a check says of an output. */

export type CheckResult = { readonly ok: true } | { readonly ok: false; readonly detail: string };

export const RIGHT: CheckResult = { ok: true };

export function wrong(detail: string): CheckResult {
  return { ok: false, detail };
}
