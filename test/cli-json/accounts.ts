/** What is told of the ledger and of credit records. */
import { z } from 'zod';
import { count, hash, id, wallMs } from './words.ts';

export const booking = z.strictObject({
  instanceId: id,
  kind: z.enum(['result', 'checkpoint', 'settlement']),
  fencingToken: z.int(),
  segment: count,
  wallMs,
  tariff: id.nullable(),
  overstay: z.boolean(),
  entries: z.array(
    z.strictObject({ account: id, unit: id, amount: z.int(), amountMncs: z.int().nullable() }),
  ),
});

const balances = z.array(
  z.strictObject({ account: id, unit: id, balance: z.int(), credited: z.int(), debited: z.int() }),
);

const ledger = z.strictObject({
  ok: z.boolean(),
  bookings: count,
  balanced: z.boolean(),
  accounts: z.array(
    z.strictObject({ account: id, balanceMncs: z.int(), creditedMncs: z.int(), debitedMncs: z.int() }),
  ),
  balances,
});

const ledgerFinding = z.strictObject({
  code: z.enum([
    ...(['altered', 'missing', 'unreadable', 'unbalanced', 'other_balance'] as const),
    ...(['cut', 'other_chain', 'head_forged', 'other_key'] as const),
  ]),
  booking: count.nullable(),
  detail: id,
});

export const ACCOUNTS_JSON = {
  ledger,
  'ledger balance': z.strictObject({ ok: z.literal(true), balances }),
  'ledger verify': z.strictObject({
    ok: z.boolean(),
    bookings: count,
    hash,
    findings: z.array(ledgerFinding),
  }),
  'ledger head': z.strictObject({
    ok: z.literal(true),
    station: id,
    bookings: count,
    hash,
    wallMs,
    publicKey: z.base64(),
    signature: z.base64(),
  }),
  'ledger export': z.strictObject({ ok: z.literal(true), file: id, bookings: count }),
  'ledger settle': z.strictObject({ ok: z.literal(true), accounts: count, bookings: count }),
  'credits list': z.strictObject({
    ok: z.literal(true),
    credits: z.array(
      z.strictObject({
        id,
        connectorId: id,
        vehicleId: id,
        transactionId: id.nullable(),
        pluggedWallMs: wallMs,
        endedWallMs: wallMs,
        cpuMncs: count,
        gpuMncs: count,
        energyMwh: count,
        money: z.array(z.strictObject({ currency: id, micros: count })),
        sending: z.strictObject({
          state: z.enum(['kept', 'waiting', 'accepted', 'refused', 'given_up']),
          tries: count,
          triedWallMs: wallMs.nullable(),
          code: z.string().nullable(),
          detail: z.string().nullable(),
        }),
      }),
    ),
  }),
  'credits export': z.strictObject({ ok: z.literal(true), file: id, credits: count }),
  'credits verify': z.strictObject({
    ok: z.boolean(),
    records: count,
    publicKey: z.base64().nullable(),
    findings: z.array(
      z.strictObject({
        code: z.enum(['unreadable', 'altered', 'other_key', 'contradicted']),
        line: count,
        detail: id,
      }),
    ),
  }),
};
