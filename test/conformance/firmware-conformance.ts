/** What every firmware adapter must do, whatever it listens to; run it from the test file of each. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FirmwareAdapter, FirmwareEvent } from '../../firmware-bridge/index.ts';
import { FirmwareOrder } from './firmware-order.ts';

/** How the source stands when the adapter is started. */
export type Situation = 'idle' | 'vehiclePlugged';

/** An adapter and the world it listens to. */
export interface FirmwareHarness {
  readonly adapter: FirmwareAdapter;
  /**
   * Lets the source live on, until everything that it says of at least one whole stay, plugged to unplugged, has reached the
   * adapter. Also called when the adapter is not running, and then nobody hears it.
   */
  play(): Promise<void>;
  /** Lets the source live on to the middle of a stay and no further, until the adapter has told that much. */
  playToMiddle(): Promise<void>;
  /** Where the source is reached by something that can break. */
  readonly link?: { cut(): Promise<void>; restore(): Promise<void> };
  dispose(): Promise<void>;
}

export function firmwareConformance(
  name: string,
  makeHarness: (situation: Situation) => Promise<FirmwareHarness>,
): void {
  const withHarness = async (
    situation: Situation,
    use: (heard: Listener) => Promise<void>,
  ): Promise<void> => {
    const harness = await makeHarness(situation);
    try {
      await use(new Listener(harness));
    } finally {
      await harness.adapter.stop();
      await harness.dispose();
    }
  };

  describe(`the ${name} firmware adapter`, () => {
    it('is silent until it is started', () =>
      withHarness('idle', async (heard) => {
        await heard.harness.play();
        assert.deepEqual(heard.events, []);
      }));

    it('tells at least one whole stay, each event in its place and well-formed', () =>
      withHarness('idle', async (heard) => {
        await heard.start();
        await heard.harness.play();
        heard.assertOrdered();
        const kinds = heard.kinds();
        assert.ok(kinds.includes('plugged'), `no plugged among ${kinds.join(' ')}`);
        assert.ok(kinds.includes('unplugged'), `no unplugged among ${kinds.join(' ')}`);
        assert.deepEqual(heard.order.occupied(), [], 'a vehicle is still plugged in at the end');
      }));

    it('says plugged first for a vehicle that it finds plugged in', () =>
      withHarness('vehiclePlugged', async (heard) => {
        await heard.start();
        await heard.harness.play();
        assert.equal(heard.events[0]?.kind, 'plugged');
        heard.assertOrdered();
      }));

    it('is silent after it was stopped in the middle of a stay', () =>
      withHarness('idle', async (heard) => {
        await heard.start();
        await heard.harness.playToMiddle();
        await heard.harness.adapter.stop();
        const told = heard.events.length;
        assert.ok(told > 0, 'nothing was told before stop');
        await heard.harness.play();
        assert.equal(heard.events.length, told);
      }));

    it('can be stopped twice, and before it was started', () =>
      withHarness('idle', async (heard) => {
        await heard.harness.adapter.stop();
        await heard.start();
        await heard.harness.adapter.stop();
        await heard.harness.adapter.stop();
      }));

    it('can be stopped while it starts, and is silent then', () =>
      withHarness('vehiclePlugged', async (heard) => {
        const starting = heard.start().catch(() => undefined);
        await heard.harness.adapter.stop();
        await starting;
        const told = heard.events.length;
        await heard.harness.play();
        assert.equal(heard.events.length, told);
      }));

    it('refuses to start twice', () =>
      withHarness('idle', async (heard) => {
        await heard.start();
        await assert.rejects(heard.start(), { code: 'already_started' });
      }));

    it('starts again after it was stopped', () =>
      withHarness('idle', async (heard) => {
        await heard.start();
        await heard.harness.adapter.stop();
        const again = new Listener(heard.harness);
        await again.start();
        await again.harness.play();
        again.assertOrdered();
        assert.ok(again.kinds().includes('unplugged'));
        assert.deepEqual(heard.events, [], 'the first listener heard of the second run');
      }));

    it('is silent once its signal was aborted', () =>
      withHarness('idle', async (heard) => {
        await heard.start();
        await heard.harness.playToMiddle();
        const told = heard.events.length;
        heard.abort.abort();
        await heard.harness.play();
        assert.equal(heard.events.length, told);
      }));

    it('refuses to start with a signal that was aborted before', () =>
      withHarness('vehiclePlugged', async (heard) => {
        heard.abort.abort();
        await assert.rejects(heard.start());
        await heard.harness.play();
        assert.deepEqual(heard.events, []);
      }));

    it('is silent between a lost link and its return, and then states the connector anew', async (context) => {
      const harness = await makeHarness('idle');
      await harness.dispose();
      if (harness.link === undefined) return context.skip('this source has no link that could be lost');
      await withHarness('idle', async (heard) => {
        await heard.start();
        await heard.harness.playToMiddle();
        await heard.harness.link?.cut();
        assert.equal(heard.kinds().at(-1), 'linkLost');
        await heard.harness.link?.restore();
        await heard.harness.play();
        const afterwards = heard.kinds().slice(heard.kinds().indexOf('linkUp') + 1);
        assert.ok(
          afterwards[0] === 'plugged' || afterwards[0] === 'unplugged',
          `${afterwards[0]} came after linkUp`,
        );
        heard.assertOrdered();
      });
    });
  });
}

/** Hears an adapter and judges at once what it hears. */
class Listener {
  readonly harness: FirmwareHarness;
  readonly order: FirmwareOrder;
  readonly events: FirmwareEvent[] = [];
  readonly problems: string[] = [];
  readonly abort = new AbortController();

  constructor(harness: FirmwareHarness) {
    this.harness = harness;
    this.order = new FirmwareOrder(harness.adapter.capabilities);
  }

  start(): Promise<void> {
    return this.harness.adapter.start((event) => {
      this.events.push(event);
      this.problems.push(...this.order.see(event));
    }, this.abort.signal);
  }

  kinds(): readonly string[] {
    return this.events.map((event) => event.kind);
  }

  assertOrdered(): void {
    assert.deepEqual(this.problems, []);
  }
}
