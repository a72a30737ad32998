/**
 * Proves the chain of bookings: every row against the hash of the one before, its entries against each other, all of them against the
 * balances, and, where an exported head is given, the chain against it. In slices, so that commits pass between.
 */
import type { LedgerFinding, LedgerHead, LedgerVerdict } from '../../ports.ts';
import { FIRST_HASH, hashOf } from './booking-chain.ts';
import type { BookingHead, BookingRow } from './ledger.ts';

/** About 5 ms of the store's thread. */
export const ROWS_A_SLICE = 1_000;
/** A chain that is broken all over says no more with more lines. */
const FINDINGS_MAX = 20;

/** What an account was credited and debited in a unit. */
export interface Sum {
  readonly account: string;
  readonly unit: string;
  readonly credited: bigint;
  readonly debited: bigint;
}

export interface VerifiedSlice {
  /** The last row that was looked at. */
  readonly last: BookingHead;
  readonly sums: readonly Sum[];
  readonly findings: readonly LedgerFinding[];
  /** The hash that lies in the row `wanted`, where it was among them. */
  readonly wantedHash?: string;
}

/** Whose rows they are: the store of a running agent, or a file. */
export interface VerifiedStore {
  /** The newest booking, and the balances of the same moment. */
  begin(): Promise<{ readonly head: BookingHead; readonly balances: readonly Sum[] }>;
  slice(after: BookingHead, throughKey: number, wantedKey: number): Promise<VerifiedSlice>;
}

type Known = Pick<LedgerHead, 'bookings' | 'hash'>;

export async function verifyChain(store: VerifiedStore, known?: Known): Promise<LedgerVerdict> {
  const { head, balances } = await store.begin();
  const findings: LedgerFinding[] = [];
  const sums = new Map<string, Sum>();
  let last: BookingHead = { key: 0, hash: FIRST_HASH };
  let wantedHash = known?.bookings === 0 ? FIRST_HASH : undefined;
  while (last.key < head.key) {
    const slice = await store.slice(last, head.key, known?.bookings ?? 0);
    findings.push(...slice.findings);
    for (const sum of slice.sums) addSum(sums, sum);
    wantedHash ??= slice.wantedHash;
    // Rows at the end that are not there although the newest one is.
    if (slice.last.key <= last.key) break;
    last = slice.last;
  }
  if (known !== undefined) findings.push(...againstHead(known, head, wantedHash));
  findings.push(...againstBalances(sums, balances));
  return { bookings: head.key, hash: head.hash, findings: findings.slice(0, FINDINGS_MAX) };
}

/** Rows in the order of their keys, the first of them right after `after`. */
export function verifyRows(
  after: BookingHead,
  rows: readonly BookingRow[],
  wantedKey: number,
): VerifiedSlice {
  const findings: LedgerFinding[] = [];
  const sums = new Map<string, Sum>();
  let last = after;
  let wantedHash: string | undefined;
  for (const row of rows) {
    const hash = Buffer.from(row.hash).toString('hex');
    if (row.key !== last.key + 1) findings.push(missing(last.key + 1, row.key - 1));
    // Behind a gap nobody knows what the hash was over.
    else if (hash !== hashOf(last.hash, row)) findings.push(altered(row.key));
    findings.push(...sumUp(row, sums));
    if (row.key === wantedKey) wantedHash = hash;
    // From what lies there: one row that was altered is one finding.
    last = { key: row.key, hash };
  }
  return {
    last,
    sums: [...sums.values()],
    findings: findings.slice(0, FINDINGS_MAX),
    ...(wantedHash === undefined ? {} : { wantedHash }),
  };
}

function sumUp(row: BookingRow, sums: Map<string, Sum>): LedgerFinding[] {
  const entries = entriesOf(row);
  if (entries === undefined)
    return [
      { code: 'unreadable', booking: row.key, detail: `the entries of booking ${row.key} cannot be read` },
    ];
  const rest = new Map<string, bigint>();
  for (const [account, unit, amount] of entries) {
    const units = BigInt(amount);
    rest.set(unit, (rest.get(unit) ?? 0n) + units);
    const credited = units > 0n ? units : 0n;
    addSum(sums, { account, unit, credited, debited: credited - units });
  }
  return [...rest]
    .filter(([, sum]) => sum !== 0n)
    .map(([unit, sum]) => ({
      code: 'unbalanced',
      booking: row.key,
      detail: `debits and credits of booking ${row.key} differ by ${sum} ${unit}`,
    }));
}

function entriesOf({ entries }: BookingRow): (readonly [string, string, number])[] | undefined {
  try {
    const parsed = JSON.parse(entries) as unknown;
    return Array.isArray(parsed) && parsed.every(isEntry) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(entry: unknown): entry is readonly [string, string, number] {
  if (!Array.isArray(entry)) return false;
  const [account, unit, amount] = entry as unknown[];
  return typeof account === 'string' && typeof unit === 'string' && Number.isSafeInteger(amount);
}

function addSum(sums: Map<string, Sum>, sum: Sum): void {
  const key = `${sum.unit} ${sum.account}`;
  const before = sums.get(key);
  const credited = sum.credited + (before?.credited ?? 0n);
  const debited = sum.debited + (before?.debited ?? 0n);
  sums.set(key, { ...sum, credited, debited });
}

function missing(fromKey: number, toKey: number): LedgerFinding {
  const which = fromKey === toKey ? `booking ${fromKey} is` : `bookings ${fromKey} to ${toKey} are`;
  return { code: 'missing', booking: fromKey, detail: `${which} not there` };
}

function altered(key: number): LedgerFinding {
  const detail = `booking ${key} is not what was booked: it was edited, or stands in another's place`;
  return { code: 'altered', booking: key, detail };
}

function againstHead(known: Known, head: BookingHead, wantedHash: string | undefined): LedgerFinding[] {
  const { bookings, hash } = known;
  if (bookings > head.key) {
    const detail = `the exported head knew ${bookings} bookings, ${head.key} are left: the newest were cut off`;
    return [{ code: 'cut', booking: head.key + 1, detail }];
  }
  if (wantedHash === hash) return [];
  const detail = `booking ${bookings} is not the one that the exported head knew: the chain was made anew up to there`;
  return [{ code: 'other_chain', booking: bookings, detail }];
}

function againstBalances(sums: ReadonlyMap<string, Sum>, balances: readonly Sum[]): LedgerFinding[] {
  const findings: LedgerFinding[] = [];
  const left = new Map(sums);
  for (const { account, unit, credited, debited } of balances) {
    const key = `${unit} ${account}`;
    const sum = left.get(key);
    left.delete(key);
    if (sum?.credited === credited && sum.debited === debited) continue;
    if (sum === undefined && credited === 0n && debited === 0n) continue;
    findings.push(otherBalance(account, unit));
  }
  for (const { account, unit, credited, debited } of left.values())
    if (credited !== 0n || debited !== 0n) findings.push(otherBalance(account, unit));
  return findings;
}

function otherBalance(account: string, unit: string): LedgerFinding {
  const detail = `the balance of ${account} in ${unit} is not what its bookings come to`;
  return { code: 'other_balance', booking: null, detail };
}
