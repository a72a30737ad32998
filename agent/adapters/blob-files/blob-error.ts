/** What a caller did wrong with a blob; failures of the disk are a `StoreError` instead. */

export type BlobErrorCode =
  /** Not 64 lower-case hex characters. */
  | 'digest_malformed'
  /** A size that is no size, or above what one blob may have. */
  | 'size_refused'
  /** Another upload of this digest is under way and says another size: one of the two is wrong. */
  | 'size_differs'
  /** The vehicle that they would be held for has as many bytes on the disk as it may. */
  | 'share_full'
  /** As many uploads are under way as may be, and none of them is idle. */
  | 'too_many_uploads'
  /** Not the byte that comes next. */
  | 'out_of_order'
  /** Past the end of the blob, or a range that is none. */
  | 'out_of_range'
  /** Finished before all bytes were there. */
  | 'incomplete'
  /** All bytes are there and hash to something else; they were removed. */
  | 'digest_mismatch'
  /** The upload was finished or abandoned. */
  | 'closed'
  | 'unknown';

export class BlobError extends Error {
  override readonly name = 'BlobError';
  readonly code: BlobErrorCode;

  constructor(code: BlobErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
