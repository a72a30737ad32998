/** What an operator does with the ledger of a running agent: prove it, sign its head, settle what accrued. */
import { openLedgerKey, type LedgerKey } from './adapters/ledger-key.ts';
import type { OperatorAnswer, OperatorCommand } from './core/events.ts';
import type { Clock, LedgerFinding, LedgerVerdict, Store } from './ports.ts';
import { isSigned, signHead, type SignedHead } from './signed-head.ts';

export interface LedgerCareParts {
  readonly store: Pick<Store, 'ledger' | 'ledgerHead' | 'verifyLedger'>;
  readonly clock: Clock;
  readonly dataDir: string;
  readonly station: string;
  operate(command: OperatorCommand): Promise<OperatorAnswer>;
}

export class LedgerCare {
  readonly #parts: LedgerCareParts;
  #key: LedgerKey | undefined;
  #settling: Promise<OperatorAnswer> | undefined;

  constructor(parts: LedgerCareParts) {
    this.#parts = parts;
  }

  async head(): Promise<SignedHead> {
    const { store, station, clock } = this.#parts;
    return signHead(await store.ledgerHead(), station, Math.floor(clock.now().wallMs), this.#openKey());
  }

  /** Rejects with a `StoreError`. */
  async verify(known: SignedHead | undefined): Promise<LedgerVerdict> {
    const verdict = await this.#parts.store.verifyLedger(known);
    const wrong = known === undefined ? [] : this.#ofHead(known);
    return { ...verdict, findings: [...wrong, ...verdict.findings] };
  }

  #ofHead(known: SignedHead): LedgerFinding[] {
    const findings = signatureFindings(known);
    if (findings.length === 0 && known.publicKey !== this.#openKey().publicKey)
      findings.push({
        code: 'other_key',
        booking: null,
        detail: `the exported head of ${known.station} is signed with another key than this pile's`,
      });
    return findings;
  }

  /** Two at once would settle the same twice: the second is answered with the first. */
  settle(): Promise<OperatorAnswer> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settle(): Promise<OperatorAnswer> {
    const { balances } = await this.#parts.store.ledger();
    return this.#parts.operate({ verb: 'settle', balances });
  }

  #openKey(): LedgerKey {
    return (this.#key ??= openLedgerKey(this.#parts.dataDir));
  }
}

export function signatureFindings(known: SignedHead): LedgerFinding[] {
  if (isSigned(known)) return [];
  const detail = 'the exported head is not what was signed: its signature does not fit it';
  return [{ code: 'head_forged', booking: null, detail }];
}
