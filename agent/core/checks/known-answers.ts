/**
 * Questions whose answers the pile knows: from results that owners agreed on, a few of each algorithm and in memory alone, and from
 * the operator, on disk. A donor must not know them by having answered them, or been asked already: with the same input and seed
 * again, it would see what they are.
 */
import type { TaskId } from '@plugpool/proto';
import {
  KNOWN_ANSWER_BYTES_MAX,
  KNOWN_ANSWERS_GIVEN_MAX,
  KNOWN_ANSWERS_KEPT_MAX,
  RUN_TIMES_MAX,
  TRUST_VEHICLES_MAX,
} from '../limits.ts';
import { nextUint32, type Random } from '../random.ts';

export interface KnownAnswer {
  readonly args: readonly string[];
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /** Whose seed it was run with; absent: whatever the seed, it is the answer. */
  readonly seedOf?: TaskId;
  /** Who gave it, and who asked it then. */
  readonly owners: readonly string[];
}

export class KnownAnswers {
  /** By `id@version`. */
  readonly #kept = new Map<string, KnownAnswer[]>();
  readonly #given = new Map<string, KnownAnswer[]>();
  readonly #asked = new WeakMap<KnownAnswer, Set<string>>();

  /** The oldest makes way; what is large is not kept. */
  keep(algorithmKey: string, answer: KnownAnswer): void {
    if (sizeOf(answer) > KNOWN_ANSWER_BYTES_MAX) return;
    const kept = this.#kept.get(algorithmKey) ?? [];
    if (kept.length === 0 && this.#kept.size >= RUN_TIMES_MAX) return;
    kept.push(answer);
    if (kept.length > KNOWN_ANSWERS_KEPT_MAX) kept.shift();
    this.#kept.set(algorithmKey, kept);
  }

  /** Of what owners agreed on, one that another contradicts: which of them lied is not sure enough to ask it once more. */
  doubt(algorithmKey: string, answer: KnownAnswer): void {
    const kept = this.#kept.get(algorithmKey)?.filter((each) => each !== answer);
    if (kept !== undefined) this.#kept.set(algorithmKey, kept);
  }

  /** Of the operator. False: there are too many of that algorithm. */
  give(algorithmKey: string, answer: KnownAnswer): boolean {
    const given = this.#given.get(algorithmKey) ?? [];
    if (given.length >= KNOWN_ANSWERS_GIVEN_MAX) return false;
    this.#given.set(algorithmKey, [...given, answer]);
    return true;
  }

  given(algorithmKey: string): readonly KnownAnswer[] {
    return this.#given.get(algorithmKey) ?? [];
  }

  /** The algorithm is removed. */
  forget(algorithmKey: string): void {
    this.#kept.delete(algorithmKey);
    this.#given.delete(algorithmKey);
  }

  /** A vehicle of that owner was asked it; who was asked longest ago is forgotten first. */
  asked(answer: KnownAnswer, owner: string): void {
    const owners = this.#asked.get(answer) ?? new Set();
    this.#asked.set(answer, owners.add(owner));
    const [oldest] = owners;
    if (owners.size > TRUST_VEHICLES_MAX && oldest !== undefined) owners.delete(oldest);
  }

  /** One that this owner did not give, and was not asked. */
  pick(algorithmKey: string, owner: string, random: Random): KnownAnswer | undefined {
    const known = [...this.given(algorithmKey), ...(this.#kept.get(algorithmKey) ?? [])];
    const foreign = known.filter(
      (answer) => !answer.owners.includes(owner) && this.#asked.get(answer)?.has(owner) !== true,
    );
    return foreign[nextUint32(random) % Math.max(1, foreign.length)];
  }
}

export function sizeOf({ args, input, output }: Pick<KnownAnswer, 'args' | 'input' | 'output'>): number {
  return args.reduce((sum, arg) => sum + arg.length, input.length + output.length);
}
