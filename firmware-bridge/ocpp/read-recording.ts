/**
 * Reads a recording of OCPP frames: `{"at": ISO time, "from": "pile"|"csms", "frame": [...]}`, one a line, and beside `NAME.jsonl`
 * where there is one `NAME.links.jsonl` with what happened to the socket. A frame may name its `pile`.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { FirmwareEvent } from '../port.ts';
import { RecordingError, type ReadRecording, type RecordingOptions } from '../recording.ts';
import { recordingLines } from '../recording-lines.ts';
import { LINE_CHARS_MAX } from './frame.ts';
import { fieldsOf, textOf, wallMsOf, type Fields } from './payload-fields.ts';
import { HEARTBEAT_MS_DEFAULT } from './pile-story.ts';
import { RelayStory } from './relay-story.ts';
import type { OcppSubprotocol, TapLine } from './tap.ts';

const LINKS_MAX = 100_000;

interface RecordedLine {
  readonly line: number;
  readonly atWallMs: number;
  readonly fields: Fields;
}

interface RecordedLink {
  readonly atWallMs: number;
  readonly pile: string | undefined;
  readonly link: 'up' | 'down';
}

interface RecordedLinks {
  readonly links: readonly RecordedLink[];
  /** What ended the reading of them: of what follows the last of them, nobody knows at which link it was said. */
  readonly failure?: RecordingError;
}

export const readOcpp16Recording: ReadRecording = (file, options) => read(file, options, 'ocpp1.6');
export const readOcpp201Recording: ReadRecording = (file, options) => read(file, options, 'ocpp2.0.1');

async function* read(
  file: string,
  { station, pseudonymize }: RecordingOptions,
  subprotocol: OcppSubprotocol,
): AsyncGenerator<FirmwareEvent> {
  const { links, failure } = await readLinks(file);
  const told: FirmwareEvent[] = [];
  const story = new RelayStory({
    stations: {},
    pseudonymize,
    heartbeatMs: HEARTBEAT_MS_DEFAULT,
    emit: (event) => told.push(event),
    leftOut: () => undefined,
  });
  const played = new Playing(story, subprotocol, station, links);
  for await (const line of readLines(file)) {
    const areLinksPlayed = played.linksUntil(line.atWallMs);
    yield* told.splice(0);
    if (areLinksPlayed && failure !== undefined) throw failure;
    played.frame(line);
    yield* told.splice(0);
  }
  played.linksUntil(Infinity);
  yield* told.splice(0);
  if (failure !== undefined) throw failure;
}

/** Gives frames and links to the story in the order of their times, and lets the time between them go by. */
class Playing {
  readonly #story: RelayStory;
  readonly #subprotocol: OcppSubprotocol;
  readonly #station: string;
  readonly #links: readonly RecordedLink[];
  #nextLink = 0;
  readonly #up = new Set<string>();

  constructor(
    story: RelayStory,
    subprotocol: OcppSubprotocol,
    station: string,
    links: readonly RecordedLink[],
  ) {
    this.#story = story;
    this.#subprotocol = subprotocol;
    this.#station = station;
    this.#links = links;
  }

  frame({ line, atWallMs, fields }: RecordedLine): void {
    const { from, frame } = fields;
    if (from !== 'pile' && from !== 'csms')
      throw new RecordingError(line, '"from" is neither "pile" nor "csms"', 'Say who sent the frame');
    if (!Array.isArray(frame))
      throw new RecordingError(line, '"frame" is no array', 'Write the frame as it was, as a JSON array');
    const pile = textOf(fields['pile']) ?? this.#station;
    if (!this.#up.has(pile)) this.#link({ atWallMs, pile, link: 'up' });
    this.#take({ t: 'frame', pile, from, atWallMs, text: JSON.stringify(frame) });
  }

  /** Whether no link is left. */
  linksUntil(atWallMs: number): boolean {
    for (let link = this.#links[this.#nextLink]; link !== undefined && link.atWallMs <= atWallMs;) {
      this.#link(link);
      link = this.#links[++this.#nextLink];
    }
    return this.#nextLink === this.#links.length;
  }

  #link({ atWallMs, pile = this.#station, link }: RecordedLink): void {
    if (link === 'up') this.#up.add(pile);
    this.#take({ t: 'pile', pile, atWallMs, link, subprotocol: this.#subprotocol });
  }

  /** A silence is noticed when it is too long, not when it ends. */
  #take(line: TapLine & { readonly atWallMs: number }): void {
    const { dueMonoMs } = this.#story;
    if (dueMonoMs !== undefined && dueMonoMs < line.atWallMs)
      this.#story.advance({ monoMs: dueMonoMs, wallMs: dueMonoMs });
    this.#story.take(line, { monoMs: line.atWallMs, wallMs: line.atWallMs });
  }
}

async function readLinks(file: string): Promise<RecordedLinks> {
  const beside = file.replace(/\.jsonl$/, '.links.jsonl');
  if (beside === file || !existsSync(beside)) return { links: [] };
  const links: RecordedLink[] = [];
  try {
    for await (const { line, atWallMs, fields } of readLines(beside)) {
      const link = LINK[String(fields['event'])];
      if (links.length === LINKS_MAX)
        throw new RecordingError(line, `more than ${LINKS_MAX} links`, 'Cut the recording into several');
      if (link !== undefined) links.push({ atWallMs, pile: textOf(fields['pile']), link });
    }
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    return { links, failure: error.in(basename(beside)) };
  }
  return { links };
}

/** What else is recorded of a socket (a stall, an upgrade that waits) shows in the frames, or does not show at all. */
const LINK: Readonly<Record<string, 'up' | 'down'>> = { open: 'up', cut: 'down', close: 'down' };

async function* readLines(file: string): AsyncGenerator<RecordedLine> {
  let lastWallMs = 0;
  for await (const { number: line, text } of recordingLines(file, LINE_CHARS_MAX)) {
    if (text.trim() === '') continue;
    const fields = parseLine(text, line);
    const atWallMs = wallMsOf(fields['at']);
    if (atWallMs === undefined)
      throw new RecordingError(line, '"at" is no time', 'Write it as 2026-11-21T21:21:09.133Z');
    if (atWallMs < lastWallMs)
      throw new RecordingError(line, 'it is earlier than the line before', 'Sort the lines by "at"');
    lastWallMs = atWallMs;
    yield { line, atWallMs, fields };
  }
}

function parseLine(text: string, line: number): Fields {
  try {
    const value: unknown = JSON.parse(text);
    if (fieldsOf(value) === value) return value as Fields;
  } catch (error) {
    throw new RecordingError(line, 'no JSON', 'Write one JSON object a line', { cause: error });
  }
  throw new RecordingError(line, 'no JSON object', 'Write one JSON object a line');
}
