/** What an operator sees of a credit record: with the vehicle's own id, and whether the back office has it. docs/cli-json.md is the contract. */
import { CPU, ENERGY, GPU } from '../core/ledger/units.ts';
import type { Unit } from '../core/records.ts';
import type { MadeCredit } from '../ports.ts';
import { moneyOf } from './credit-body.ts';

export interface CreditView {
  readonly id: string;
  readonly connectorId: string;
  readonly vehicleId: string;
  readonly transactionId: string | null;
  readonly pluggedWallMs: number;
  readonly endedWallMs: number;
  readonly cpuMncs: number;
  readonly gpuMncs: number;
  readonly energyMwh: number;
  readonly money: readonly { readonly currency: string; readonly micros: number }[];
  readonly sending: {
    readonly state: string;
    readonly tries: number;
    readonly triedWallMs: number | null;
    readonly code: string | null;
    readonly detail: string | null;
  };
}

export function creditView(id: string, credit: MadeCredit): CreditView {
  const { connectorId, vehicleId, transactionId, pluggedWallMs, ended, sending } = credit;
  const earned = (unit: Unit): number => credit.earned.find((each) => each.unit === unit)?.amount ?? 0;
  return {
    id,
    connectorId,
    vehicleId,
    transactionId: transactionId ?? null,
    pluggedWallMs,
    endedWallMs: ended.wallMs,
    cpuMncs: earned(CPU),
    gpuMncs: earned(GPU),
    energyMwh: earned(ENERGY),
    money: moneyOf(credit),
    sending: {
      state: sending.state,
      tries: sending.tries,
      triedWallMs: sending.triedWallMs ?? null,
      code: sending.code ?? null,
      detail: sending.detail ?? null,
    },
  };
}
