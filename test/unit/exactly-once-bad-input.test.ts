/**
 * What counts once, whatever a vehicle sends: each line of the table is one bad message to the decisions, and what it gets. Where bad
 * input is met elsewhere (the wire, the store, a backup), docs/guarantees.md names the tests.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FencingToken, InstanceId, LeaseId, UpBody } from '@plugpool/proto';
import {
  bodiesOf,
  completed,
  leaseIn,
  pileWith,
  request,
  type SentBody,
  type SimulatedPile,
} from '../simulation/simulated-pile.ts';

interface Scene {
  readonly pile: SimulatedPile;
  /** Of `r1`, which `donor` runs; `other` lends too. */
  readonly lease: LeaseId;
}

function scene(): Scene {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.plug('other');
  pile.lend('other');
  return { pile, lease };
}

function renewal(lease: LeaseId): UpBody {
  return { kind: 'renewal', held: [{ lease, progressPermille: 500, cpuMs: 1 }] };
}

function accepted(sent: readonly SentBody[]): boolean | undefined {
  return bodiesOf(sent, 'resultAck').at(-1)?.accepted;
}

function bookingsIn(pile: SimulatedPile): number {
  return [...pile.disk.bookings.values()].filter(({ kind }) => kind === 'result').length;
}

interface Case {
  readonly name: string;
  readonly sends: (scene: Scene) => readonly SentBody[];
  readonly gets: 'lease_void' | 'counts' | 'not renewed';
  readonly bookings: number;
}

const CASES: readonly Case[] = [
  {
    name: 'a result in time',
    sends: ({ pile, lease }) => {
      pile.pass(pile.settings.leaseMs - 1);
      return pile.say('donor.lend', completed(lease));
    },
    gets: 'counts',
    bookings: 1,
  },
  {
    name: 'a result that is late by a millisecond',
    sends: ({ pile, lease }) => {
      pile.unplug('donor');
      pile.pass(pile.settings.revokeGraceMs);
      return pile.say('donor.lend', completed(lease));
    },
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a result a millisecond before the grace of a revocation is over',
    sends: ({ pile, lease }) => {
      pile.unplug('donor');
      pile.pass(pile.settings.revokeGraceMs - 1);
      return pile.say('donor.lend', completed(lease));
    },
    gets: 'counts',
    bookings: 1,
  },
  {
    name: 'a result twice',
    sends: ({ pile, lease }) => {
      pile.say('donor.lend', completed(lease));
      return pile.say('donor.lend', completed(lease));
    },
    gets: 'counts',
    bookings: 1,
  },
  {
    name: 'a result twice in one step',
    sends: ({ pile, lease }) => {
      const message = pile.message('donor.lend', completed(lease));
      return pile.step(message, message);
    },
    gets: 'counts',
    bookings: 1,
  },
  {
    name: 'a result of the donor before, while another runs it',
    sends: ({ pile, lease }) => {
      pile.unplug('donor');
      pile.pass(pile.settings.revokeGraceMs);
      return pile.say('donor.lend', completed(lease));
    },
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a result under another vehicle’s lease',
    sends: ({ pile, lease }) => pile.say('other.lend', completed(lease)),
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a result for another task under an own token',
    sends: ({ pile, lease }) => {
      const second = leaseIn(pile.say('asker.ask-1', request('r2', 'sum')));
      return pile.say('donor.lend', completed({ ...lease, instanceId: second.instanceId }));
    },
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a result for a part that there is not',
    sends: ({ pile, lease }) =>
      pile.say('donor.lend', completed({ ...lease, instanceId: `${lease.instanceId}9` as InstanceId })),
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a result under a token that is yet to come',
    sends: ({ pile, lease }) =>
      pile.say('donor.lend', completed({ ...lease, fencingToken: (lease.fencingToken + 1) as FencingToken })),
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a result after its task was cancelled',
    sends: ({ pile, lease }) => {
      const which = { by: 'request', requestId: 'r1' as never } as const;
      pile.say('asker.ask-1', { kind: 'cancel', which });
      return pile.say('donor.lend', completed(lease));
    },
    gets: 'lease_void',
    bookings: 0,
  },
  {
    name: 'a renewal after the end',
    sends: ({ pile, lease }) => {
      pile.say('donor.lend', completed(lease));
      return pile.say('donor.lend', renewal(lease));
    },
    gets: 'not renewed',
    bookings: 1,
  },
  {
    name: 'a renewal of another vehicle’s lease',
    sends: ({ pile, lease }) => pile.say('other.lend', renewal(lease)),
    gets: 'not renewed',
    bookings: 0,
  },
];

for (const { name, sends, gets, bookings } of CASES)
  test(`${name}: ${gets}`, () => {
    const at = scene();
    const sent = sends(at);
    if (gets === 'not renewed') assert.deepEqual(bodiesOf(sent, 'renewed')[0]?.held, []);
    else assert.equal(accepted(sent), gets === 'counts');
    assert.equal(bookingsIn(at.pile), bookings);
  });

test('a requester that never comes back: its end is kept for the retention, then forgotten with its request id, and the booking stays', () => {
  const { pile, lease } = scene();
  pile.disconnect('asker.ask-1');
  pile.say('donor.lend', completed(lease));
  pile.pass(pile.settings.retentionMs - 1);
  pile.step({ kind: 'housekeeping' });
  assert.equal(pile.state.tasks.size, 1);
  pile.pass(2);
  pile.step({ kind: 'housekeeping' });
  assert.equal(pile.state.tasks.size, 0);
  assert.equal(bookingsIn(pile), 1);
  pile.connect('asker.ask-1');
  pile.say('asker.ask-1', { kind: 'hello', clientVersion: '1', held: [], runtimes: [] });
  const again = pile.say('asker.ask-1', request('r1', 'sum'));
  assert.equal(bodiesOf(again, 'accepted').length, 1, 'a new task: nothing is known of the old one');
});

test('the same request id with another body is refused also after its task was acknowledged, over a restart', () => {
  const { pile, lease } = scene();
  const done = pile.say('donor.lend', completed(lease));
  const [delivery] = bodiesOf(done, 'delivery');
  assert.ok(delivery);
  pile.say('asker.ask-1', { kind: 'deliveryAck', taskId: delivery.taskId });
  pile.restart();
  pile.ask('asker');
  const other = pile.say('asker.ask-1', request('r1', 'sum', { args: ['other'] }));
  assert.equal(bodiesOf(other, 'refused')[0]?.reasons[0]?.code, 'request_id_reused');
});
