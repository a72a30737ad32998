/**
 * A credit record as it leaves the pile: canonical JSON, the same text whenever it is made, so that its signature is the same too.
 * It names no vehicle and no person: the vehicle is a pseudonym of this pile; the charging transaction says whose stay it was to those
 * who have a right to know.
 */
import { z } from 'zod';
import { accruedCurrency, CPU, ENERGY, GPU } from '../core/ledger/units.ts';
import type { CreditRecord, Unit } from '../core/records.ts';
import type { MadeCredit } from '../ports.ts';
import { canonicalJson } from './canonical-json.ts';

export const CREDIT_FORMAT = 'plugpool credit 1';

const amount = z.int().min(0);
const signedReading = z.strictObject({ format: z.literal('OCMF'), data: z.string() });

/** Of version 1; a later version has another `format`. */
export const creditBodySchema = z.strictObject({
  format: z.literal(CREDIT_FORMAT),
  /** `station/number`: two records of one id are one credit. */
  id: z.string().min(1).max(128),
  station: z.string().min(1).max(64),
  connector: z.string().min(1).max(160),
  transactionId: z.string().max(64).nullable(),
  vehicle: z.string().regex(/^[0-9a-f]{32}$/, 'is no pseudonym'),
  period: z.strictObject({
    pluggedWallMs: amount,
    endedWallMs: amount,
    ended: z.enum(['unplugged', 'unseen']),
    madeWallMs: amount,
  }),
  earned: z.strictObject({ cpuMncs: amount, gpuMncs: amount }),
  energyMwh: amount,
  /** Millionths of the currency's minor unit. */
  money: z.array(z.strictObject({ currency: z.string().regex(/^[A-Z]{3}$/), micros: amount })),
  tariffs: z.array(z.string()),
  ledger: z.strictObject({
    first: amount,
    last: amount,
    bookings: amount,
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    ofStay: amount,
  }),
  /** As the meter signed them, byte for byte. */
  signedMeterValues: z.strictObject({ first: signedReading, last: signedReading }).nullable(),
  publicKey: z.base64().max(200),
});

export type CreditBody = z.output<typeof creditBodySchema>;

export interface CreditSurroundings {
  readonly station: string;
  /** DER (SPKI) in base64. */
  readonly publicKey: string;
  readonly pseudonymOf: (vehicleId: string) => string;
}

export function creditId(station: string, { creditId: number }: Pick<CreditRecord, 'creditId'>): string {
  return `${station}/${number}`;
}

export function creditBody(
  credit: MadeCredit,
  { station, publicKey, pseudonymOf }: CreditSurroundings,
): string {
  const { ended, signed, ledger } = credit;
  const body: CreditBody = {
    format: CREDIT_FORMAT,
    id: creditId(station, credit),
    station,
    connector: credit.connectorId,
    transactionId: credit.transactionId ?? null,
    vehicle: pseudonymOf(credit.vehicleId),
    period: {
      pluggedWallMs: credit.pluggedWallMs,
      endedWallMs: ended.wallMs,
      ended: ended.how,
      madeWallMs: credit.madeWallMs,
    },
    earned: { cpuMncs: earnedIn(credit, CPU), gpuMncs: earnedIn(credit, GPU) },
    energyMwh: earnedIn(credit, ENERGY),
    money: moneyOf(credit),
    tariffs: [...credit.tariffs],
    ledger: { ...ledger, ofStay: credit.bookings },
    signedMeterValues:
      signed === undefined
        ? null
        : { first: { format: 'OCMF', data: signed.first }, last: { format: 'OCMF', data: signed.last } },
    publicKey,
  };
  return canonicalJson(body);
}

function earnedIn({ earned }: CreditRecord, unit: Unit): number {
  return earned.find((each) => each.unit === unit)?.amount ?? 0;
}

export function moneyOf({ earned }: Pick<CreditRecord, 'earned'>): CreditBody['money'] {
  return earned
    .flatMap(({ unit, amount: micros }) => {
      const currency = accruedCurrency(unit);
      return currency === undefined ? [] : [{ currency, micros }];
    })
    .sort((one, other) => (one.currency < other.currency ? -1 : 1));
}
