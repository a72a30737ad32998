/** The last look at an event before the decisions see it: what is absurd in it is left out, and said. */
import { DURATION_MS_MAX, TEXT_BYTES_MAX } from '@plugpool/proto';
import { isConnectorId } from './connector-id.ts';
import type {
  Credential,
  CredentialKind,
  DoubtedReading,
  FirmwareEvent,
  FirmwareEventKind,
  IdentityAssurance,
  SampleTime,
} from './port.ts';
import { isVehicleId } from './vehicle-id.ts';

/** `event` is what may go on, absent where nothing of it can; each problem names the field and its value. */
export interface CheckedFirmwareEvent {
  readonly event?: FirmwareEvent;
  readonly problems: readonly string[];
}

export const EVENT_KINDS: Readonly<Record<FirmwareEventKind, true>> = {
  plugged: true,
  transactionStarted: true,
  chargingStarted: true,
  suspended: true,
  chargingStopped: true,
  transactionEnded: true,
  unplugged: true,
  meter: true,
  evInfo: true,
  credential: true,
  identity: true,
  faulted: true,
  linkLost: true,
  linkUp: true,
};

const ASSURANCES: Readonly<Record<IdentityAssurance, true>> = {
  claimed: true,
  presence: true,
  mac: true,
  vin: true,
  code: true,
  token: true,
  operator: true,
  certificate: true,
};

const CREDENTIALS: Readonly<Record<CredentialKind, true>> = {
  idToken: true,
  evccid: true,
  vin: true,
  emaid: true,
};
const PSEUDONYM_PATTERN = /^[0-9a-f]{32}$/;

const DOUBTED_FIELDS: Readonly<Record<DoubtedReading['field'], true>> = {
  powerMw: true,
  energyMwh: true,
  socPermille: true,
  estimatedFullInMs: true,
  departureInMs: true,
};
const WHYS: Readonly<Record<DoubtedReading['why'], true>> = {
  outOfRange: true,
  ranBackwards: true,
  jumped: true,
  exceedsPower: true,
  beforeSession: true,
};
/** The last time that a date can hold. */
const WALL_MS_MAX = 8.64e15;
/** One for each field. */
const DOUBTS_MAX = 5;

const BY: ReadonlySet<string> = new Set(['EV', 'EVSE']);

/** OCPP 2.0.1 ids have at most 36 characters; the others that we know have fewer than this. */
const TRANSACTION_ID_CHARS_MAX = 64;
/** 10 MW: several times what any vehicle draws. */
const POWER_MW_MAX = 10e9;
/** 1 TWh: no meter's life holds more. */
const ENERGY_MWH_MAX = 1e15;

/**
 * Fields that cannot be true (NaN, negative, SoC above 1000 …) are left out and what remains goes on; an event whose
 * connector, time or kind is wrong is dropped whole. Never throws: what firmware says must not stop the agent.
 */
export function checkFirmwareEvent(event: FirmwareEvent): CheckedFirmwareEvent {
  const problems: string[] = [];
  if (!Object.hasOwn(EVENT_KINDS, event.kind))
    return { problems: [`kind ${shown(event.kind)} is not known`] };
  if (typeof event.connectorId !== 'string' || !isConnectorId(event.connectorId)) {
    return { problems: [`connectorId ${shown(event.connectorId)} is not station/evse/connector`] };
  }
  const times = event.at as SampleTime | undefined;
  if (times === undefined || !isWallMs(times.receivedWallMs)) {
    return { problems: [`at.receivedWallMs ${shown(times?.receivedWallMs)} is not a time`] };
  }
  const at = checkedTimes(times, problems);
  const checked = checkDetails({ ...event, at }, problems);
  return checked === undefined ? { problems } : { event: checked, problems };
}

function checkedTimes(at: SampleTime, problems: string[]): SampleTime {
  if (at.sourceWallMs === undefined || isWallMs(at.sourceWallMs)) return at;
  problems.push(`at.sourceWallMs ${shown(at.sourceWallMs)} is not a time`);
  return { receivedWallMs: at.receivedWallMs };
}

function checkDetails(event: FirmwareEvent, problems: string[]): FirmwareEvent | undefined {
  switch (event.kind) {
    case 'meter': {
      const { powerMw, energyMwh, doubted, ...rest } = event;
      const doubts = checkedDoubts(doubted, problems);
      const look = { problems, doubts };
      const numbers = {
        ...within('powerMw', powerMw, POWER_MW_MAX, look),
        ...within('energyMwh', energyMwh, ENERGY_MWH_MAX, look),
      };
      return { ...rest, ...numbers, ...(doubts.length === 0 ? {} : { doubted: doubts }) };
    }
    case 'evInfo': {
      const { socPermille, estimatedFullInMs, departureInMs, doubted, ...rest } = event;
      const doubts = checkedDoubts(doubted, problems);
      const look = { problems, doubts };
      const numbers = {
        ...within('socPermille', socPermille, 1000, look),
        ...within('estimatedFullInMs', estimatedFullInMs, DURATION_MS_MAX, look),
        // The port's rule: 0 or "now" is how firmware says that it does not know.
        ...(departureInMs === 0 ? {} : within('departureInMs', departureInMs, DURATION_MS_MAX, look)),
      };
      return { ...rest, ...numbers, ...(doubts.length === 0 ? {} : { doubted: doubts }) };
    }
    case 'identity':
      if (
        typeof event.vehicleId === 'string' &&
        isVehicleId(event.vehicleId) &&
        Object.hasOwn(ASSURANCES, event.assurance)
      ) {
        return event;
      }
      problems.push(
        `identity ${shown(event.vehicleId)} by ${shown(event.assurance)} is not a vehicle id with an assurance`,
      );
      return undefined;
    case 'credential':
      if (isCredential(event.credential)) return event;
      problems.push(
        `credential ${shown((event.credential as Credential | undefined)?.kind)} is not a kind with a pseudonym`,
      );
      return undefined;
    case 'transactionStarted':
    case 'transactionEnded':
      if (isTransactionId(event.transactionId)) return event;
      problems.push(
        `transactionId ${shown(event.transactionId)} has not 1 to ${TRANSACTION_ID_CHARS_MAX} characters`,
      );
      return undefined;
    case 'suspended':
      if (BY.has(event.by)) return event;
      problems.push(`suspended by ${shown(event.by)} is neither EV nor EVSE`);
      return undefined;
    case 'faulted':
    case 'linkLost':
      return { ...event, reason: String(event.reason).slice(0, TEXT_BYTES_MAX / 4) };
    default:
      return event;
  }
}

interface Look {
  readonly problems: string[];
  readonly doubts: DoubtedReading[];
}

/** `{ [name]: value }` where the value can be true, `{}` where it is absent or absurd; an absurd number is told as doubted. */
function within<Name extends DoubtedReading['field']>(
  name: Name,
  value: number | undefined,
  max: number,
  { problems, doubts }: Look,
): { [Key in Name]?: number } {
  if (value === undefined) return {};
  if (typeof value === 'number' && value >= 0 && value <= max)
    return { [name]: value } as { [Key in Name]: number };
  if (Number.isFinite(value)) doubts.push({ field: name, value, why: 'outOfRange' });
  else problems.push(`${name} ${shown(value)} is no number`);
  return {};
}

/** What the adapter doubts itself. */
function checkedDoubts(doubted: unknown, problems: string[]): DoubtedReading[] {
  if (doubted === undefined) return [];
  const all: readonly unknown[] = Array.isArray(doubted) ? doubted : [doubted];
  const kept = all.slice(0, DOUBTS_MAX).filter(isDoubt);
  if (kept.length < all.length) problems.push('doubted holds what is no doubted reading');
  return kept;
}

function isDoubt(value: unknown): value is DoubtedReading {
  const { field, value: read, why } = (value ?? {}) as Partial<DoubtedReading>;
  return (
    typeof field === 'string' &&
    Object.hasOwn(DOUBTED_FIELDS, field) &&
    typeof why === 'string' &&
    Object.hasOwn(WHYS, why) &&
    typeof read === 'number' &&
    Number.isFinite(read)
  );
}

function isWallMs(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= WALL_MS_MAX;
}

/** A pseudonym, and nothing that could be the value itself: a VIN has 17 characters, a MAC address 12 digits. */
function isCredential(value: unknown): value is Credential {
  const { kind, pseudonym } = (value ?? {}) as Partial<Credential>;
  return (
    typeof kind === 'string' &&
    Object.hasOwn(CREDENTIALS, kind) &&
    typeof pseudonym === 'string' &&
    PSEUDONYM_PATTERN.test(pseudonym)
  );
}

function isTransactionId(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= TRANSACTION_ID_CHARS_MAX;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}
