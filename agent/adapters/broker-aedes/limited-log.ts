/** Log lines that a stranger can cause: a few of each kind, then one a while that says how many were left out. */
import { TokenBucket } from './token-bucket.ts';

/** The part of pino that the broker uses. */
export interface BrokerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What goes wrong says the same each time; what goes well is worth more lines, and no disk full of them. */
const RATES = {
  warn: { burst: 5, perSecond: 0.1 },
  info: { burst: 200, perSecond: 5 },
} as const;
type Level = keyof typeof RATES;

/** `kind` must come from a closed list: a bucket is kept for each. */
export type LimitedLog = Readonly<Record<Level, (kind: string, fields: object, message: string) => void>>;

export function limitLog(log: BrokerLog, monoMs: () => number): LimitedLog {
  return { warn: limitLevel(log, 'warn', monoMs), info: limitLevel(log, 'info', monoMs) };
}

function limitLevel(log: BrokerLog, level: Level, monoMs: () => number): LimitedLog[Level] {
  const kinds = new Map<string, { readonly bucket: TokenBucket; leftOut: number }>();
  const kindOf = (kind: string, nowMs: number) => {
    let known = kinds.get(kind);
    if (known === undefined) {
      known = { bucket: new TokenBucket(RATES[level], nowMs), leftOut: 0 };
      kinds.set(kind, known);
    }
    return known;
  };
  return (kind, fields, message) => {
    const nowMs = monoMs();
    const known = kindOf(kind, nowMs);
    known.bucket.fill(nowMs);
    if (!known.bucket.take()) {
      known.leftOut += 1;
      return;
    }
    const { leftOut } = known;
    known.leftOut = 0;
    log[level]({ kind, ...fields, ...(leftOut > 0 ? { linesLeftOut: leftOut } : {}) }, message);
  };
}
