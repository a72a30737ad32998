/** What plausibility remembers of one connector while a vehicle stays. */
import type { ReadingTrack } from './judge-reading.ts';
import type { DoubtedReading } from './port.ts';

export interface Track {
  /** Since when, by us and by the source's own clock; absent: nobody is there. */
  readonly plugged?: { readonly monoMs: number; readonly sourceWallMs?: number };
  readonly energy?: ReadingTrack;
  readonly soc?: ReadingTrack;
  /** The most that was reported in this stay. */
  readonly powerSeenMw?: number;
  /** Doubts of this stay that were said: as `field why`. */
  readonly told: ReadonlySet<string>;
}

export const FREE: Track = { told: new Set() };

/** Which of the doubts are said for the first time; there are as many as fields times reasons at most. */
export function tell(
  told: ReadonlySet<string>,
  doubts: readonly DoubtedReading[],
): { readonly told: ReadonlySet<string>; readonly news: readonly DoubtedReading[] } {
  const news = doubts.filter(({ field, why }) => !told.has(`${field} ${why}`));
  if (news.length === 0) return { told, news };
  return { told: new Set([...told, ...news.map(({ field, why }) => `${field} ${why}`)]), news };
}
