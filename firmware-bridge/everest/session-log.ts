/**
 * The session logs that an EVerest charger writes, `"time","EVSE"|"CAR"|"SYS","event","payload"`, as the messages that its API
 * would have published. They are no valid CSV: a payload spans lines, and its quotes are not doubled. A record begins at a line
 * that begins with a quote and a time, or says who speaks; what follows a record that is whole is none of it.
 */
import { z } from 'zod';
import { RecordingError } from '../recording.ts';
import type { EverestMessage, SessionEventName } from './decode.ts';
import { LOG_RECORD_CHARS_MAX } from './limits.ts';
import type { RecordingLine } from '../recording-lines.ts';

export interface LogRecord {
  /** Of its first line. */
  readonly number: number;
  readonly atWallMs: number;
  readonly event: string;
  readonly payload: string;
}

/** A line whose time is unreadable begins one too: as part of the record before, it would be lost unseen. */
const BEGINS_RECORD = /^"\d{4}-\d{2}-\d{2}T|^"?[^"]*","(?:EVSE|CAR|SYS)","/;
const RECORD = /^"([^"]+)","(?:EVSE|CAR|SYS)","([^"]*)","(.*)"$/s;

export async function* logRecords(lines: AsyncIterable<RecordingLine>): AsyncGenerator<LogRecord> {
  let open: RecordingLine | undefined;
  for await (const line of lines) {
    if (open !== undefined && !BEGINS_RECORD.test(line.text)) {
      if (!isWhole(open.text)) open = { number: open.number, text: joined(open, line) };
      else if (line.text.trim() !== '') {
        yield recordOf(open);
        throw noRecord(line.number);
      }
      continue;
    }
    if (open !== undefined) yield recordOf(open);
    open = line;
  }
  if (open !== undefined) yield recordOf(open);
}

/** Its payload is empty, or the end of what began as an object of JSON; of others nobody can say. */
function isWhole(text: string): boolean {
  if (!/(?:"|\})"\s*$/.test(text)) return false;
  const [, , , payload] = RECORD.exec(text.trimEnd()) ?? [];
  return payload === '' || (payload?.startsWith('{') === true && parsed(payload) !== undefined);
}

function joined(open: RecordingLine, { number, text }: RecordingLine): string {
  if (open.text.length + text.length <= LOG_RECORD_CHARS_MAX) return `${open.text}\n${text}`;
  throw new RecordingError(number, 'the record does not end', 'Is it a session log of EVerest?');
}

function recordOf({ number, text }: RecordingLine): LogRecord {
  const [, at = '', event = '', payload = ''] = RECORD.exec(text.trimEnd()) ?? [];
  const atWallMs = Date.parse(at);
  if (Number.isFinite(atWallMs)) return { number, atWallMs, event, payload };
  throw noRecord(number);
}

function noRecord(number: number): RecordingError {
  return new RecordingError(
    number,
    'it is no record of a session log',
    'A record reads "TIME","EVSE","EVENT","PAYLOAD", with EVSE, CAR or SYS for who said it',
  );
}

/** What EVerest’s own words in the log mean, as events of its API. */
const STATE_EVENTS: Readonly<Record<string, SessionEventName>> = {
  'Wait for Auth': 'AuthRequired',
  PrepareCharging: 'PrepareCharging',
  Charging: 'ChargingStarted',
  'Car Paused': 'ChargingPausedEV',
  'EVSE Paused': 'ChargingPausedEVSE',
  'Charger Paused': 'ChargingPausedEVSE',
  StoppingCharging: 'StoppingCharging',
};

const SESSION_STARTED = /^Session Started: (EVConnected|Authorized)$/;
const TRANSACTION_STARTED = /^Transaction Started \((\S+) kWh\)$/;
const TRANSACTION_FINISHED = /^Transaction Finished: (\w+) \((\S+) kWh\)$/;
const CHARGER_STATE = /^Charger state: .*->(.*)$/;

/** `uuid`: the log does not say EVerest’s id of the session. Most records mean nothing to us. */
export function messagesOf(record: LogRecord, uuid: string): readonly EverestMessage[] {
  const session = sessionEventOf(record, uuid);
  if (session !== undefined) return [session];
  return record.payload === '' ? [] : evInfoOf(record.payload);
}

function sessionEventOf({ event: text, atWallMs }: LogRecord, uuid: string): EverestMessage | undefined {
  const about = { name: 'session_event', uuid, atWallMs } as const;
  const [, startedBy] = SESSION_STARTED.exec(text) ?? [];
  if (startedBy === 'EVConnected' || startedBy === 'Authorized')
    return { ...about, event: 'SessionStarted', startedBy };
  const [, startKwh] = TRANSACTION_STARTED.exec(text) ?? [];
  if (startKwh !== undefined)
    return { ...about, event: 'TransactionStarted', ...meterOf(startKwh, atWallMs) };
  const [, finishedBy, endKwh] = TRANSACTION_FINISHED.exec(text) ?? [];
  if (finishedBy !== undefined && endKwh !== undefined)
    return { ...about, event: 'TransactionFinished', finishedBy, ...meterOf(endKwh, atWallMs) };
  if (text === 'Session Finished') return { ...about, event: 'SessionFinished' };
  const [, state = ''] = CHARGER_STATE.exec(text) ?? [];
  const event = Object.hasOwn(STATE_EVENTS, state) ? STATE_EVENTS[state] : undefined;
  return event === undefined ? undefined : { ...about, event };
}

function meterOf(kwh: string, atWallMs: number) {
  const energyMwh = Math.round(Number(kwh) * 1e6);
  return Number.isFinite(energyMwh) ? { meter: { atWallMs, energyMwh } } : {};
}

const dcStatus = z.object({ DC_EVStatus: z.object({ EVRESSSOC: z.int().min(0).max(100) }) });
const v2gMessage = z.object({ V2G_Message: z.object({ Body: z.record(z.string(), z.unknown()) }) });

/** The state of charge that a car says in most requests of ISO 15118-2 DC; the API says it as `ev_info`. */
function evInfoOf(payload: string): readonly EverestMessage[] {
  const body = v2gMessage.safeParse(parsed(payload)).data?.V2G_Message.Body ?? {};
  const [request] = Object.values(body);
  const parameters = (request as { DC_EVChargeParameter?: unknown } | undefined)?.DC_EVChargeParameter;
  const status = dcStatus.safeParse(request).data ?? dcStatus.safeParse(parameters).data;
  if (status === undefined) return [];
  return [{ name: 'ev_info', socPermille: status.DC_EVStatus.EVRESSSOC * 10 }];
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
