/**
 * A result that is handed in twice: its donor hears the second time what it heard the first time, however its attempt ended, over a
 * start of the agent too; and nothing is booked for it again. What is read from disk is read as the daemon reads it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailureCode, LeaseId, UpBody, VehicleId } from '@plugpool/proto';
import { CHECKER } from '../../agent/core/checks/checker.ts';
import { answerAgain } from '../../agent/core/leases/result-answer.ts';
import type { AttemptOutcome, AttemptRecord } from '../../agent/core/records.ts';
import { step } from '../../agent/core/step.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  leaseIn,
  pileWith,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

function failed(lease: LeaseId, code: FailureCode): UpBody {
  const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };
  return {
    kind: 'result',
    lease,
    used,
    outcome: { ok: false, failure: { code, detail: '', stderrTail: '' } },
  };
}

function answers(sent: readonly SentBody[]): boolean[] {
  return bodiesOf(sent, 'resultAck').map(({ accepted }) => accepted);
}

function handIn(pile: SimulatedPile, result: UpBody): boolean[] {
  return answers(pile.say('donor.lend', result));
}

interface Ending {
  readonly name: string;
  readonly outcome: AttemptOutcome;
  /** What becomes of the attempt before its result is there. */
  readonly before?: (pile: SimulatedPile, lease: LeaseId) => void;
  readonly result?: (lease: LeaseId) => UpBody;
  readonly isTaken: boolean;
}

const ENDINGS: readonly Ending[] = [
  { name: 'a result', outcome: 'completed', isTaken: true },
  {
    name: 'a failure of the program',
    outcome: 'failed',
    result: (lease) => failed(lease, 'exit_nonzero'),
    isTaken: true,
  },
  {
    name: 'a failure that another donor may not have',
    outcome: 'crashed',
    result: (lease) => failed(lease, 'runtime_crashed'),
    isTaken: true,
  },
  {
    name: 'the word that it stopped as it was told',
    outcome: 'departed',
    before: (pile) => pile.unplug('donor'),
    result: (lease) => failed(lease, 'revoked'),
    isTaken: true,
  },
  {
    name: 'a result within the grace of a revocation',
    outcome: 'completed',
    before: (pile) => pile.unplug('donor'),
    isTaken: true,
  },
  {
    name: 'a result after the grace of a revocation',
    outcome: 'departed',
    before: (pile) => {
      pile.unplug('donor');
      pile.pass(pile.settings.revokeGraceMs);
    },
    isTaken: false,
  },
  {
    name: 'the word that it stopped, after the grace',
    outcome: 'departed',
    before: (pile) => {
      pile.unplug('donor');
      pile.pass(pile.settings.revokeGraceMs);
    },
    result: (lease) => failed(lease, 'revoked'),
    isTaken: false,
  },
  {
    name: 'a result after the lease has run out',
    outcome: 'expired',
    before: (pile) => pile.pass(pile.settings.leaseMs),
    isTaken: false,
  },
  {
    name: 'a result after the donor declined',
    outcome: 'declined',
    before: (pile, lease) => pile.say('donor.lend', { kind: 'decline', lease, reason: 'policy_paused' }),
    isTaken: false,
  },
  {
    name: 'a result of a lease that the hello did not list',
    outcome: 'departed',
    before: (pile) => pile.lend('donor'),
    isTaken: false,
  },
  {
    name: 'a result of a task that was cancelled',
    outcome: 'cancelled',
    before: (pile) => {
      pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'request', requestId: 'r1' as never } });
    },
    isTaken: false,
  },
];

function scene(): { pile: SimulatedPile; lease: LeaseId } {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.pass(1_000);
  return { pile, lease };
}

function outcomeOf(pile: SimulatedPile, lease: LeaseId): AttemptOutcome | undefined {
  const all = [...pile.disk.attempts.values()].flat();
  return all.find(({ fencingToken }) => fencingToken === lease.fencingToken)?.outcome;
}

function again(pile: SimulatedPile): void {
  pile.restart();
  pile.plug('donor');
  pile.lend('donor');
}

for (const { name, outcome, before, result = completed, isTaken } of ENDINGS)
  test(`${name} is answered alike however often it is handed in: ${isTaken ? 'accepted' : 'lease_void'}`, () => {
    const { pile, lease } = scene();
    before?.(pile, lease);
    assert.deepEqual(handIn(pile, result(lease)), [isTaken], 'the first answer');
    assert.equal(outcomeOf(pile, lease), outcome);
    const bookings = [...pile.disk.bookings.values()];
    assert.deepEqual(handIn(pile, result(lease)), [isTaken], 'the second');
    again(pile);
    assert.deepEqual(handIn(pile, result(lease)), [isTaken], 'after a start');
    assert.deepEqual([...pile.disk.bookings.values()], bookings, 'nothing is booked for it again');
  });

test('a result that nobody could take yet, for the commit failed, is taken when it comes again', () => {
  const { pile, lease } = scene();
  const lost = step(pile.state, [pile.message('donor.lend', completed(lease))], pile.now());
  assert.equal(lost.changes.length > 0, true);
  // What was on disk before is loaded again.
  pile.restart();
  pile.plug('donor');
  pile.lend('donor', {}, [lease]);
  assert.deepEqual(handIn(pile, completed(lease)), [true]);
  assert.deepEqual(handIn(pile, completed(lease)), [true]);
});

test('a result twice after its task was acknowledged is accepted, and void once that was forgotten', () => {
  const { pile, lease } = scene();
  const [delivery] = bodiesOf(pile.say('donor.lend', completed(lease)), 'delivery');
  assert.ok(delivery);
  pile.say('asker.ask-1', { kind: 'deliveryAck', taskId: delivery.taskId });
  assert.deepEqual(handIn(pile, completed(lease)), [true]);
  pile.pass(pile.settings.retentionMs + 1);
  pile.step({ kind: 'housekeeping' });
  assert.deepEqual(handIn(pile, completed(lease)), [false]);
});

test('what is not known of any task is void without a reading', () => {
  const { pile, lease } = scene();
  const stranger = { ...lease, instanceId: 't9-9_0' as LeaseId['instanceId'] };
  const flood = Array.from({ length: 256 }, () => pile.message('donor.lend', completed(stranger)));
  const { resultRecalls, sends } = step(pile.state, flood, pile.now());
  assert.equal(resultRecalls.length, 0);
  assert.equal(sends.length, 256);
});

describe('what a donor hears of others', () => {
  test('a result under another vehicle’s lease is void, though that one’s counts', () => {
    const { pile, lease } = scene();
    pile.plug('other');
    pile.lend('other');
    assert.deepEqual(answers(pile.say('other.lend', completed(lease))), [false]);
    assert.deepEqual(handIn(pile, completed(lease)), [true]);
    assert.deepEqual(answers(pile.say('other.lend', completed(lease))), [false]);
  });

  test('a result that was outvoted is accepted again: its donor is not told that it was found out', () => {
    const donors = ['a', 'b', 'c', 'd', 'e'];
    const pile = pileWith(...donors);
    pile.addAlgorithm('agree', [{}], { compare: { by: 'bytes' } });
    const open = pile.say('asker.ask-1', request('r1', 'agree', { wants: { quorum: 2 } }));
    const said: [string, UpBody][] = [];
    for (let next = nextOffer(open); next !== undefined; next = nextOffer(open)) {
      const bytes = new Uint8Array([said.length === 0 ? 9 : 1]);
      const result = {
        ...completed(next.lease),
        outcome: { ok: true, output: { where: 'inline', bytes } },
      } as UpBody;
      said.push([next.clientId, result]);
      open.push(...pile.say(next.clientId, result));
    }
    assert.ok((bodiesOf(open, 'delivery')[0]?.agreeing ?? 0) >= 2);
    assert.ok(said.length > 2, 'one was outvoted');
    for (const [clientId, result] of said) assert.deepEqual(answers(pile.say(clientId, result)), [true]);
    pile.restart();
    for (const name of donors) {
      pile.plug(name);
      pile.lend(name);
    }
    for (const [clientId, result] of said) assert.deepEqual(answers(pile.say(clientId, result)), [true]);
  });

  test('a wrong answer to a spot check is accepted again, over a start', () => {
    const pile = new SimulatedPile({ trustAfter: 1, auditFloorMillis: 1, spotCheckMillis: 1000 });
    pile.addAlgorithm('known', [{}], { compare: { by: 'bytes' } });
    for (const donor of DONORS) {
      pile.plug(donor);
      pile.lend(donor);
    }
    pile.ask('asker');
    const about = { id: 'known' as never, args: [], input: Uint8Array.of(7), output: Uint8Array.of(1) };
    pile.step({ kind: 'operator', question: 2, command: { verb: 'addCheck', ...about } });
    const { clientId, lease } = checkOffer(pile);
    assert.deepEqual(answers(pile.say(clientId, completed(lease))), [true]);
    assert.deepEqual(answers(pile.say(clientId, completed(lease))), [true]);
    pile.restart();
    for (const donor of DONORS) {
      pile.plug(donor);
      pile.lend(donor);
    }
    assert.deepEqual(answers(pile.say(clientId, completed(lease))), [true]);
  });
});

test('attempts of versions before this one are told by their outcome', () => {
  const lease = { instanceId: 't1-1_0', fencingToken: 7 } as unknown as LeaseId;
  const vehicleId = 'donor' as VehicleId;
  const of = (outcome: AttemptOutcome): boolean =>
    answerAgain(lease, vehicleId, { vehicleId, outcome } as AttemptRecord).accepted;
  assert.deepEqual([of('completed'), of('failed')], [true, true]);
  const others = ['departed', 'crashed', 'declined', 'cancelled', 'expired'] as const;
  assert.deepEqual(others.map(of), [false, false, false, false, false]);
});

function nextOffer(open: SentBody[]): { clientId: string; lease: LeaseId } | undefined {
  const index = open.findIndex(({ body }) => body.kind === 'offer');
  if (index < 0) return undefined;
  const [found] = open.splice(index, 1);
  assert.ok(found?.body.kind === 'offer');
  return { clientId: found.clientId, lease: found.body.lease };
}

const DONORS = ['a', 'b', 'c', 'd'];

/** Somebody who is believed is asked, sooner or later. */
function checkOffer(pile: SimulatedPile): { clientId: string; lease: LeaseId } {
  for (let round = 0; round < 200; round += 1) {
    const sent = pile.say('asker.ask-1', request(`r${round}`, 'known'));
    for (const donor of DONORS) pile.say(`${donor}.lend`, capacityReport({}));
    sent.push(...pile.pass(15_000));
    for (let next = nextOffer(sent); next !== undefined; next = nextOffer(sent)) {
      const taskId = next.lease.instanceId.replace(/_0$/, '');
      if (pile.disk.tasks.get(taskId as never)?.task.vehicleId === CHECKER) return next;
      sent.push(...pile.say(next.clientId, completed(next.lease)));
    }
  }
  return assert.fail('nobody was checked');
}
