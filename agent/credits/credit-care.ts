/** The credit records of a running agent as others may see them: signed, for the back office and for an operator. */
import type { Pseudonymize, SignedRecord } from '@plugpool/firmware-bridge';
import { openLedgerKey, type LedgerKey } from '../adapters/ledger-key.ts';
import type { CreditId } from '../core/records.ts';
import type { CreditPage, MadeCredit, Store } from '../ports.ts';
import { creditView, type CreditView } from './credit-view.ts';
import { creditBody, creditId } from './credit-body.ts';

export interface CreditCareParts {
  readonly store: Pick<Store, 'credit' | 'creditsAfter'>;
  readonly dataDir: string;
  readonly station: string;
  readonly pseudonymize: Pseudonymize;
}

export interface SignedPage {
  readonly credits: readonly { readonly view: CreditView; readonly signed: SignedRecord }[];
  readonly next?: number;
}

export class CreditCare {
  readonly #parts: CreditCareParts;
  #key: LedgerKey | undefined;

  constructor(parts: CreditCareParts) {
    this.#parts = parts;
  }

  /** Undefined: there is none. Rejects with a `StoreError`. */
  async signed(id: CreditId): Promise<SignedRecord | undefined> {
    const credit = await this.#parts.store.credit(id);
    return credit && this.#sign(credit);
  }

  async page(after: number, fromWallMs: number, toWallMs: number): Promise<SignedPage> {
    const { credits, next }: CreditPage = await this.#parts.store.creditsAfter(after, fromWallMs, toWallMs);
    const found = credits.map((credit) => {
      const signed = this.#sign(credit);
      return { view: creditView(signed.id, credit), signed };
    });
    return next === undefined ? { credits: found } : { credits: found, next };
  }

  /** Ed25519 gives the same signature for the same text each time: nothing has to be kept. */
  #sign(credit: MadeCredit): SignedRecord {
    const { station } = this.#parts;
    const key = (this.#key ??= openLedgerKey(this.#parts.dataDir));
    const pseudonymOf = (vehicleId: string): string => this.#pseudonymOf(vehicleId);
    const body = creditBody(credit, { station, publicKey: key.publicKey, pseudonymOf });
    return { id: creditId(station, credit), body, signature: key.sign(Buffer.from(body)) };
  }

  /** Under the salt of the pile, apart from whatever a card could hold; in hexadecimal, since ids tell cases apart. */
  #pseudonymOf(vehicleId: string): string {
    return this.#parts.pseudonymize('idToken', `plugpool vehicle ${Buffer.from(vehicleId).toString('hex')}`);
  }
}
