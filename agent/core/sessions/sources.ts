/**
 * Who speaks of a connector, and what they vouch for together. Several adapters may: a charger's bus beside the operator's OCPP.
 *
 * The state is what was said last, by whomever; that the vehicle is there is what each source vouches for by itself. A source
 * vouches while its link is up, its last sample is fresh, and it said since its link came up that a vehicle is plugged in. One
 * that says so is enough; one that is as fresh and says that nobody is there speaks against it. What nothing watches (a person,
 * a file) counts only where no other source speaks of the connector.
 */
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { Now } from '@plugpool/proto';
import { SOURCES_PER_CONNECTOR_MAX } from '../limits.ts';

export interface FirmwareSource {
  /** One adapter's, among all of this agent. */
  readonly name: string;
  /** 0: it is silent between events by nature. */
  readonly staleAfterMs: number;
  /** Nothing watches the connector between what it says. */
  readonly unwatched?: true;
}

export interface HeardSource extends FirmwareSource {
  /** After `linkUp` still lost, until the connector is stated anew. */
  readonly link: 'up' | 'lost';
  /** Why it was lost, until it is up again. */
  readonly lostReason?: string;
  readonly heardMonoMs: number;
  readonly says?: 'plugged' | 'unplugged';
  /** Of what it said last, by its own clock: shown, and nothing more. */
  readonly sourceWallMs?: number;
}

/** After `event` of `source`. What is unplugged for one is unplugged for all: they say it anew. */
export function heardFrom(
  sources: readonly HeardSource[],
  event: FirmwareEvent,
  source: FirmwareSource,
  now: Now,
): readonly HeardSource[] {
  const at = sources.findIndex(({ name }) => name === source.name);
  const after = afterEvent(sources[at], event, source, now);
  if (at === 0 && sources.length === 1) return [after];
  const others = event.kind === 'unplugged' ? sources.map(emptied) : sources;
  if (at >= 0) return others.with(at, after);
  return others.length < SOURCES_PER_CONNECTOR_MAX ? [...others, after] : others;
}

function emptied(source: HeardSource): HeardSource {
  return source.says === 'plugged' ? { ...source, says: 'unplugged' } : source;
}

function afterEvent(
  before: HeardSource | undefined,
  event: FirmwareEvent,
  source: FirmwareSource,
  now: Now,
): HeardSource {
  const unheard = { ...source, link: 'lost', heardMonoMs: before?.heardMonoMs ?? now.monoMs } as const;
  if (event.kind === 'linkUp') return unheard;
  const says = saidBy(event) ?? before?.says;
  const said = says === undefined ? {} : { says };
  if (event.kind === 'linkLost') return { ...unheard, ...said, lostReason: event.reason };
  const { sourceWallMs } = event.at;
  const own = sourceWallMs === undefined ? {} : { sourceWallMs };
  return { ...source, link: 'up', heardMonoMs: now.monoMs, ...said, ...own };
}

function saidBy(event: FirmwareEvent): HeardSource['says'] {
  switch (event.kind) {
    case 'plugged':
    case 'transactionStarted':
    case 'chargingStarted':
    case 'suspended':
    case 'chargingStopped':
      return 'plugged';
    case 'unplugged':
      return 'unplugged';
    default:
      return undefined;
  }
}

/** Those whose word counts. */
export function watching(sources: readonly HeardSource[]): readonly HeardSource[] {
  if (sources.length === 1) return sources;
  const watched = sources.filter(({ unwatched }) => unwatched !== true);
  return watched.length > 0 ? watched : sources;
}

export function isFresh({ staleAfterMs, heardMonoMs }: HeardSource, now: Now): boolean {
  return staleAfterMs === 0 || now.monoMs - heardMonoMs <= staleAfterMs;
}

export function isLive(source: HeardSource, now: Now): boolean {
  return source.link === 'up' && isFresh(source, now);
}

/** `any`: nothing is claimed of whether a vehicle is there. */
export function isVouchedFor(
  sources: readonly HeardSource[],
  claim: 'plugged' | 'unplugged' | 'any',
  now: Now,
): boolean {
  const live = watching(sources).filter((source) => isLive(source, now));
  if (claim === 'any') return live.length > 0;
  return (
    live.some(({ says }) => says === claim) && live.every(({ says }) => says === undefined || says === claim)
  );
}

/** Every source whose word counts lost its link. */
export function isCutOff(sources: readonly HeardSource[]): boolean {
  return watching(sources).every(({ link }) => link === 'lost');
}

/** None of them was heard within `slackMs` after it should have been. */
export function wereSilent(sources: readonly HeardSource[], slackMs: number, now: Now): boolean {
  return watching(sources).every(({ link, staleAfterMs, heardMonoMs }) => {
    const silentMs = now.monoMs - heardMonoMs;
    // A source that is silent between events by nature was not heard only where it said so.
    return (link === 'lost' && silentMs > slackMs) || (staleAfterMs > 0 && silentMs > staleAfterMs + slackMs);
  });
}

/** When the next of them falls silent for too long, if nothing more is heard; undefined where none can. */
export function nextStaleMonoMs(sources: readonly HeardSource[], now: Now): number | undefined {
  let nextMs: number | undefined;
  for (const { link, staleAfterMs, heardMonoMs } of sources) {
    const atMs = heardMonoMs + staleAfterMs + 1;
    if (staleAfterMs === 0 || link === 'lost' || atMs <= now.monoMs) continue;
    nextMs = nextMs === undefined ? atMs : Math.min(nextMs, atMs);
  }
  return nextMs;
}
