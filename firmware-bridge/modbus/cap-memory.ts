/** Keeps what is ours of a device's cap registers over a restart of the agent: one small JSON file, on disk before the device hears of it. */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { MAY_HOLD_MAX } from './cap-claim.ts';
import type { CapClaim } from './cap-claim.ts';
import type { Place } from './look.ts';

const number = z.int().min(0).max(0xffff_ffff);
const numbers = z.array(number).min(1).max(MAY_HOLD_MAX);
const fileSchema = z.record(
  z.string().max(32),
  z.strictObject({
    before: z.strictObject({ limit: number, fallback: number, seconds: number }),
    mayHold: z.strictObject({ limit: numbers, fallback: numbers, seconds: numbers }),
  }),
);

export class CapMemory {
  readonly #file: string | undefined;
  #claims: ReadonlyMap<string, CapClaim>;

  /** Without a file a restart forgets. One that is damaged knows nothing: what a watchdog says then is another's. */
  constructor(file: string | undefined) {
    this.#file = file;
    this.#claims = file === undefined ? new Map() : load(file);
  }

  of(place: Place): CapClaim | undefined {
    return this.#claims.get(keyOf(place));
  }

  /** Resolves when it is on disk; one call after the other. */
  async keep(place: Place, claim: CapClaim | undefined): Promise<void> {
    const claims = new Map(this.#claims);
    if (claim === undefined) claims.delete(keyOf(place));
    else claims.set(keyOf(place), claim);
    const [before, text] = [textOf(this.#claims), textOf(claims)];
    if (this.#file !== undefined && text !== before) {
      await writeFile(`${this.#file}.new`, text, { mode: 0o600, flush: true });
      await rename(`${this.#file}.new`, this.#file);
    }
    this.#claims = claims;
  }
}

function textOf(claims: ReadonlyMap<string, CapClaim>): string {
  return JSON.stringify(Object.fromEntries(claims));
}

function keyOf({ unit, shift }: Place): string {
  return `${unit} ${shift}`;
}

function load(file: string): Map<string, CapClaim> {
  try {
    return new Map(Object.entries(fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')))));
  } catch {
    return new Map();
  }
}
