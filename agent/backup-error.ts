/** Why a backup is not made, or not put back: the file that was named cannot be it. */
type BackupErrorCode = 'target_exists' | 'target_unusable' | 'backup_running' | 'backup_unusable';

/** Nothing was changed. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: BackupErrorCode;
  /** What a person can do about it. */
  readonly hint: string;

  constructor(code: BackupErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.hint = hint;
  }
}
