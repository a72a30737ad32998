/** An error of the control socket, or one that the agent answered with over it. */
import type { ControlError } from './protocol.ts';

export class ControlSocketError extends Error {
  override readonly name = 'ControlSocketError';
  readonly code: string;
  readonly hint: string;

  constructor({ code, detail, hint }: ControlError, cause?: unknown) {
    super(detail, { cause });
    this.code = code;
    this.hint = hint;
  }
}
