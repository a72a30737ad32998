/**
 * Whose are the cards that a device remembers (`lastSeen`): it shows the last one also when its vehicle has left.
 *
 * A card is of the vehicle that is there when it appeared during its stay, or at the free connector a moment before. One that was
 * there at the first look, or when the vehicle before left, is nobody's.
 */
import type { CredentialKind } from '../port.ts';
import type { ReadCredential } from './modbus-story.ts';

/** Between showing a card and plugging in; OCPP 1.6 has `ConnectionTimeOut` for it, mostly of one or two minutes. */
const SHOWN_BEFORE_MS_MAX = 120_000;

interface Kept {
  readonly pseudonym: string;
  /** Of the vehicle that comes, or is there, until then. */
  readonly freshUntilMs: number;
}

export class RememberedCards {
  readonly #kept = new Map<CredentialKind, Kept>();
  #hasLooked = false;

  /** Nobody is there, as at the look before. */
  free(credentials: readonly ReadCredential[], nowMs: number): void {
    for (const { kind, pseudonym, lastSeen } of credentials) {
      if (!lastSeen || this.#kept.get(kind)?.pseudonym === pseudonym) continue;
      this.#kept.set(kind, { pseudonym, freshUntilMs: nowMs + SHOWN_BEFORE_MS_MAX });
    }
  }

  /** A vehicle left, or nobody was there at the first look. */
  left(credentials: readonly ReadCredential[]): void {
    this.#hasLooked = true;
    this.#kept.clear();
    for (const { kind, pseudonym, lastSeen } of credentials) {
      if (lastSeen) this.#kept.set(kind, { pseudonym, freshUntilMs: -Infinity });
    }
  }

  /** A vehicle is there that was not, or that the first look found. */
  came(credentials: readonly ReadCredential[]): void {
    if (!this.#hasLooked) this.left(credentials);
  }

  /** Told of the vehicle that is there. */
  told({ kind, pseudonym }: ReadCredential): void {
    this.#kept.set(kind, { pseudonym, freshUntilMs: Infinity });
  }

  isOfAnother({ kind, pseudonym, lastSeen }: ReadCredential, nowMs: number): boolean {
    const kept = this.#kept.get(kind);
    return lastSeen && kept !== undefined && kept.pseudonym === pseudonym && nowMs > kept.freshUntilMs;
  }

  /** Anything may have happened meanwhile. */
  forget(): void {
    this.#kept.clear();
    this.#hasLooked = false;
  }
}
