/** Keeps who is plugged in over a restart of the agent, as pseudonyms: one small JSON file, replaced whole. */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Acquaintance } from './acquaintance.ts';
import { CREDENTIALS_PER_STAY_MAX, EVSES_MAX } from './limits.ts';
import { MODULE_PATTERN } from './topics.ts';

const credential = z.object({
  kind: z.enum(['idToken', 'evccid', 'vin', 'emaid']),
  pseudonym: z.string().regex(/^[0-9a-f]{32}$/),
});
const acquaintances = z.record(
  z.string().regex(MODULE_PATTERN),
  z.object({
    uuid: z.string().min(1).max(64).optional(),
    sessionStartWallMs: z.number().optional(),
    credentials: z.array(credential).max(CREDENTIALS_PER_STAY_MAX),
  }),
);

/** By module. A file that is not there, or that is damaged, knows nobody: whoever is there is known again at his next plug. */
export function loadAcquaintances(file: string): ReadonlyMap<string, Acquaintance> {
  try {
    const read = acquaintances.parse(JSON.parse(readFileSync(file, 'utf8')));
    return new Map(Object.entries(read).slice(0, EVSES_MAX));
  } catch {
    return new Map();
  }
}

export type Acquaintances = Readonly<Record<string, Acquaintance>>;

/** Writes one after the other, and only what is newest. */
export class AcquaintanceFile {
  readonly #file: string;
  readonly #failed: (error: unknown) => void;
  #written = '';
  #wanted = '';
  #writing: Promise<void> | undefined;

  constructor(file: string, failed: (error: unknown) => void) {
    this.#file = file;
    this.#failed = failed;
  }

  save(known: Acquaintances): void {
    this.#wanted = JSON.stringify(known);
    if (this.#wanted !== this.#written) this.#writing ??= this.#write();
  }

  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      while (this.#written !== this.#wanted) {
        const text = this.#wanted;
        await writeFile(`${this.#file}.new`, text, { mode: 0o600, flush: true });
        await rename(`${this.#file}.new`, this.#file);
        this.#written = text;
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#writing = undefined;
    }
  }
}
