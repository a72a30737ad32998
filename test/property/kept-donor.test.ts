/** A large request is not starved by small ones: the pile keeps a donor for it, and it starts within a bound of time. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { InstanceId, LeaseId, Wants } from '@plugpool/proto';
import fc from 'fast-check';
import type { Event } from '../../agent/core/events.ts';
import { checkLaws } from '../simulation/laws.ts';
import { completed, request, SimulatedPile, type SentBody } from '../simulation/simulated-pile.ts';

/** No run takes longer than this, and none is expected to. */
const RUN_MAX_MS = 40_000;
const AGE_BOUND_MS = 5_000;
/** So many small ones wait at any moment, each fitting four times on a donor. */
const SMALL_WAITING = 12;
const NEVER_MS = 1e9;

/** Each part takes a donor, or leaves room for one small run beside it; two start together. */
interface Large {
  readonly parts: 1 | 2;
  readonly cores: 3 | 4;
}

interface Play {
  readonly donors: number;
  readonly dueEvery: number;
  readonly larges: readonly Large[];
  /** How long runs really take, whatever is expected; one after the other, again and again. */
  readonly runsMs: readonly number[];
}

const large: fc.Arbitrary<Large> = fc.record({ parts: fc.constantFrom(1, 2), cores: fc.constantFrom(3, 4) });
const plays: fc.Arbitrary<Play> = fc.record({
  donors: fc.integer({ min: 2, max: 4 }),
  dueEvery: fc.constantFrom(1, 2, 8),
  larges: fc.array(large, { minLength: 1, maxLength: 3 }),
  runsMs: fc.array(fc.integer({ min: 500, max: RUN_MAX_MS }), { minLength: 1, maxLength: 30 }),
});

interface Run {
  readonly vehicleId: string;
  readonly lease: LeaseId;
  readonly endsMs: number;
}

/** An endless stream of small requests over all donors, and some large ones among them. */
class Stream {
  readonly pile: SimulatedPile;
  readonly #play: Play;
  #running: Run[] = [];
  #asked = 0;
  #granted = 0;
  readonly started = new Set<string>();

  constructor(play: Play) {
    this.#play = play;
    this.pile = new SimulatedPile({
      ageBoundMs: AGE_BOUND_MS,
      dueEvery: play.dueEvery,
      leaseMs: NEVER_MS,
      capacityStaleMs: NEVER_MS,
      healthFaultsMax: 1e9,
      stayBarMillis: [0, 0, 0, 0],
      subPools: false,
    });
    this.pile.afterStep = (sent) => {
      this.#watch(sent);
      checkLaws(this.pile, sent);
    };
    this.pile.addAlgorithm('small', [{}], { workCoreS: 10 });
    for (const cores of [3, 4])
      this.pile.addAlgorithm(`large${cores}`, [{ cpuMillicores: cores * 1000, threads: cores }], {
        workCoreS: 40,
      });
    this.pile.ask('asker');
    for (let n = 0; n < play.donors; n += 1) {
      this.pile.plug(`v${n}`);
      this.pile.lend(`v${n}`);
    }
    this.pile.step(...this.#moreSmall());
  }

  askLarge({ parts, cores }: Large): string {
    this.#asked += 1;
    const requestId = `${this.#asked}`;
    const wants: Wants = parts === 1 ? {} : { instances: parts, allAtOnce: true };
    this.pile.step(this.pile.message('asker.ask-1', request(requestId, `large${cores}`, { wants })));
    return requestId;
  }

  /** Until the next run ends. */
  goOn(): void {
    const { pile } = this;
    pile.nowMs = Math.min(...this.#running.map(({ endsMs }) => endsMs));
    const ended = this.#running.filter(({ endsMs }) => endsMs <= pile.nowMs);
    this.#running = this.#running.filter((run) => !ended.includes(run));
    pile.step(
      ...ended.map(({ vehicleId, lease }) => pile.message(`${vehicleId}.lend`, completed(lease))),
      ...this.#moreSmall(),
    );
  }

  #moreSmall(): Event[] {
    const events: Event[] = [];
    for (let waiting = this.pile.state.waiting.size; waiting < SMALL_WAITING + 6; waiting += 1) {
      this.#asked += 1;
      events.push(this.pile.message('asker.ask-1', request(`small${this.#asked}`, 'small')));
    }
    return events;
  }

  #watch(sent: readonly SentBody[]): void {
    for (const { clientId, body } of sent) {
      if (body.kind !== 'offer') continue;
      const runMs = this.#play.runsMs[this.#granted % this.#play.runsMs.length] ?? RUN_MAX_MS;
      this.#granted += 1;
      const vehicleId = clientId.replace('.lend', '');
      this.#running.push({ vehicleId, lease: body.lease, endsMs: this.pile.nowMs + runMs });
      this.started.add(this.#requestOf(body.lease.instanceId));
    }
  }

  #requestOf(instanceId: InstanceId): string {
    for (const { record, instances } of this.pile.state.tasks.values())
      if (instances.some((instance) => instance.instanceId === instanceId)) return record.requestId;
    return '';
  }
}

/**
 * With d large ones due before it: for each of them and for itself, the grants after which the pile looks, of which one at least is
 * made in each longest run; then what runs on the donor that is kept, and what was let in before the start that was expected.
 */
function boundMs({ dueEvery, larges }: Play): number {
  return AGE_BOUND_MS + larges.length * (dueEvery + 3) * RUN_MAX_MS;
}

let longestShare = 0;
let keptOften = 0;

test('under an endless stream of small requests each large one starts within (d + 1) × (dueEvery + 3) longest runs of its turn', () => {
  fc.assert(
    fc.property(plays, (play) => {
      const stream = new Stream(play);
      for (let n = 0; n < 5; n += 1) stream.goOn();
      const askedMs = stream.pile.nowMs;
      const larges = play.larges.map((each) => stream.askLarge(each));
      let wasKept = false;
      while (!larges.every((large) => stream.started.has(large))) {
        stream.goOn();
        wasKept ||= stream.pile.state.keeping.kept !== undefined;
        const waitedMs = stream.pile.nowMs - askedMs;
        assert.ok(waitedMs <= boundMs(play), `a large one waits after ${waitedMs} ms`);
        longestShare = Math.max(longestShare, waitedMs / boundMs(play));
      }
      keptOften += Number(wasKept);
    }),
    { numRuns: 100 },
  );
  assert.ok(keptOften >= 50, `only ${keptOften} of 100 plays kept a donor: this tests little`);
  assert.ok(longestShare >= 0.3, `no wait was over ${longestShare} of the bound: it says little`);
});
