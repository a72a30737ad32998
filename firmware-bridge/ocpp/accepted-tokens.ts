/** The tokens that a CSMS accepted when they were shown at a pile, before any connector was named; as pseudonyms. */
import { ACCEPTED_MS } from '../accepted-ms.ts';
import type { Credential, Pseudonymize } from '../port.ts';
import { keepNewest } from './keep-newest.ts';
import type { ShownToken } from './pile-message.ts';

const TOKENS_MAX = 32;

export class AcceptedTokens {
  readonly #pseudonymize: Pseudonymize;
  readonly #acceptedWallMs = new Map<string, number>();

  constructor(pseudonymize: Pseudonymize) {
    this.#pseudonymize = pseudonymize;
  }

  accepted({ kind, value }: ShownToken, nowWallMs: number): void {
    keepNewest(this.#acceptedWallMs, TOKENS_MAX);
    this.#acceptedWallMs.set(this.#pseudonymize(kind, value), nowWallMs);
  }

  /** Whom it names; nobody where the CSMS refused it. Where the answer says nothing, what was said when it was shown holds. */
  credentialOf(
    { kind, value }: ShownToken,
    isAccepted: boolean | undefined,
    nowWallMs: number,
  ): Credential | undefined {
    const pseudonym = this.#pseudonymize(kind, value);
    const shownWallMs = this.#acceptedWallMs.get(pseudonym) ?? -Infinity;
    return (isAccepted ?? nowWallMs - shownWallMs <= ACCEPTED_MS) ? { kind, pseudonym } : undefined;
  }
}
