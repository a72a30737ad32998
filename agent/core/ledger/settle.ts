/** Settlement: of what has accrued in millionths, each account's whole minor units become money; the rest goes on accruing. */
import { SETTLED_ACCOUNTS_MAX } from '../limits.ts';
import { nextNumber } from '../numbers.ts';
import type { BalanceRecord, LedgerEntry } from '../records.ts';
import type { FencingToken, InstanceId, TaskId } from '@plugpool/proto';
import { write, type Turn } from '../turn.ts';
import { SETTLEMENT, UNSETTLED } from './accounts.ts';
import { accruedCurrency, microsOf, minorOf } from './units.ts';

const MICROS_PER_MINOR = 1_000_000;

/** One account in one currency. */
interface Due {
  readonly balance: BalanceRecord;
  readonly currency: string;
  /** Negative where the account owes. */
  readonly minor: number;
}

export interface Settled {
  /** Accounts, one for each currency, of which something was settled. */
  readonly accounts: number;
  readonly bookings: number;
}

/** `balances` as the store has them: what was booked since is in them with the next settlement. */
export function settle(turn: Turn, balances: readonly BalanceRecord[]): Settled {
  const due = balances.flatMap(dueOf);
  const settlement = due.length === 0 ? 0 : nextNumber(turn);
  let segment = 0;
  for (; segment * SETTLED_ACCOUNTS_MAX < due.length; segment += 1) {
    const from = segment * SETTLED_ACCOUNTS_MAX;
    const entries = entriesOf(due.slice(from, from + SETTLED_ACCOUNTS_MAX));
    const booking = {
      kind: 'settlement',
      taskId: '' as TaskId,
      instanceId: 'settlement' as InstanceId,
      fencingToken: settlement as FencingToken,
      segment,
      wallMs: turn.now.wallMs,
      entries,
    } as const;
    write(turn, { change: 'book', booking });
  }
  return { accounts: due.length, bookings: segment };
}

/** What is unsettled is nobody's yet, and the settlement's own side is what it is. */
function dueOf(balance: BalanceRecord): Due[] {
  const currency = accruedCurrency(balance.unit);
  if (currency === undefined || balance.account === SETTLEMENT || balance.account === UNSETTLED) return [];
  const minor = Math.trunc(balance.balance / MICROS_PER_MINOR);
  return minor === 0 ? [] : [{ balance, currency, minor }];
}

function entriesOf(due: readonly Due[]): LedgerEntry[] {
  const sums = new Map<string, number>();
  const entries = due.flatMap(({ balance: { account, unit }, currency, minor }): LedgerEntry[] => {
    sums.set(currency, (sums.get(currency) ?? 0) + minor);
    return [
      { account, unit, amount: -minor * MICROS_PER_MINOR },
      { account, unit: minorOf(currency), amount: minor },
    ];
  });
  const others = [...sums].flatMap(([currency, minor]): LedgerEntry[] => [
    { account: SETTLEMENT, unit: microsOf(currency), amount: minor * MICROS_PER_MINOR },
    { account: SETTLEMENT, unit: minorOf(currency), amount: 0 - minor },
  ]);
  return [...entries, ...others];
}
