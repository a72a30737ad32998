/** What a body is refused with while it is being decoded. */
import type { Reason, RefusalCode } from '../domain.ts';

const HINTS: Partial<Record<RefusalCode, string>> = {
  input_too_large: 'Send at most 64 KiB inline and anything larger by digest, up to 64 MiB.',
  deadline_invalid: 'Ask for a shorter deadline, or for none.',
  not_supported: 'Send what this version of the protocol knows; docs/protocol.md lists it.',
};
const HINT_MALFORMED = 'Correct the body as docs/protocol.md describes it; unchanged it is refused again.';

/**
 * Thrown by the parts of the codec, caught by its entry, and never seen outside. `detail` names the field and the rule, and
 * repeats nothing of what was sent: it goes into logs.
 */
export class BodyRefused extends Error {
  readonly code: RefusalCode;

  constructor(detail: string, code: RefusalCode = 'malformed') {
    super(detail);
    this.code = code;
  }

  get reason(): Reason {
    return { code: this.code, detail: this.message, hint: HINTS[this.code] ?? HINT_MALFORMED };
  }
}
