/** Statements on what `meta` says of the age of the store (pile-age.ts). */
import type { Database } from 'better-sqlite3';
import { PileAge, type Anchor, type MachineTime } from './pile-age.ts';

/** A machine that falls and whose clock is lost forgets no more than this of the time that it was up. */
const WRITE_EVERY_MS = 60_000;

interface AgeRow {
  readonly boot_id: string | null;
  readonly boot_ms: number | null;
  readonly wall_ms: number | null;
  readonly age_ms: number | null;
}

export interface StoreAge {
  ms(): number;
  /** In a transaction that is open. */
  write(): void;
  /** Where the last writing is a while ago: it costs a commit that is made anyway no sync. */
  writeSometimes(): void;
}

export function prepareAge(db: Database, readTime?: () => MachineTime): StoreAge {
  const select = db.prepare<[], AgeRow>('SELECT boot_id, boot_ms, wall_ms, age_ms FROM meta');
  const update = db.prepare('UPDATE meta SET boot_id = ?, boot_ms = ?, wall_ms = ?, age_ms = ?');
  const age = new PileAge(anchorOf(select.get()), readTime);
  let writtenMs = -Infinity;

  const write = (): void => {
    const { bootId, bootMs, wallMs, ageMs } = age.anchor();
    update.run(bootId ?? null, bootMs, wallMs, ageMs);
    writtenMs = ageMs;
  };
  return {
    ms: () => age.ms(),
    write,
    writeSometimes: () => {
      if (age.ms() - writtenMs >= WRITE_EVERY_MS) write();
    },
  };
}

function anchorOf(row: AgeRow | undefined): Anchor | undefined {
  if (row === undefined) return undefined;
  const { boot_id: bootId, boot_ms: bootMs, wall_ms: wallMs, age_ms: ageMs } = row;
  if (bootMs === null || wallMs === null || ageMs === null) return undefined;
  return { bootId: bootId ?? undefined, bootMs, wallMs, ageMs };
}
