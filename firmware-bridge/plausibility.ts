/**
 * Looks at each reading beside the ones before it: one that cannot be true goes into `doubted` with why, and is not believed.
 * Pure, one for each adapter; it stands between the adapter and the agent's decisions, and in the reading of recordings.
 *
 * A register that began anew or jumped is believed again from where it is, as soon as the next reading goes on from there; a state
 * of charge that jumped, when it stayed where it jumped to.
 */
import type { DoubtedReading, FirmwareEvent } from './port.ts';
import { FREE, tell, type Track } from './plausibility-track.ts';
import { judgeReading, type Fits, type Judged, type Reading } from './judge-reading.ts';

export interface PlausibilityOptions {
  /** The most that a connector gives. Default 4 MW, above what any plug does. */
  readonly powerMwMax?: number | undefined;
}

export interface Plausible {
  readonly event: FirmwareEvent;
  /** What is doubted for the first time in this stay, for the log. */
  readonly news: readonly DoubtedReading[];
}

export const CONNECTOR_POWER_MW_MAX = 4_000_000_000;
/** More than the agent keeps sessions of; a further one is passed on as it is. */
const CONNECTORS_MAX = 10_000;
/** Meters are read to a tenth and nameplates are round. */
const POWER_SLACK = 1.1;
/** Readings are gathered and sent late: so much of the time between two of them may be missing. */
const LATE_MS = 120_000;
/** So much of it may have gone by while frames waited for a link, by the source's own clock, which may be wrong. */
const QUEUED_MS_MAX = 3_600_000;
/** `meterStop` of OCPP 1.6 is whole Wh, beside registers with a fraction. */
const REGISTER_SLACK_MWH = 1_000;
/** Beside a power that was reported, a register may grow so many times as fast: what was drawn between two samples is not seen. */
const REPORTED_POWER_FACTOR = 4;
/** 22 kW: three phases of 32 A, which begin and end between two samples of a slow meter. */
const REPORTED_POWER_MW_MIN = 22_000_000;
/** From empty to full in five minutes, which no car does; and what a battery management corrects by at once. */
const SOC_PERMILLE_PER_MINUTE = 200;
const SOC_SLACK_PERMILLE = 50;
/** What was queued while a link was down comes at once when it is back, some of it from the stay before. */
const EARLIER_STAY_WITHIN_MS = 300_000;
const EARLIER_STAY_SLACK_MS = 5_000;
const EARLIER_STAY_MS_MAX = 86_400_000;
const MS_PER_HOUR = 3_600_000;
const MS_PER_MINUTE = 60_000;
/** A jump of the register is a jump once; a state of charge may be read wrong twice. */
const REGISTER_AGREE = 1;
const SOC_AGREE = 3;

export class Plausibility {
  readonly #powerMwMax: number;
  readonly #tracks = new Map<string, Track>();

  constructor({ powerMwMax }: PlausibilityOptions = {}) {
    this.#powerMwMax = powerMwMax ?? CONNECTOR_POWER_MW_MAX;
  }

  /** `event` was checked (`checkFirmwareEvent`); `monoMs` is when it was received, on a clock that never jumps. */
  judge(event: FirmwareEvent, monoMs: number): Plausible {
    const before = this.#tracks.get(event.connectorId);
    if (before === undefined && this.#tracks.size >= CONNECTORS_MAX) return { event, news: [] };
    const { track, event: judged } = judgeEvent(before ?? FREE, event, monoMs, this.#powerMwMax);
    const { told, news } = tell(track.told, doubtsOf(judged));
    this.#tracks.set(event.connectorId, { ...track, told });
    return { event: judged, news };
  }
}

function doubtsOf(event: FirmwareEvent): readonly DoubtedReading[] {
  return 'doubted' in event ? (event.doubted ?? []) : [];
}

interface JudgedEvent {
  readonly track: Track;
  readonly event: FirmwareEvent;
}

function judgeEvent(track: Track, event: FirmwareEvent, monoMs: number, powerMwMax: number): JudgedEvent {
  switch (event.kind) {
    case 'plugged': {
      if (track.plugged !== undefined) return { track, event };
      const { sourceWallMs } = event.at;
      return {
        track: { ...FREE, plugged: { monoMs, ...(sourceWallMs === undefined ? {} : { sourceWallMs }) } },
        event,
      };
    }
    case 'unplugged':
      return { track: FREE, event };
    case 'meter':
    case 'evInfo':
      if (isOfEarlierStay(track, event, monoMs)) return { track, event: allDoubted(event) };
      return event.kind === 'meter'
        ? judgeMeter(track, event, monoMs, powerMwMax)
        : judgeEvInfo(track, event, monoMs);
    default:
      return { track, event };
  }
}

type MeterEvent = Extract<FirmwareEvent, { kind: 'meter' }>;
type EvInfoEvent = Extract<FirmwareEvent, { kind: 'evInfo' }>;

/** By the source's own clock alone, and only where that was not set meanwhile by all we can tell. */
function isOfEarlierStay({ plugged }: Track, { at }: FirmwareEvent, monoMs: number): boolean {
  if (plugged?.sourceWallMs === undefined || at.sourceWallMs === undefined) return false;
  if (monoMs - plugged.monoMs > EARLIER_STAY_WITHIN_MS) return false;
  const earlierMs = plugged.sourceWallMs - at.sourceWallMs;
  return earlierMs > EARLIER_STAY_SLACK_MS && earlierMs < EARLIER_STAY_MS_MAX;
}

function allDoubted(event: MeterEvent | EvInfoEvent): FirmwareEvent {
  const why = 'beforeSession';
  if (event.kind === 'meter') {
    const { powerMw, energyMwh, doubted = [], ...rest } = event;
    return withDoubts(rest, [
      ...doubted,
      ...doubt('powerMw', powerMw, why),
      ...doubt('energyMwh', energyMwh, why),
    ]);
  }
  const { socPermille, estimatedFullInMs, departureInMs, doubted = [], ...rest } = event;
  return withDoubts(rest, [
    ...doubted,
    ...doubt('socPermille', socPermille, why),
    ...doubt('estimatedFullInMs', estimatedFullInMs, why),
    ...doubt('departureInMs', departureInMs, why),
  ]);
}

function judgeMeter(track: Track, event: MeterEvent, monoMs: number, powerMwMax: number): JudgedEvent {
  const { powerMw, energyMwh, doubted = [], ...rest } = event;
  const isTooMuch = powerMw !== undefined && powerMw > powerMwMax * POWER_SLACK;
  const power = powerMw === undefined || isTooMuch ? {} : { powerMw };
  const powerSeenMw =
    power.powerMw === undefined ? track.powerSeenMw : Math.max(track.powerSeenMw ?? 0, power.powerMw);
  const reading = readingOf(energyMwh, event, monoMs);
  const energy = judgeReading(track.energy, reading, registerFits(powerSeenMw, powerMwMax), REGISTER_AGREE);
  return {
    track: { ...track, ...keptPower(powerSeenMw), ...kept('energy', energy) },
    event: withDoubts({ ...rest, ...power, ...believed('energyMwh', energyMwh, energy) }, [
      ...doubted,
      ...doubt('powerMw', isTooMuch ? powerMw : undefined, 'exceedsPower'),
      ...doubt('energyMwh', energyMwh, energy.why),
    ]),
  };
}

function judgeEvInfo(track: Track, event: EvInfoEvent, monoMs: number): JudgedEvent {
  const { socPermille, doubted = [], ...rest } = event;
  const soc = judgeReading(track.soc, readingOf(socPermille, event, monoMs), socFits, SOC_AGREE);
  return {
    track: { ...track, ...kept('soc', soc) },
    event: withDoubts({ ...rest, ...believed('socPermille', socPermille, soc) }, [
      ...doubted,
      ...doubt('socPermille', socPermille, soc.why),
    ]),
  };
}

function readingOf(value: number | undefined, { at }: FirmwareEvent, monoMs: number): Reading | undefined {
  if (value === undefined) return undefined;
  return { value, monoMs, ...(at.sourceWallMs === undefined ? {} : { sourceWallMs: at.sourceWallMs }) };
}

/** Since it was received, or, where it waited for a link, by the source's own clock. */
function elapsedMs(from: Reading, to: Reading): number {
  const receivedMs = to.monoMs - from.monoMs;
  if (from.sourceWallMs === undefined || to.sourceWallMs === undefined) return receivedMs;
  return Math.max(receivedMs, Math.min(to.sourceWallMs - from.sourceWallMs, QUEUED_MS_MAX));
}

/** Energy against power and time: of what the connector gives, and of what was reported. */
function registerFits(powerSeenMw: number | undefined, powerMwMax: number): Fits {
  const reportedMw =
    powerSeenMw === undefined
      ? Infinity
      : Math.max(REPORTED_POWER_MW_MIN, REPORTED_POWER_FACTOR * powerSeenMw);
  const mostMw = Math.min(powerMwMax * POWER_SLACK, reportedMw);
  return (from, to) => {
    const grewMwh = to.value - from.value;
    if (grewMwh < -REGISTER_SLACK_MWH) return 'ranBackwards';
    const mostMwh = ((elapsedMs(from, to) + LATE_MS) * mostMw) / MS_PER_HOUR;
    return grewMwh > mostMwh ? 'exceedsPower' : undefined;
  };
}

const socFits: Fits = (from, to) => {
  const mostPermille = SOC_SLACK_PERMILLE + (SOC_PERMILLE_PER_MINUTE * elapsedMs(from, to)) / MS_PER_MINUTE;
  return Math.abs(to.value - from.value) > mostPermille ? 'jumped' : undefined;
};

function keptPower(powerSeenMw: number | undefined): Pick<Track, 'powerSeenMw'> {
  return powerSeenMw === undefined ? {} : { powerSeenMw };
}

function kept<Field extends 'energy' | 'soc'>(field: Field, { reading }: Judged): Pick<Track, Field> {
  return (reading === undefined ? {} : { [field]: reading }) as Pick<Track, Field>;
}

function believed<Field extends string>(
  field: Field,
  value: number | undefined,
  { why }: Judged,
): { readonly [Key in Field]?: number } {
  return value === undefined || why !== undefined ? {} : ({ [field]: value } as { [Key in Field]: number });
}

function doubt(
  field: DoubtedReading['field'],
  value: number | undefined,
  why: DoubtedReading['why'] | undefined,
): readonly DoubtedReading[] {
  return value === undefined || why === undefined ? [] : [{ field, value, why }];
}

function withDoubts<Event extends MeterEvent | EvInfoEvent>(
  event: Omit<Event, 'doubted'>,
  doubted: readonly DoubtedReading[],
): Event {
  return (doubted.length === 0 ? event : { ...event, doubted }) as Event;
}
