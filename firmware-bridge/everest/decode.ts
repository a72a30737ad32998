/**
 * Bytes that EVerest published become what the story is told of, or are refused with a reason.
 *
 * What breaks the API's schema is refused by the field: an optional one is left out, without a required one nothing is left.
 * Who was shown leaves this file as a pseudonym.
 */
import { z } from 'zod';
import type { Credential, Pseudonymize } from '../port.ts';
import { PAYLOAD_BYTES_MAX, SIGNED_CHARS_MAX } from './limits.ts';
import { readLeniently, type BrokenField } from './lenient.ts';
import { credentialOf, providedToken } from './token.ts';

export const EVSE_STATES = [
  'Unknown',
  'Unplugged',
  'Disabled',
  'Preparing',
  'Reserved',
  'AuthRequired',
  'ChargingPausedEV',
  'ChargingPausedEVSE',
  'Charging',
  'AuthTimeout',
  'Finished',
  'FinishedEVSE',
  'FinishedEV',
] as const;
export type EvseState = (typeof EVSE_STATES)[number];

export const SESSION_EVENTS = [
  'Authorized',
  'Deauthorized',
  'Enabled',
  'Disabled',
  'SessionStarted',
  'AuthRequired',
  'TransactionStarted',
  'PrepareCharging',
  'ChargingStarted',
  'ChargingPausedEV',
  'ChargingPausedEVSE',
  'StoppingCharging',
  'ChargingFinished',
  'TransactionFinished',
  'SessionFinished',
  'ReservationStart',
  'ReservationEnd',
  'PluginTimeout',
  'SwitchingPhases',
  'SessionResumed',
] as const;
export type SessionEventName = (typeof SESSION_EVENTS)[number];

/** Times are EVerest's own clock, ms since 1970. */
export type EverestMessage =
  | {
      readonly name: 'session_info';
      readonly state: EvseState;
      readonly atWallMs: number;
      /** Said only while there is one. */
      readonly inTransaction: boolean;
      /** Tells one session from another. */
      readonly sessionStartWallMs?: number;
    }
  | {
      readonly name: 'session_event';
      readonly event: SessionEventName;
      readonly uuid: string;
      readonly atWallMs: number;
      /** Of `SessionStarted`. */
      readonly startedBy?: 'EVConnected' | 'Authorized';
      /** Of `TransactionFinished`. */
      readonly finishedBy?: string;
      /** What the session or transaction was started with. */
      readonly credential?: Credential;
      readonly meter?: MeterReading;
    }
  | {
      readonly name: 'ev_info';
      readonly socPermille?: number;
      readonly fullAtWallMs?: number;
      readonly departureAtWallMs?: number;
      readonly evccid?: Credential;
    }
  | ({ readonly name: 'powermeter' } & MeterReading)
  | { readonly name: 'heartbeat'; readonly id: number }
  | { readonly name: 'hw_capabilities'; readonly minimumMw: number }
  | { readonly name: 'get_evse'; readonly evseId: number }
  | { readonly name: 'evse_id'; readonly evse: string }
  | {
      readonly name: 'token_validation_status';
      readonly token: TokenUse;
      readonly credential?: Credential;
      /** EVerest's numbers of the EVSEs where it may be used; empty: any. */
      readonly evseIds: readonly number[];
    };

/**
 * What became of a token. `pending`: also one that is accepted, of which EVerest has yet to choose the EVSE, and may refuse it
 * there for a reservation. `over`: it stands for no vehicle that comes.
 */
export type TokenUse = 'pending' | 'used' | 'over';

export interface MeterReading {
  readonly atWallMs: number;
  /** Absent while power flows to the grid. */
  readonly powerMw?: number;
  readonly energyMwh: number;
  readonly ocmf?: string;
}

/** What was wrong, without the value: it may name somebody. */
export interface DecodeProblem {
  /** One of those that we read. */
  readonly message: string;
  readonly field: string;
  readonly why: string;
}

export interface Decoded {
  readonly message?: EverestMessage;
  readonly problems: readonly DecodeProblem[];
}

const rfc3339 = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const signedValue = z.object({
  signed_meter_data: z.string().max(SIGNED_CHARS_MAX),
  signing_method: z.string(),
  encoding_method: z.string(),
});

const powermeter = z.object({
  timestamp: rfc3339,
  energy_Wh_import: z.object({ total: z.number() }),
  power_W: z.object({ total: z.number() }).optional(),
  signed_meter_value: signedValue.optional(),
});

const sessionInfo = z.object({
  state: z.enum(EVSE_STATES),
  timestamp: rfc3339,
  transaction_duration_s: z.int().min(0).optional(),
  session_start_time: rfc3339.optional(),
});

const started = z.object({ meter_value: powermeter, id_tag: providedToken.optional() });

const sessionEvent = z.object({
  uuid: z.string().min(1).max(64),
  timestamp: rfc3339,
  event: z.enum(SESSION_EVENTS),
  session_started: started.extend({ reason: z.enum(['EVConnected', 'Authorized']) }).optional(),
  transaction_started: started.extend({ signed_meter_value: signedValue.optional() }).optional(),
  transaction_finished: z
    .object({
      meter_value: powermeter,
      reason: z.string().max(64).optional(),
      signed_meter_value: signedValue.optional(),
    })
    .optional(),
  session_finished: z.object({ meter_value: powermeter }).optional(),
  charging_state_changed_event: z.object({ meter_value: powermeter }).optional(),
});

const evInfo = z.object({
  soc: z.number().min(0).max(100).optional(),
  estimated_time_full: rfc3339.optional(),
  departure_time: rfc3339.optional(),
  evcc_id: z
    .string()
    .regex(/^[A-Fa-f0-9]{2}(:[A-Fa-f0-9]{2}){5}$/)
    .optional(),
});

const hwCapabilities = z.object({
  min_current_A_import: z.number(),
  min_phase_count_import: z.int().min(1).max(3),
});

const evse = z.object({ id: z.int().min(1).max(128) });

const TOKEN_USES = {
  Processing: 'pending',
  Accepted: 'pending',
  UsedToStart: 'used',
  Rejected: 'over',
  TimedOut: 'over',
  UsedToStop: 'over',
  Withdrawn: 'over',
} as const satisfies Readonly<Record<string, TokenUse>>;

const tokenStatus = z.object({
  status: z.enum(Object.keys(TOKEN_USES) as (keyof typeof TOKEN_USES)[]),
  token: providedToken,
});

const heartbeat = z.number();

/** A phase of the grid; the least that an AC vehicle charges with is reckoned by it. */
const PHASE_V = 230;

type Decode = (
  json: unknown,
  problems: BrokenField[],
  pseudonymize: Pseudonymize,
) => EverestMessage | undefined;

const DECODERS: Readonly<Record<EverestMessage['name'], Decode>> = {
  session_info(json, problems) {
    const read = readLeniently(sessionInfo, json, problems);
    if (read === undefined) return undefined;
    const start = read.session_start_time;
    return {
      name: 'session_info',
      state: read.state,
      atWallMs: read.timestamp,
      inTransaction: read.transaction_duration_s !== undefined,
      ...(start === undefined ? {} : { sessionStartWallMs: start }),
    };
  },
  session_event(json, problems, pseudonymize) {
    const read = readLeniently(sessionEvent, json, problems);
    return read === undefined ? undefined : sessionEventOf(read, pseudonymize);
  },
  ev_info(json, problems, pseudonymize) {
    const read = readLeniently(evInfo, json, problems);
    if (read === undefined) return undefined;
    const { soc, estimated_time_full: full, departure_time: departure, evcc_id: mac } = read;
    return {
      name: 'ev_info',
      ...(soc === undefined ? {} : { socPermille: Math.round(soc * 10) }),
      ...(full === undefined ? {} : { fullAtWallMs: full }),
      ...(departure === undefined ? {} : { departureAtWallMs: departure }),
      ...(mac === undefined ? {} : { evccid: { kind: 'evccid', pseudonym: pseudonymize('evccid', mac) } }),
    };
  },
  powermeter(json, problems) {
    const read = readLeniently(powermeter, json, problems);
    return read === undefined ? undefined : { name: 'powermeter', ...readingOf(read) };
  },
  heartbeat(json, problems) {
    const id = readLeniently(heartbeat, json, problems);
    return id === undefined ? undefined : { name: 'heartbeat', id };
  },
  hw_capabilities(json, problems) {
    const read = readLeniently(hwCapabilities, json, problems);
    if (read === undefined) return undefined;
    const minimumW = Math.max(0, read.min_current_A_import) * read.min_phase_count_import * PHASE_V;
    return { name: 'hw_capabilities', minimumMw: milli(minimumW) };
  },
  get_evse(json, problems) {
    const read = readLeniently(evse, json, problems);
    return read === undefined ? undefined : { name: 'get_evse', evseId: read.id };
  },
  evse_id(json, problems) {
    const evse = readLeniently(z.string(), json, problems);
    return evse === undefined ? undefined : { name: 'evse_id', evse };
  },
  token_validation_status(json, problems, pseudonymize) {
    const read = readLeniently(tokenStatus, json, problems);
    if (read === undefined) return undefined;
    const credential = credentialOf(read.token, pseudonymize);
    return {
      name: 'token_validation_status',
      token: TOKEN_USES[read.status],
      evseIds: read.token.connectors ?? [],
      ...(credential === undefined ? {} : { credential }),
    };
  },
};

/** Never throws. A name that we do not read gives neither a message nor a problem. */
export function decodeEverest(
  name: string,
  payload: Uint8Array | string,
  pseudonymize: Pseudonymize,
): Decoded {
  if (!Object.hasOwn(DECODERS, name)) return { problems: [] };
  const refused = (why: string): Decoded => ({ problems: [{ message: name, field: '', why }] });
  if (payload.length > PAYLOAD_BYTES_MAX) return refused('too_long');
  let json: unknown;
  try {
    json = JSON.parse(typeof payload === 'string' ? payload : Buffer.from(payload).toString('utf8'));
  } catch {
    return refused('no_json');
  }
  const broken: BrokenField[] = [];
  const message = DECODERS[name as EverestMessage['name']](json, broken, pseudonymize);
  const problems = broken.map((one) => ({ message: name, ...one }));
  return message === undefined ? { problems } : { message, problems };
}

function sessionEventOf(read: z.output<typeof sessionEvent>, pseudonymize: Pseudonymize): EverestMessage {
  const startedWith = read.session_started?.id_tag ?? read.transaction_started?.id_tag;
  const credential = startedWith === undefined ? undefined : credentialOf(startedWith, pseudonymize);
  const meter = meterOf(read);
  const startedBy = read.session_started?.reason;
  const finishedBy = read.transaction_finished?.reason;
  return {
    name: 'session_event',
    event: read.event,
    uuid: read.uuid,
    atWallMs: read.timestamp,
    ...(startedBy === undefined ? {} : { startedBy }),
    ...(finishedBy === undefined ? {} : { finishedBy }),
    ...(credential === undefined ? {} : { credential }),
    ...(meter === undefined ? {} : { meter }),
  };
}

function meterOf(read: z.output<typeof sessionEvent>): MeterReading | undefined {
  const billed = read.transaction_started ?? read.transaction_finished;
  const about = billed ?? read.charging_state_changed_event ?? read.session_started ?? read.session_finished;
  if (about === undefined) return undefined;
  const signed = billed?.signed_meter_value;
  return readingOf({ ...about.meter_value, ...(signed === undefined ? {} : { signed_meter_value: signed }) });
}

function readingOf(read: z.output<typeof powermeter>): MeterReading {
  const powerW = read.power_W?.total;
  const ocmf = ocmfOf(read.signed_meter_value);
  return {
    atWallMs: read.timestamp,
    energyMwh: milli(read.energy_Wh_import.total),
    ...(powerW === undefined || powerW < 0 ? {} : { powerMw: milli(powerW) }),
    ...(ocmf === undefined ? {} : { ocmf }),
  };
}

/** A number that is absurd stays so, and stays a number. */
function milli(value: number): number {
  const max = Number.MAX_SAFE_INTEGER;
  return Math.max(-max, Math.min(max, Math.round(value * 1000)));
}

/** A record of the Open Charge Metering Format begins with its name; what is signed otherwise is not passed on. */
function ocmfOf(signed: z.output<typeof signedValue> | undefined): string | undefined {
  return signed?.signed_meter_data.startsWith('OCMF|') === true ? signed.signed_meter_data : undefined;
}
