/** The address for vehicles cannot be had: another program has it, or it is none of this machine, or no address at all. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** What a person can do about it. */
  readonly hint: string;

  constructor(message: string, hint: string, cause?: unknown) {
    super(message, { cause });
    this.hint = hint;
  }
}
