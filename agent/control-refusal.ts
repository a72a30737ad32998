/** What a verb refuses, and why. */
import type { ControlError } from './adapters/control-socket/protocol.ts';

/** Thrown by a verb, answered as its error. */
export class Refusal extends Error {
  readonly answer: ControlError;

  constructor(code: string, detail: string, hint: string) {
    super(detail);
    this.answer = { code, detail, hint };
  }
}
