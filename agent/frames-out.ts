/**
 * What the pile says to vehicles: what one step owes to one client leaves as one message, encoded while its commit is under way.
 * What nobody waits for leaves with the next message to that client, or a moment later: each message wakes a vehicle, and costs both
 * sides more than what it says.
 */
import { encodeFrames, type ClientId, type DownBody, type Envelope } from '@plugpool/proto';
import type { Broker, Clock } from './ports.ts';

type Said = Envelope<DownBody>;

export interface Sending {
  readonly clientId: ClientId;
  readonly envelope: Said;
}

export interface FramesOutSurroundings {
  readonly broker: Pick<Broker, 'send'>;
  readonly clock: Clock;
}

/** About what a short task takes, so that `accepted` leaves with the result; far below what anybody notices. */
const PATIENCE_MS = 3;
/** So many are worth a message of their own. */
const PATIENT_BODIES_MAX = 256;

interface Patient {
  readonly said: readonly Said[];
  readonly sinceMonoMs: number;
}

interface Prepared {
  readonly clientId: ClientId;
  /** What waited for it. */
  readonly before: Patient | undefined;
  readonly all: readonly Said[];
  /** None where all of it waits on. */
  readonly payloads: readonly Uint8Array[] | undefined;
}

export class FramesOut {
  readonly #around: FramesOutSurroundings;
  readonly #patient = new Map<ClientId, Patient>();
  #prepared: readonly Prepared[] = [];
  #isTimerSet = false;

  constructor(around: FramesOutSurroundings) {
    this.#around = around;
  }

  /** While the commit is under way that makes it true. */
  prepare(sendings: readonly Sending[]): void {
    const prepared: Prepared[] = [];
    for (const [clientId, said] of byClient(sendings)) {
      const before = this.#take(clientId);
      const all = before === undefined ? said : [...before.said, ...said];
      const isPatient = all.length <= PATIENT_BODIES_MAX && said.every(canWait);
      prepared.push({ clientId, before, all, payloads: isPatient ? undefined : encodeFrames(all) });
    }
    this.#prepared = prepared;
  }

  /** It is on disk. */
  publish(): void {
    const { broker } = this.#around;
    for (const { clientId, before, all, payloads } of this.#prepared) {
      if (payloads === undefined) this.#wait(clientId, all, before);
      else for (const payload of payloads) broker.send(clientId, 'frame', payload);
    }
    this.#prepared = [];
  }

  /** The commit failed: what was true before it is said alone. */
  drop(): void {
    for (const { clientId, before } of this.#prepared)
      if (before !== undefined) this.#write(clientId, before.said);
    this.#prepared = [];
  }

  /** At once, after what waited. */
  say(clientId: ClientId, said: readonly Said[]): void {
    this.#write(clientId, [...(this.#take(clientId)?.said ?? []), ...said]);
  }

  /** Nothing waits any more. */
  flush(): void {
    for (const clientId of this.#patient.keys()) this.say(clientId, []);
  }

  /** The connection is gone: what is still owed is said at the next hello. */
  forget(clientId: ClientId): void {
    this.#patient.delete(clientId);
    // Also what the commit that is under way makes true: the next connection would hear answers to what it never asked.
    this.#prepared = this.#prepared.filter((each) => each.clientId !== clientId);
  }

  #take(clientId: ClientId): Patient | undefined {
    const patient = this.#patient.get(clientId);
    if (patient !== undefined) this.#patient.delete(clientId);
    return patient;
  }

  #wait(clientId: ClientId, said: readonly Said[], before: Patient | undefined): void {
    const { monoMs } = this.#around.clock.now();
    const sinceMonoMs = before?.sinceMonoMs ?? monoMs;
    // While a commit is under way no timer finds it: of a client that is spoken to in each, it would wait through all of them.
    if (monoMs - sinceMonoMs >= PATIENCE_MS) return this.#write(clientId, said);
    this.#patient.set(clientId, { said, sinceMonoMs });
    this.#setTimer(PATIENCE_MS);
  }

  #setTimer(delayMs: number): void {
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    this.#around.clock.setTimer(delayMs, () => {
      this.#isTimerSet = false;
      this.#sayWhatWaitedLong();
    });
  }

  #sayWhatWaitedLong(): void {
    const { monoMs } = this.#around.clock.now();
    let nextMs = Infinity;
    for (const [clientId, { sinceMonoMs }] of this.#patient) {
      const leftMs = sinceMonoMs + PATIENCE_MS - monoMs;
      // Timers know whole milliseconds.
      if (leftMs < 1) this.say(clientId, []);
      else nextMs = Math.min(nextMs, leftMs);
    }
    if (nextMs < Infinity) this.#setTimer(nextMs);
  }

  #write(clientId: ClientId, said: readonly Said[]): void {
    for (const payload of encodeFrames(said)) this.#around.broker.send(clientId, 'frame', payload);
  }
}

function byClient(sendings: readonly Sending[]): Map<ClientId, Said[]> {
  const groups = new Map<ClientId, Said[]>();
  for (const { clientId, envelope } of sendings) {
    const group = groups.get(clientId);
    if (group === undefined) groups.set(clientId, [envelope]);
    else group.push(envelope);
  }
  return groups;
}

/** A requester waits for the result, and its donor for the next offer. */
function canWait({ body }: Said): boolean {
  return body.kind === 'accepted' || (body.kind === 'resultAck' && body.accepted);
}
