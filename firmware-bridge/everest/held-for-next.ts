/** What was heard before it was known that a vehicle is there: said of one that is soon found, and of none that comes later. */
import { ACCEPTED_MS } from '../accepted-ms.ts';
import type { Credential } from '../port.ts';
import type { EverestMessage } from './decode.ts';

type EvInfo = Extract<EverestMessage, { name: 'ev_info' }>;

interface Held<T> {
  readonly what: T;
  readonly sinceMonoMs: number;
}

export class HeldForNext {
  /** By kind: the later card is the one that counts. */
  readonly #credentials = new Map<string, Held<Credential>>();
  #evInfo: Held<EvInfo> | undefined;

  hold(credential: Credential, nowMonoMs: number): void {
    this.#credentials.set(credential.kind, { what: credential, sinceMonoMs: nowMonoMs });
  }

  holdInfo(info: EvInfo, nowMonoMs: number): void {
    this.#evInfo = { what: info, sinceMonoMs: nowMonoMs };
  }

  /** Shown, and of no use any more; another one of its kind stays. */
  drop({ kind, pseudonym }: Credential): void {
    if (this.#credentials.get(kind)?.what.pseudonym === pseudonym) this.#credentials.delete(kind);
  }

  clear(): void {
    this.#credentials.clear();
    this.#evInfo = undefined;
  }

  credentials(nowMonoMs: number): readonly Credential[] {
    return [...this.#credentials.values()].filter(isFreshAt(nowMonoMs)).map(({ what }) => what);
  }

  evInfo(nowMonoMs: number): EvInfo | undefined {
    return this.#evInfo !== undefined && isFreshAt(nowMonoMs)(this.#evInfo) ? this.#evInfo.what : undefined;
  }
}

function isFreshAt(nowMonoMs: number): (held: Held<unknown>) => boolean {
  return ({ sinceMonoMs }) => nowMonoMs - sinceMonoMs <= ACCEPTED_MS;
}
