/**
 * Decisions a second and how long one takes, on a pile that is full: in turn a run ends, so that its donor chooses the target
 * requester among all who wait, and a new request looks for a donor. The time is that of the wall, garbage collection in it.
 */
import type { ClientId, Offer } from '@plugpool/proto';
import { Timers } from '../../agent/core/timers.ts';
import { completed } from '../../test/simulation/simulated-pile.ts';
import type { Effects } from '../../agent/core/effects.ts';
import type { Event } from '../../agent/core/events.ts';
import { numbersFrom, percentile } from '../options.ts';
import { Crowd } from './crowd.ts';

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const options = numbersFrom(args, {
    donors: 1_000,
    requests: 10_000,
    requesters: 200,
    decisions: 20_000,
    seed: 1,
  });
  const { donors, requests, decisions } = options;
  const play = new Play(new Crowd(options));
  play.setUp();
  const us = play.decide(decisions);
  const totalUs = us.reduce((sum, each) => sum + each, 0);
  us.sort((a, b) => a - b);
  const result = {
    donors,
    requests,
    decisionsPerSec: Math.round((1e6 * us.length) / totalUs),
    p50Us: round(percentile(us, 0.5)),
    p99Us: round(percentile(us, 0.99)),
    rssMib: Math.round(process.memoryUsage().rss / 2 ** 20),
  };
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : asText(result));
  return Promise.resolve();
}

function round(us: number): number {
  return Math.round(us * 10) / 10;
}

function asText(result: Readonly<Record<string, number>>): string {
  return `${Object.entries(result)
    .map(([name, value]) => `${name.padEnd(16)} ${value.toLocaleString('en')}`)
    .join('\n')}\n`;
}

const WARM_UP = 5_000;

class Play {
  readonly #crowd: Crowd;
  readonly #ends = new Timers();
  readonly #running = new Map<string, { readonly to: ClientId; readonly offer: Offer }>();
  /** Deliveries to acknowledge: not part of any decision. */
  #acknowledgements: Event[] = [];

  constructor(crowd: Crowd) {
    this.#crowd = crowd;
  }

  setUp(): void {
    for (const effects of this.#crowd.gather()) this.#hear(effects);
    for (const effects of this.#crowd.fill()) this.#hear(effects);
    this.decide(WARM_UP);
  }

  /** How long each decision took, in µs. */
  decide(decisions: number): number[] {
    const us: number[] = [];
    while (us.length < decisions) {
      us.push(this.#time(this.#nextEnd()));
      us.push(this.#time(this.#crowd.nextRequest()));
      const acknowledgements = this.#acknowledgements;
      this.#acknowledgements = [];
      this.#hear(this.#crowd.step(...acknowledgements));
    }
    return us;
  }

  /** The run that ends next, when it does; what timers do until then is not timed. */
  #nextEnd(): Event {
    const endMs = this.#ends.nextMs();
    const name = endMs === undefined ? undefined : this.#ends.takeDue(endMs);
    const ending = name === undefined ? undefined : this.#running.get(name);
    if (endMs === undefined || name === undefined || ending === undefined) throw new Error('nothing runs');
    this.#running.delete(name);
    for (const effects of this.#crowd.until(endMs)) this.#hear(effects);
    const { to, offer } = ending;
    return this.#crowd.message(to, completed(offer.lease, this.#crowd.wallMsOf(offer)));
  }

  #time(event: Event): number {
    const startMs = performance.now();
    const effects = this.#crowd.step(event);
    const us = (performance.now() - startMs) * 1000;
    this.#hear(effects);
    return us;
  }

  #hear({ sends }: Effects): void {
    for (const { clientId, envelope } of sends) {
      const { body } = envelope;
      if (body.kind === 'offer') this.#start(clientId, body);
      else if (body.kind === 'delivery')
        this.#acknowledgements.push(
          this.#crowd.message(clientId, { kind: 'deliveryAck', taskId: body.taskId }),
        );
      else if (body.kind === 'refused') throw new Error(`refused: ${JSON.stringify(body.reasons)}`);
    }
  }

  #start(to: ClientId, offer: Offer): void {
    const name = offer.lease.instanceId;
    this.#running.set(name, { to, offer });
    this.#ends.set(name, this.#crowd.nowMs + this.#crowd.wallMsOf(offer));
  }
}
