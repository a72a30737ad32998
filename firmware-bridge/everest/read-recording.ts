/**
 * Recordings of EVerest: messages of its API as JSON lines, `{"at", "topic", "payload"}`, or a session log of a charger, told
 * apart by the first line. EVSEs count from 1 in the order in which they appear.
 */
import { parseConnectorId } from '../connector-id.ts';
import type { FirmwareEvent } from '../port.ts';
import { RecordingError, type ReadRecording, type RecordingOptions } from '../recording.ts';
import { z } from 'zod';
import { ConnectorStory, type StoryNow } from './connector-story.ts';
import { EverestStory } from './everest-story.ts';
import { EVSES_MAX, LOG_RECORD_CHARS_MAX } from './limits.ts';
import { recordingLines, type RecordingLine } from '../recording-lines.ts';
import { logRecords, messagesOf } from './session-log.ts';
import { parseFromEverest } from './topics.ts';

/** What a live adapter waits for, unless it was told otherwise. */
export const SILENT_AFTER_MS_DEFAULT = 5_000;

export const readEverestRecording: ReadRecording = async function* (file, options) {
  const lines = recordingLines(file, LOG_RECORD_CHARS_MAX);
  const first = await lines.next();
  if (first.done === true) return;
  const all = startingWith(first.value, lines);
  if (first.value.text.startsWith('{')) yield* readMessages(all, options);
  else if (first.value.text.startsWith('"')) yield* readSessionLog(all, options);
  else
    throw new RecordingError(
      1,
      'it is neither a message nor a record of a session log',
      'EVerest is recorded as JSON lines {"at","topic","payload"}, or as the eventlog.csv of a session',
    );
};

async function* startingWith(
  first: RecordingLine,
  rest: AsyncIterable<RecordingLine>,
): AsyncGenerator<RecordingLine> {
  yield first;
  yield* rest;
}

async function* readSessionLog(
  lines: AsyncIterable<RecordingLine>,
  { station }: RecordingOptions,
): AsyncGenerator<FirmwareEvent> {
  const story = new ConnectorStory(parseConnectorId('1', station));
  let session = 0;
  for await (const record of logRecords(lines)) {
    if (record.event.startsWith('Session Started')) session += 1;
    for (const message of messagesOf(record, `session-${session}`))
      yield* story.hear(message, at(record.atWallMs));
  }
}

const messageLine = z.object({
  at: z.iso.datetime({ offset: true }),
  topic: z.string().max(512),
  payload: z.unknown(),
});

async function* readMessages(
  lines: AsyncIterable<RecordingLine>,
  { station, pseudonymize }: RecordingOptions,
): AsyncGenerator<FirmwareEvent> {
  const story = new EverestStory({ silentAfterMs: SILENT_AFTER_MS_DEFAULT, pseudonymize });
  const modules = new Set<string>();
  for await (const line of lines) {
    if (line.text.trim() === '') continue;
    const { atWallMs, topic, payload } = messageOf(line);
    for (let due = story.dueMonoMs; due <= atWallMs; due = story.dueMonoMs) yield* story.tick(at(due));
    const module = evseManagerOf(topic);
    if (module !== undefined && !modules.has(module) && modules.size < EVSES_MAX) {
      modules.add(module);
      story.add({ connectorId: parseConnectorId(String(modules.size), station), module }, at(atWallMs));
    }
    yield* story.hear(topic, payload, at(atWallMs)).events;
  }
}

function evseManagerOf(topic: string): string | undefined {
  const parsed = parseFromEverest(topic);
  return parsed?.api === 'evse_manager_consumer' ? parsed.module : undefined;
}

function messageOf({ number, text }: RecordingLine) {
  const read = messageLine.safeParse(jsonOf(text));
  if (!read.success)
    throw new RecordingError(
      number,
      'it is no message',
      'A line reads {"at":"2026-03-01T08:00:00Z","topic":"everest_api/1/…","payload":…}',
    );
  const { at: time, topic, payload } = read.data;
  return {
    atWallMs: Date.parse(time),
    topic,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload ?? null),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function at(wallMs: number): StoryNow {
  return { monoMs: wallMs, wallMs };
}
