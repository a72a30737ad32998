/**
 * What EVerest's messages say of the connectors that its EVSE managers stand for; pure, the time is given. Live, in a replay and
 * in tests it is the same.
 */
import type { ConnectorId } from '@plugpool/proto';
import type { Credential, FirmwareEvent, Pseudonymize } from '../port.ts';
import type { Acquaintance } from './acquaintance.ts';
import type { Acquaintances } from './acquaintance-file.ts';
import { ConnectorStory, type StoryNow } from './connector-story.ts';
import { decodeEverest, type DecodeProblem, type EverestMessage } from './decode.ts';
import { MESSAGES_PER_SECOND_MAX } from './limits.ts';
import { parseFromEverest } from './topics.ts';

export interface EverestEvse {
  readonly connectorId: ConnectorId;
  /** EVerest's name of the `evse_manager_consumer_API` module. */
  readonly module: string;
  /** What EVerest must call the EVSE, as `DE*ABC*E123*1`; absent: whatever it does. */
  readonly evse?: string | undefined;
}

export interface EverestStoryOptions {
  /** A module of which nothing was heard for longer is lost; Infinity where none says that it lives. */
  readonly silentAfterMs: number;
  readonly pseudonymize: Pseudonymize;
}

export interface Heard {
  readonly events: readonly FirmwareEvent[];
  readonly problems: readonly DecodeProblem[];
}

interface Evse {
  readonly story: ConnectorStory;
  heardMonoMs: number;
  heartbeatId: number;
  /** What EVerest must call it, … */
  readonly called: string | undefined;
  /** … and whether it said another name: then it is wired to another EVSE, and nothing of it is about this connector. */
  isForeign: boolean;
  /** Since when its messages are counted, and how many came since. */
  countedFromMonoMs: number;
  counted: number;
  /** EVerest's number of it, once it was asked. */
  evseId: number | undefined;
  /** Below it an AC vehicle stops charging. */
  minimumMw: number | undefined;
}

const NOTHING: Heard = { events: [], problems: [] };

export class EverestStory {
  readonly #options: EverestStoryOptions;
  /** By module. */
  readonly #evses = new Map<string, Evse>();

  constructor(options: EverestStoryOptions) {
    this.#options = options;
  }

  /** From now on it is listened to, and its silence counts. */
  add({ connectorId, module, evse }: EverestEvse, now: StoryNow, before?: Acquaintance): void {
    this.#evses.set(module, {
      story: new ConnectorStory(connectorId, before),
      heardMonoMs: now.monoMs,
      heartbeatId: -1,
      called: evse,
      isForeign: false,
      countedFromMonoMs: now.monoMs,
      counted: 0,
      evseId: undefined,
      minimumMw: undefined,
    });
  }

  /** The broker is reached again: the modules have as long as ever to say that they live. */
  connected(now: StoryNow): void {
    for (const evse of this.#evses.values()) {
      evse.heardMonoMs = now.monoMs;
      evse.heartbeatId = -1;
    }
  }

  disconnected(reason: string, now: StoryNow): readonly FirmwareEvent[] {
    return [...this.#evses.values()].flatMap(({ story }) => story.lost(reason, now));
  }

  hear(topic: string, payload: Uint8Array | string, now: StoryNow): Heard {
    const parsed = parseFromEverest(topic);
    if (parsed === undefined) return NOTHING;
    const { api, module, name } = parsed;
    if (api === 'auth_consumer') return this.#hearAuth(name, payload, now);
    const evse = api === 'evse_manager_consumer' ? this.#evses.get(module) : undefined;
    return evse === undefined ? NOTHING : this.#hearEvse(evse, name, payload, now);
  }

  /** Says what was lost by silence; to be called at `dueMonoMs`. */
  tick(now: StoryNow): readonly FirmwareEvent[] {
    const { silentAfterMs } = this.#options;
    const silent = [...this.#evses.values()].filter((evse) => now.monoMs >= evse.heardMonoMs + silentAfterMs);
    return silent.flatMap(({ story }) => story.lost(`nothing was heard for ${silentAfterMs} ms`, now));
  }

  get dueMonoMs(): number {
    const heard = [...this.#evses.values()]
      .filter(({ story }) => !story.isLost)
      .map((evse) => evse.heardMonoMs);
    return Math.min(...heard) + this.#options.silentAfterMs;
  }

  /** Who is, or was last, plugged in; by module. */
  acquaintances(): Acquaintances {
    const known = [...this.#evses].map(([module, { story }]) => [module, story.acquaintance] as const);
    return Object.fromEntries(known.filter(([, one]) => one !== undefined)) as Acquaintances;
  }

  /** EVerest's clock less ours. */
  aheadMs(module: string): number {
    return this.#evses.get(module)?.story.aheadMs ?? 0;
  }

  minimumMw(module: string): number | undefined {
    return this.#evses.get(module)?.minimumMw;
  }

  #hearEvse(evse: Evse, name: string, payload: Uint8Array | string, now: StoryNow): Heard {
    evse.heardMonoMs = now.monoMs;
    if (isTooMuch(evse, now)) return { events: evse.story.lost(TOO_MUCH, now), problems: [] };
    const { message, problems } = decodeEverest(name, payload, this.#options.pseudonymize);
    return { events: message === undefined ? [] : this.#say(evse, message, now), problems };
  }

  #say(evse: Evse, message: EverestMessage, now: StoryNow): readonly FirmwareEvent[] {
    if (message.name === 'evse_id') return named(evse, message.evse, now);
    if (evse.isForeign) return [];
    switch (message.name) {
      case 'heartbeat':
        return heartbeat(evse, message.id, now);
      case 'get_evse':
        evse.evseId = message.evseId;
        return [];
      case 'hw_capabilities':
        evse.minimumMw = message.minimumMw;
        return [];
      default:
        return evse.story.hear(message, now);
    }
  }

  /** Where it may be used at several EVSEs, the start of the transaction tells which one it was. */
  #hearAuth(name: string, payload: Uint8Array | string, now: StoryNow): Heard {
    const { message, problems } = decodeEverest(name, payload, this.#options.pseudonymize);
    if (message?.name !== 'token_validation_status') return { events: [], problems };
    const { token, credential, evseIds } = message;
    if (credential === undefined) return { events: [], problems };
    const events = token === 'used' ? this.#show(credential, evseIds, now) : [];
    if (token === 'over') this.#takeBack(credential, evseIds);
    return { events, problems };
  }

  #show(credential: Credential, evseIds: readonly number[], now: StoryNow): readonly FirmwareEvent[] {
    const [evseId] = evseIds;
    const evse = [...this.#evses.values()].find((one) => one.evseId === evseId);
    return evse === undefined || evseIds.length !== 1 ? [] : evse.story.show(credential, now);
  }

  /** Where it names no EVSE, at every one; so too where the number of ours is not known. */
  #takeBack(credential: Credential, evseIds: readonly number[]): void {
    for (const { story, evseId } of this.#evses.values())
      if (evseIds.length === 0 || evseId === undefined || evseIds.includes(evseId))
        story.takeBack(credential);
  }
}

function named(evse: Evse, name: string, now: StoryNow): readonly FirmwareEvent[] {
  evse.isForeign = evse.called !== undefined && evse.called !== name;
  return evse.isForeign
    ? evse.story.lost(`EVerest calls it ${name.slice(0, 64)}, not ${evse.called}`, now)
    : [];
}

const TOO_MUCH = `it says more than ${MESSAGES_PER_SECOND_MAX} messages a second`;

/** What is left out of a flood may be that the vehicle left: whoever floods is not believed until the second is over. */
function isTooMuch(evse: Evse, { monoMs }: StoryNow): boolean {
  if (monoMs - evse.countedFromMonoMs >= 1_000) {
    evse.countedFromMonoMs = monoMs;
    evse.counted = 0;
  }
  evse.counted += 1;
  return evse.counted > MESSAGES_PER_SECOND_MAX;
}

/** They count up: one that begins anew is another run of EVerest, of which nothing is known. */
function heartbeat(evse: Evse, id: number, now: StoryNow): readonly FirmwareEvent[] {
  const began = id < evse.heartbeatId;
  evse.heartbeatId = id;
  return began ? evse.story.lost('EVerest was started anew', now) : [];
}
