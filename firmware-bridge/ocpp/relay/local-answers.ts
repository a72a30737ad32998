/**
 * What a pile is answered that its operator runs without a CSMS: the least that lets it charge. Pure but for the numbers of
 * transactions, which are given.
 */
import { arrayIn, CALL, CALL_ERROR, CALL_RESULT } from '../frame.ts';
import type { OcppSubprotocol } from '../tap.ts';

export interface LocalDesk {
  readonly heartbeatS: number;
  /** `all`: whoever asks may charge. Upper case: OCPP's tokens do not know the difference. */
  readonly idTokens: 'all' | ReadonlySet<string>;
  /** Durable, never given twice; undefined where none can be kept now. `start` is what a repeated StartTransaction repeats. */
  transactionId(start: string): number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
/** Undefined where the payload lacks what it must have. */
type Answer = (payload: Fields, desk: LocalDesk, nowWallMs: number) => Fields | 'unable' | undefined;

const EMPTY: Answer = () => ({});

const BOTH: Readonly<Record<string, Answer>> = {
  BootNotification: (_, { heartbeatS }, nowWallMs) => {
    return { status: 'Accepted', currentTime: isoTime(nowWallMs), interval: heartbeatS };
  },
  Heartbeat: (_payload, _desk, nowWallMs) => ({ currentTime: isoTime(nowWallMs) }),
  StatusNotification: EMPTY,
  MeterValues: EMPTY,
  DataTransfer: () => ({ status: 'UnknownVendorId' }),
  FirmwareStatusNotification: EMPTY,
  LogStatusNotification: EMPTY,
  SecurityEventNotification: EMPTY,
};

const OCPP_16: Readonly<Record<string, Answer>> = {
  ...BOTH,
  DiagnosticsStatusNotification: EMPTY,
  SignedFirmwareStatusNotification: EMPTY,
  Authorize: ({ idTag }, desk) => {
    return typeof idTag === 'string' ? { idTagInfo: { status: status16(idTag, desk) } } : undefined;
  },
  StartTransaction: ({ connectorId, idTag, timestamp, meterStart }, desk) => {
    if (typeof idTag !== 'string' || typeof connectorId !== 'number') return undefined;
    const transactionId = desk.transactionId(JSON.stringify([connectorId, timestamp, meterStart]));
    if (transactionId === undefined) return 'unable';
    return { transactionId, idTagInfo: { status: status16(idTag, desk) } };
  },
  StopTransaction: ({ idTag }, desk) => {
    return typeof idTag === 'string' ? { idTagInfo: { status: status16(idTag, desk) } } : {};
  },
};

const OCPP_2: Readonly<Record<string, Answer>> = {
  ...BOTH,
  Authorize: ({ idToken }, desk) => {
    const token = tokenOf(idToken);
    return token === undefined ? undefined : { idTokenInfo: { status: status2(token, desk) } };
  },
  TransactionEvent: ({ idToken }, desk) => {
    const token = tokenOf(idToken);
    return token === undefined ? {} : { idTokenInfo: { status: status2(token, desk) } };
  },
  // Nobody here makes a schedule for the vehicle; the pile charges by its own limits.
  NotifyEVChargingNeeds: () => ({ status: 'Rejected' }),
  NotifyEVChargingSchedule: () => ({ status: 'Accepted' }),
  ClearedChargingLimit: EMPTY,
  NotifyChargingLimit: EMPTY,
  NotifyCustomerInformation: EMPTY,
  NotifyDisplayMessages: EMPTY,
  NotifyEvent: EMPTY,
  NotifyMonitoringReport: EMPTY,
  NotifyReport: EMPTY,
  PublishFirmwareStatusNotification: EMPTY,
  ReportChargingProfiles: EMPTY,
  ReservationStatusUpdate: EMPTY,
};

/** The text that answers a text of the pile; undefined where there is nothing to say, as to an answer. */
export function localAnswer(
  text: string,
  subprotocol: OcppSubprotocol,
  desk: LocalDesk,
  nowWallMs: number,
): string | undefined {
  const frame = arrayIn(text);
  if (frame === undefined) return unreadable(subprotocol);
  const [type, id, action, payload] = frame;
  if (type !== CALL) return undefined;
  if (typeof id !== 'string' || typeof action !== 'string') return unreadable(subprotocol);
  const answers = subprotocol === 'ocpp1.6' ? OCPP_16 : OCPP_2;
  if (!Object.hasOwn(answers, action))
    return callError(id, 'NotImplemented', `${action} is not answered here`);
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    return callError(id, formCode(subprotocol), 'the payload is no object');
  const answer = answers[action]?.(payload as Fields, desk, nowWallMs);
  // The pile says it again, by rules of its own.
  if (answer === 'unable') return callError(id, 'InternalError', `${action} cannot be answered now`);
  if (answer === undefined) return callError(id, formCode(subprotocol), `${action} lacks what it must have`);
  return JSON.stringify([CALL_RESULT, id, answer]);
}

/** 2.0.1 part 4 answers what has no readable id under the id -1; 1.6J has no word for it. */
function unreadable(subprotocol: OcppSubprotocol): string | undefined {
  return subprotocol === 'ocpp1.6'
    ? undefined
    : callError('-1', 'RpcFrameworkError', 'this is no OCPP-J message');
}

function callError(id: string, code: string, description: string): string {
  return JSON.stringify([CALL_ERROR, id, code, description.slice(0, 255), {}]);
}

/** The same fault has a name in each version. */
function formCode(subprotocol: OcppSubprotocol): string {
  return subprotocol === 'ocpp1.6' ? 'FormationViolation' : 'FormatViolation';
}

function tokenOf(idToken: unknown): { readonly idToken: string; readonly type: unknown } | undefined {
  const fields = (idToken ?? {}) as Fields;
  return typeof fields['idToken'] === 'string'
    ? { idToken: fields['idToken'], type: fields['type'] }
    : undefined;
}

function status16(idTag: string, desk: LocalDesk): string {
  return isKnown(idTag, desk) ? 'Accepted' : 'Invalid';
}

/** A pile with a button to start sends an empty token of the type NoAuthorization: that is nobody to check. */
function status2(token: { readonly idToken: string; readonly type: unknown }, desk: LocalDesk): string {
  return token.type === 'NoAuthorization' || isKnown(token.idToken, desk) ? 'Accepted' : 'Unknown';
}

function isKnown(token: string, { idTokens }: LocalDesk): boolean {
  return idTokens === 'all' || idTokens.has(token.toUpperCase());
}

function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
