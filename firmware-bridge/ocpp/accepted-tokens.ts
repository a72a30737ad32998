/** The tokens that a CSMS accepted when they were shown at a pile, before any connector was named; as pseudonyms. */
import { ACCEPTED_MS } from '../accepted-ms.ts';
import type { Credential, Pseudonymize } from '../port.ts';
import { keepNewest } from './keep-newest.ts';
import type { ShownToken } from './pile-message.ts';

const TOKENS_MAX = 32;

const NEVER = { isProven: false, wallMs: -Infinity };

export class AcceptedTokens {
  readonly #pseudonymize: Pseudonymize;
  readonly #accepted = new Map<string, { readonly isProven: boolean; readonly wallMs: number }>();

  constructor(pseudonymize: Pseudonymize) {
    this.#pseudonymize = pseudonymize;
  }

  /** `isProven`: with a certificate that holds. */
  accepted({ kind, value }: ShownToken, isProven: boolean, nowWallMs: number): void {
    keepNewest(this.#accepted, TOKENS_MAX);
    this.#accepted.set(this.#pseudonymize(kind, value), { isProven, wallMs: nowWallMs });
  }

  /** Whom it names; nobody where the CSMS refused it. Where the answer says nothing, what was said when it was shown holds. */
  credentialOf(
    { kind, value }: ShownToken,
    isAccepted: boolean | undefined,
    nowWallMs: number,
  ): Credential | undefined {
    const pseudonym = this.#pseudonymize(kind, value);
    const { isProven, wallMs } = this.#accepted.get(pseudonym) ?? NEVER;
    const isFresh = nowWallMs - wallMs <= ACCEPTED_MS;
    if (!(isAccepted ?? isFresh)) return undefined;
    // A contract's number is text that an app or a back office can send as well: only its certificate makes it the car's.
    if (kind !== 'emaid' || (isProven && isFresh)) return { kind, pseudonym };
    return { kind: 'idToken', pseudonym: this.#pseudonymize('idToken', value) };
  }
}
