/** Log lines that a stranger can cause: a few of each kind, then one a while that says how many were left out. */
import { TokenBucket } from './token-bucket.ts';

/** The part of pino that the broker uses. */
export interface BrokerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const LINES_BURST = 5;
const LINES_PER_SECOND = 0.1;

export interface LimitedLog {
  /** `kind` must come from a closed list: a bucket is kept for each. */
  warn(kind: string, fields: object, message: string): void;
}

export function limitLog(log: BrokerLog, monoMs: () => number): LimitedLog {
  const kinds = new Map<string, { readonly bucket: TokenBucket; leftOut: number }>();
  const kindOf = (kind: string, nowMs: number) => {
    let known = kinds.get(kind);
    if (known === undefined) {
      known = {
        bucket: new TokenBucket({ burst: LINES_BURST, perSecond: LINES_PER_SECOND }, nowMs),
        leftOut: 0,
      };
      kinds.set(kind, known);
    }
    return known;
  };
  return {
    warn(kind, fields, message) {
      const nowMs = monoMs();
      const known = kindOf(kind, nowMs);
      known.bucket.fill(nowMs);
      if (!known.bucket.take()) {
        known.leftOut += 1;
        return;
      }
      const leftOut = known.leftOut;
      known.leftOut = 0;
      log.warn({ kind, ...fields, ...(leftOut > 0 ? { linesLeftOut: leftOut } : {}) }, message);
    },
  };
}
