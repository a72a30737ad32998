/** What goes wrong at the edge of the firmware bridge: an error for a refusal, an issue for what was repaired and goes on. */

export type FirmwareErrorCode =
  /** An argument, option or id that cannot be right. */
  | 'invalid_argument'
  /** A file that cannot be read, or is not of the form it must have. */
  | 'invalid_file'
  /** A step that the connector's present state does not allow. */
  | 'invalid_step'
  | 'not_started'
  | 'already_started'
  | 'too_many';

/** Says what is wrong and where in `message`, and what to do in `hint`. */
export class FirmwareError extends Error {
  readonly code: FirmwareErrorCode;
  readonly hint: string;

  constructor(code: FirmwareErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FirmwareError';
    this.code = code;
    this.hint = hint;
  }
}

/** Something was wrong, was repaired in the declared way, and somebody should know. */
export interface FirmwareIssue {
  readonly code:
    | 'row_skipped'
    | 'rows_skipped'
    | 'state_file_set_aside'
    /** What the adapter listens to cannot be reached; it tries again by itself. */
    | 'source_lost'
    /** It says what cannot be read, and that is passed over. */
    | 'source_odd';
  readonly message: string;
  readonly hint: string;
}

export type ReportIssue = (issue: FirmwareIssue) => void;
