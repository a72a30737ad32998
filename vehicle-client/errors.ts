/** The one error class of the vehicle client: what is wrong, what to do about it, and whether trying again can help. */
import type { Reason } from '@plugpool/proto';

export interface PlugpoolErrorFields {
  /** From a closed list: a pile's `RefusalCode`, a failed task's code, or one of the client's own (docs/sdk.md). */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
  /** What the pile said, where it refused. */
  readonly reasons?: readonly Reason[];
  readonly cause?: unknown;
}

export class PlugpoolError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly reasons: readonly Reason[];

  constructor(fields: PlugpoolErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'PlugpoolError';
    this.code = fields.code;
    this.hint = fields.hint;
    this.retryable = fields.retryable;
    this.reasons = fields.reasons ?? [];
  }
}

/** A call that cannot succeed, however often it is tried. */
export function usageError(code: string, message: string, hint: string): PlugpoolError {
  return new PlugpoolError({ code, message, hint, retryable: false });
}

/** The error for a refusal by the pile. */
export function refusalError(what: string, reasons: readonly Reason[], retryable: boolean): PlugpoolError {
  const hints = new Set(reasons.map(({ hint }) => hint).filter((hint) => hint !== ''));
  return new PlugpoolError({
    code: reasons[0]?.code ?? 'refused',
    message: `the pile refused ${what}: ${reasons.map((reason) => reason.detail || reason.code).join('; ') || 'no reason given'}`,
    hint: [...hints].join('; ') || (retryable ? 'try again later' : 'change what was asked for'),
    retryable,
    reasons,
  });
}
