/** Whether a reading goes on from the last that was believed, or from one that was doubted and has since been borne out. */
import type { DoubtedReading } from './port.ts';

export interface Reading {
  readonly value: number;
  readonly monoMs: number;
  readonly sourceWallMs?: number;
}

/** What is known of one quantity. */
export interface ReadingTrack {
  readonly believed: Reading;
  /** What was doubted last, and how many readings after it went on from there. */
  readonly other?: { readonly reading: Reading; readonly agreed: number };
}

export type Fits = (from: Reading, to: Reading) => DoubtedReading['why'] | undefined;

export interface Judged {
  /** Absent: believed, or there was nothing to judge. */
  readonly why?: DoubtedReading['why'] | undefined;
  readonly reading?: ReadingTrack | undefined;
}

/** `agree`: so many readings must go on from a doubted one before it is believed after all. */
export function judgeReading(
  track: ReadingTrack | undefined,
  reading: Reading | undefined,
  fits: Fits,
  agree: number,
): Judged {
  if (reading === undefined) return { reading: track };
  if (track === undefined) return { reading: { believed: reading } };
  const why = fits(track.believed, reading);
  if (why === undefined) return { reading: { believed: reading } };
  const { other } = track;
  const agreed = other !== undefined && fits(other.reading, reading) === undefined ? other.agreed + 1 : 0;
  if (agreed >= agree) return { reading: { believed: reading } };
  return { why, reading: { believed: track.believed, other: { reading, agreed } } };
}
