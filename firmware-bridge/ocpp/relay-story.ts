/** What all piles behind one relay say, line by line of its tap: the same for a live relay and for a recording. */
import type { ConnectorId } from '@plugpool/proto';
import { PART_OF_CONNECTOR_PATTERN } from '../connector-id.ts';
import type { FirmwareEvent, Pseudonymize } from '../port.ts';
import { readFrame, type FrameFault } from './frame.ts';
import type { ConnectorStory } from './connector-story.ts';
import type { PowerRoom } from './power-limits.ts';
import { PileStory, type Heard } from './pile-story.ts';
import type { OcppSubprotocol, TapLine } from './tap.ts';

export interface RelayStoryOptions {
  /** The station that a pile's identity stands for; absent here: the identity itself. */
  readonly stations: Readonly<Record<string, string>>;
  readonly pseudonymize: Pseudonymize;
  /** Until a BootNotification was answered. */
  readonly heartbeatMs: number;
  readonly emit: (event: FirmwareEvent) => void;
  /** What was left out; the caller limits how often it says so. */
  readonly leftOut: (pile: string, why: LeftOut) => void;
  /** The CSMS set a limit at that pile. */
  readonly limitsChanged?: ((pile: string) => void) | undefined;
}

export type LeftOut = FrameFault | 'too_many_piles' | 'bad_identity';

/** Where a connector is, for whoever wants something done there. */
export interface ConnectorAtPile {
  readonly pile: string;
  readonly link: 'up' | 'silent' | 'down';
  readonly subprotocol: OcppSubprotocol;
  readonly evse: number;
  readonly connector: number;
  /** The open one. */
  readonly transactionId: string | undefined;
  readonly room: PowerRoom;
  /** What the pile's clock shows, as far as its messages tell. */
  pileClockAt(wallMs: number): number;
}

export interface StoryNow {
  readonly monoMs: number;
  readonly wallMs: number;
}

const PILES_MAX = 512;

export class RelayStory {
  readonly #options: RelayStoryOptions;
  readonly #piles = new Map<string, PileStory>();
  #isRecalling = false;

  constructor(options: RelayStoryOptions) {
    this.#options = options;
  }

  /** Nothing of the relay is heard any more. */
  lose(reason: string, now: StoryNow): void {
    this.#isRecalling = false;
    for (const pile of this.#piles.values()) pile.linkDown(reason, heardAt(now, now.wallMs));
  }

  take(line: TapLine, now: StoryNow): void {
    switch (line.t) {
      case 'hello':
        this.#isRecalling = true;
        return;
      case 'recalledAll':
        this.#isRecalling = false;
        for (const pile of this.#piles.values()) pile.endRecall(heardAt(now, now.wallMs));
        return;
      case 'pile':
        return this.#takeLink(line, now);
      case 'frame':
        return this.#takeFrame(line, now);
      case 'answer':
        return;
    }
  }

  /** Time went by. */
  advance(now: StoryNow): void {
    for (const pile of this.#piles.values()) pile.advance(heardAt(now, now.wallMs));
  }

  /** When `advance` has something to do. */
  get dueMonoMs(): number | undefined {
    let dueMonoMs: number | undefined;
    for (const { silentFromMonoMs } of this.#piles.values())
      if (silentFromMonoMs !== undefined && !(silentFromMonoMs >= (dueMonoMs ?? Infinity)))
        dueMonoMs = silentFromMonoMs;
    return dueMonoMs;
  }

  find(connectorId: ConnectorId): ConnectorAtPile | undefined {
    for (const [pile, story] of this.#piles) {
      const connector = story.connectors.find((one) => one.telling.connectorId === connectorId);
      if (connector !== undefined) return atPile(pile, story, connector);
    }
    return undefined;
  }

  #takeLink(
    { pile, link, subprotocol, atWallMs, upSinceWallMs = atWallMs }: TapLine & { readonly t: 'pile' },
    now: StoryNow,
  ): void {
    const heard = heardAt(now, upSinceWallMs);
    const story = this.#pileOf(pile, subprotocol);
    if (story === undefined) return;
    if (link === 'up') story.linkUp(subprotocol, heard);
    else story.linkDown('the pile is not connected', heard);
  }

  #takeFrame({ pile, from, text, atWallMs }: TapLine & { readonly t: 'frame' }, now: StoryNow): void {
    const story = this.#piles.get(pile);
    if (story === undefined) return;
    const reading = readFrame(text);
    if (!reading.ok) return this.#options.leftOut(pile, reading.fault);
    const { changes } = story.limits;
    story.take(from, reading.frame, heardAt(now, atWallMs));
    if (story.limits.changes !== changes) this.#options.limitsChanged?.(pile);
  }

  #pileOf(pile: string, subprotocol: OcppSubprotocol): PileStory | undefined {
    const known = this.#piles.get(pile);
    if (known !== undefined) return this.#recalled(known);
    const { stations, leftOut, ...rest } = this.#options;
    const station = Object.hasOwn(stations, pile) ? (stations[pile] ?? pile) : pile;
    if (this.#piles.size >= PILES_MAX) leftOut(pile, 'too_many_piles');
    else if (!PART_OF_CONNECTOR_PATTERN.test(station)) leftOut(pile, 'bad_identity');
    else {
      const made = new PileStory({ ...rest, station, subprotocol });
      this.#piles.set(pile, made);
      return this.#recalled(made);
    }
    return undefined;
  }

  #recalled(pile: PileStory): PileStory {
    if (this.#isRecalling) pile.beginRecall();
    return pile;
  }
}

function atPile(pile: string, story: PileStory, { evse, connector, known }: ConnectorStory): ConnectorAtPile {
  return {
    pile,
    link: story.link,
    subprotocol: story.subprotocol,
    evse,
    connector,
    transactionId: known.place === 'occupied' ? known.transactionId : undefined,
    room: story.limits.roomAt(evse),
    pileClockAt: (wallMs) => story.pileClockAt(wallMs),
  };
}

function heardAt(now: StoryNow, readWallMs: number): Heard {
  return { ...now, readWallMs };
}
