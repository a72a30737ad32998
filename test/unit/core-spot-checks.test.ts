/** Donors that are believed are asked questions whose answers the pile knows; whoever answers wrongly lied. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseClientId, type FailureCode, type LeaseId, type UpBody, type VehicleId } from '@plugpool/proto';
import { CHECKER } from '../../agent/core/checks/checker.ts';
import { INCONCLUSIVE_MAX, KNOWN_ANSWERS_GIVEN_MAX } from '../../agent/core/limits.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { capacityReport, request, SimulatedPile, type SentBody } from '../simulation/simulated-pile.ts';

const KEY = 'sum@1';
const RIGHT = Uint8Array.of(1);

interface Offered {
  readonly donor: string;
  readonly taskId: string;
  readonly lease: LeaseId;
  readonly input: Uint8Array;
}

function offersIn(sent: readonly SentBody[]): Offered[] {
  return sent.flatMap(({ clientId, body }) =>
    body.kind === 'offer'
      ? [
          {
            donor: clientId.replace('.lend', ''),
            taskId: body.taskId,
            lease: body.lease,
            input: body.input.where === 'inline' ? body.input.bytes : new Uint8Array(0),
          },
        ]
      : [],
  );
}

function answer({ lease }: Offered, bytes: Uint8Array): UpBody {
  const used = { cpuMs: 100, wallMs: 100, memoryPeakMib: 1, gpuMs: 0 };
  return { kind: 'result', lease, used, outcome: { ok: true, output: { where: 'inline', bytes } } };
}

/** Everybody is believed after one result that agreed, and every grant is followed by a check. */
function pileWith(settings: Partial<Settings> = {}, workCoreS = 1): SimulatedPile {
  const pile = new SimulatedPile({ trustAfter: 1, auditFloorMillis: 1, spotCheckMillis: 1000, ...settings });
  pile.addAlgorithm('sum', [{}], { compare: { by: 'bytes' }, workCoreS });
  for (const donor of ['a', 'b', 'c', 'd']) {
    pile.plug(donor);
    pile.lend(donor);
  }
  pile.ask('asker');
  return pile;
}

/** Of the pile that the operator gave as many questions with their answers as it takes. */
function pileThatKnows(workCoreS = 1): SimulatedPile {
  const pile = pileWith({}, workCoreS);
  for (let n = 0; n < KNOWN_ANSWERS_GIVEN_MAX; n += 1) {
    const question = { id: 'sum' as never, args: [], input: Uint8Array.of(7, n), output: RIGHT };
    pile.step({ kind: 'operator', question: n, command: { verb: 'addCheck', ...question } });
  }
  return pile;
}

function isCheck(pile: SimulatedPile, { taskId }: Offered): boolean {
  return pile.disk.tasks.get(taskId as never)?.task.vehicleId === CHECKER;
}

/** Asks and answers, with the time that checks take to come; those that came. */
function play(pile: SimulatedPile, rounds: number, answers: (offer: Offered) => Uint8Array): Offered[] {
  const checks: Offered[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const open = offersIn(pile.say('asker.ask-1', request(`r${pile.nowMs}`, 'sum')));
    for (const donor of ['a', 'b', 'c', 'd']) pile.say(`${donor}.lend`, capacityReport({}));
    open.push(...offersIn(pile.pass(15_000)));
    for (let offer = open.shift(); offer !== undefined; offer = open.shift()) {
      if (isCheck(pile, offer)) checks.push(offer);
      open.push(...offersIn(pile.say(`${offer.donor}.lend`, answer(offer, answers(offer)))));
    }
  }
  return checks;
}

test('the pile asks in a name that no vehicle can have', () => {
  assert.equal(parseClientId(`${CHECKER}.ask-1`), undefined);
});

test('a check is an offer like any other, of a question that its donor never saw, at the cost of the operator', () => {
  const pile = pileThatKnows();
  const checks = play(pile, 60, () => RIGHT);
  assert.ok(checks.length > 3, `${checks.length} checks`);
  const [check] = checks as [Offered];
  assert.equal(check.input[0], 7);
  const booked = [...pile.disk.bookings.values()].filter(({ taskId }) => taskId === check.taskId);
  const accounts = booked[0]?.entries.map(({ account }) => String(account)) ?? [];
  assert.ok(
    accounts.includes('operator:checks') && accounts.includes(`vehicle:${check.donor}`),
    accounts.join(),
  );
  assert.equal(pile.disk.tasks.get(check.taskId as never)?.delivered, true, 'nobody has to acknowledge it');
});

test('who answers a check wrongly loses all trust and rests', () => {
  const pile = pileThatKnows();
  play(pile, 20, () => RIGHT);
  const liars = new Set<string>();
  play(pile, 60, (offer) => {
    if (!isCheck(pile, offer)) return RIGHT;
    liars.add(offer.donor);
    return Uint8Array.of(9);
  });
  assert.ok(liars.size > 0);
  for (const liar of liars) {
    assert.ok(pile.state.trust.outvoted(liar as VehicleId, pile.now()) > 0, liar);
    assert.match(pile.disk.learned.get(`trust/${liar}`) ?? '', /"outvoted":[1-9.]/);
  }
});

const LIMITS = ['cpu_time_limit', 'wall_time_limit', 'memory_limit'] as const;

/** Small ones that reach a limit wherever `atLimit` says so; what they answer the rest with is right. */
function playAtLimit(pile: SimulatedPile, rounds: number, atLimit: (offer: Offered) => boolean): Offered[] {
  const ended: Offered[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const open = offersIn(pile.say('asker.ask-1', request(`l${pile.nowMs}`, 'sum')));
    for (const donor of ['a', 'b', 'c', 'd']) pile.say(`${donor}.lend`, capacityReport({}));
    open.push(...offersIn(pile.pass(15_000)));
    for (let offer = open.shift(); offer !== undefined; offer = open.shift()) {
      const isEnded = isCheck(pile, offer) && atLimit(offer);
      if (isEnded) ended.push(offer);
      const body = isEnded ? endAtLimit(offer, LIMITS[ended.length % 3]) : answer(offer, RIGHT);
      open.push(...offersIn(pile.say(`${offer.donor}.lend`, body)));
    }
  }
  return ended;
}

function endAtLimit({ lease }: Offered, code: FailureCode = 'memory_limit'): UpBody {
  const used = { cpuMs: 100, wallMs: 100, memoryPeakMib: 1, gpuMs: 0 };
  const failure = { code, detail: 'it reached a limit', stderrTail: '' };
  return { kind: 'result', lease, used, outcome: { ok: false, failure } };
}

test('a check that ends at a limit is nobody’s lie: no trust is lost, none gained, and it earns nothing', () => {
  const pile = pileThatKnows();
  play(pile, 20, () => RIGHT);
  let ended = 0;
  const [check] = playAtLimit(pile, 60, () => (ended += 1) === 1) as [Offered];
  assert.ok(check, 'nobody was asked');
  const donor = check.donor as VehicleId;
  assert.equal(pile.state.trust.outvoted(donor, pile.now()), 0);
  assert.ok(pile.state.trust.isBelieved(donor, KEY, pile.now()));
  assert.equal(pile.state.health.verdict(donor, 'cpu', pile.now()).state, 'well');
  const booked = [...pile.disk.bookings.values()].filter(({ taskId }) => taskId === check.taskId);
  assert.deepEqual(booked, []);
  assert.ok(pile.state.answers.given(KEY).length > 0, 'the answer is not doubted for it');
});

test('who ends check after check at a limit is a stranger again, however its other runs agree, over a restart too', () => {
  const pile = pileThatKnows();
  play(pile, 20, () => RIGHT);
  const ends = new Map<string, number>();
  let stranger: VehicleId | undefined;
  for (let round = 0; round < 200 && stranger === undefined; round += 1)
    for (const { donor } of playAtLimit(pile, 1, () => true)) {
      const count = (ends.get(donor) ?? 0) + 1;
      ends.set(donor, count);
      const isBelieved = pile.state.trust.isBelieved(donor as VehicleId, KEY, pile.now());
      assert.equal(isBelieved, count < INCONCLUSIVE_MAX, `${donor} after ${count}`);
      if (!isBelieved) stranger = donor as VehicleId;
    }
  assert.ok(stranger, 'nobody was asked often enough');
  pile.restart();
  assert.equal(pile.state.trust.agreed(stranger, KEY, pile.now()), 0);
  assert.equal(pile.state.trust.outvoted(stranger, pile.now()), 0, 'and no liar');
});

test('what owners agreed on is asked of others, unless its requester showed it to some donors alone', () => {
  for (const [wants, isKept] of [
    [{}, true],
    [{ constraint: 'donor.cores > 0' }, false],
  ] as const) {
    const pile = pileWith();
    for (const offer of offersIn(pile.say('asker.ask-1', request('r1', 'sum', { wants }))))
      pile.say(`${offer.donor}.lend`, answer(offer, RIGHT));
    const { answers, random } = pile.state;
    assert.equal(answers.pick(KEY, 'vehicle:somebody-else', random) !== undefined, isKept);
    for (const donor of ['a', 'b', 'c', 'd'])
      if (pile.state.trust.agreed(donor as VehicleId, KEY, pile.now()) > 0)
        assert.equal(answers.pick(KEY, `vehicle:${donor}`, random), undefined, 'who gave it knows it');
  }
});

test('without known answers, or without spot checks, nobody is asked', () => {
  assert.equal(play(pileWith({ spotCheckMillis: 0 }), 30, () => RIGHT).length, 0);
  // Answers that one sees alone are shown to nobody else: what is asked of a fleet is not kept.
  const pile = pileWith();
  assert.equal(pile.state.answers.pick(KEY, 'vehicle:a', pile.state.random), undefined);
});

test('the operator gives questions with their answers, and they are kept over a restart', () => {
  const pile = pileWith();
  const bytes = { input: Uint8Array.of(7), output: Uint8Array.of(8) };
  const command = { verb: 'addCheck', id: 'sum' as never, args: ['x'], ...bytes } as const;
  pile.step({ kind: 'operator', question: 1, command });
  pile.restart();
  const [given] = pile.state.answers.given(KEY);
  assert.deepEqual([given?.args, given?.input, given?.output], [['x'], bytes.input, bytes.output]);
});

test('a check that is under way at a restart comes to nothing, and is nobody’s fault', () => {
  const pile = pileThatKnows();
  play(pile, 20, () => RIGHT);
  let under: Offered | undefined;
  for (let i = 0; under === undefined && i < 60; i += 1) {
    const open = offersIn(pile.say('asker.ask-1', request(`s${i}`, 'sum')));
    for (const donor of ['a', 'b', 'c', 'd']) pile.say(`${donor}.lend`, capacityReport({}));
    open.push(...offersIn(pile.pass(14_000)));
    under = open.find((offer) => isCheck(pile, offer));
    for (const offer of open) if (offer !== under) pile.say(`${offer.donor}.lend`, answer(offer, RIGHT));
  }
  assert.ok(under);
  pile.restart();
  pile.step({ kind: 'tick' });
  assert.equal(pile.disk.tasks.get(under.taskId as never)?.end?.state, 'cancelled');
  assert.equal(pile.state.trust.outvoted(under.donor as VehicleId, pile.now()), 0);
});

test('neither the seed nor the limits of an offer tell that it is a check', () => {
  const pile = pileThatKnows(100);
  const seen = new Map<boolean, Set<string>>([
    [true, new Set()],
    [false, new Set()],
  ]);
  pile.afterStep = (sent) => {
    for (const { body } of sent) {
      if (body.kind !== 'offer') continue;
      const isOfPile = pile.disk.tasks.get(body.taskId)?.task.vehicleId === CHECKER;
      seen.get(isOfPile)?.add(JSON.stringify(body.limits));
      seen.get(isOfPile)?.add(`seed ${Buffer.from(body.seed).toString('hex')}`);
    }
  };
  play(pile, 60, () => RIGHT);
  const [checks, others] = [[...(seen.get(true) ?? [])], [...(seen.get(false) ?? [])]];
  const limitsIn = (of: string[]): string[] => of.filter((each) => !each.startsWith('seed'));
  assert.deepEqual(limitsIn(checks), limitsIn(others));
  assert.ok(checks.length > 3, 'each check has a seed of its own');
});

test('the seed of a task is the same over a restart, and another on another pile', () => {
  const seedsOf = (settings: Partial<Settings>): string[] => {
    const pile = new SimulatedPile(settings);
    pile.addAlgorithm('sum');
    pile.ask('asker');
    pile.say('asker.ask-1', request('r1', 'sum'));
    const seeds: string[] = [];
    pile.afterStep = (sent) => {
      for (const { body } of sent)
        if (body.kind === 'offer') seeds.push(Buffer.from(body.seed).toString('hex'));
    };
    for (const donor of ['a', 'b']) {
      pile.plug(donor);
      pile.lend(donor);
      pile.unplug(donor);
      pile.pass(60_000);
      pile.restart();
    }
    return seeds;
  };
  const [mine, others] = [seedsOf({ seed: 1 }), seedsOf({ seed: 2 })];
  assert.deepEqual(mine, [mine[0], mine[0]]);
  assert.notEqual(mine[0], others[0]);
});

test('an answer that a donor contradicts is asked of nobody else: two who lied together harm one with it, not everybody', () => {
  const pile = pileWith();
  const lied = offersIn(pile.say('asker.ask-1', request('lie', 'sum')));
  for (const offer of lied) pile.say(`${offer.donor}.lend`, answer(offer, Uint8Array.of(9)));
  const honest = ['a', 'b', 'c', 'd'].filter((donor) => !lied.some((offer) => offer.donor === donor));
  const lie = pile.state.answers.pick(KEY, `vehicle:${honest[0]}`, pile.state.random);
  assert.ok(lie);
  const asked = (): unknown => pile.state.answers.pick(KEY, `vehicle:${honest[0]}`, pile.state.random);
  for (const { donor } of lied) pile.say(`${donor}.lend`, capacityReport({}, { lending: false }));
  let isContradicted = false;
  for (let round = 0; round < 40 && !isContradicted; round += 1) {
    const open = offersIn(pile.say('asker.ask-1', request(`r${round}`, 'sum', { args: ['another'] })));
    for (const donor of honest) pile.say(`${donor}.lend`, capacityReport({}));
    open.push(...offersIn(pile.pass(15_000)));
    for (const offer of open) {
      isContradicted ||= isCheck(pile, offer);
      pile.say(`${offer.donor}.lend`, answer(offer, RIGHT));
    }
  }
  assert.ok(isContradicted, 'nobody was asked');
  for (let i = 0; i < 20; i += 1)
    assert.notEqual((asked() as { output?: Uint8Array } | undefined)?.output?.[0], 9);
});

test('an owner’s constraint cannot tell a check from a request: what it takes of the one, it takes of the other', () => {
  const telling = [
    `request.requester != "${CHECKER}"`,
    'request.requester == "asker"',
    'request.deadlineS < 4000',
    'request.priority > 0',
  ];
  for (const constraint of telling) {
    const pile = pileThatKnows();
    const asked: Offered[] = [];
    for (let round = 0; round < 60; round += 1) {
      const wants = { latencyMs: 5_000 };
      const body = request(`c${pile.nowMs}`, 'sum', { wants, deadlineMs: 3_600_000 });
      const open = offersIn(pile.say('asker.ask-1', body));
      for (const donor of ['a', 'b', 'c', 'd']) pile.say(`${donor}.lend`, capacityReport({}, { constraint }));
      open.push(...offersIn(pile.pass(15_000)));
      for (let offer = open.shift(); offer !== undefined; offer = open.shift()) {
        if (isCheck(pile, offer)) asked.push(offer);
        open.push(...offersIn(pile.say(`${offer.donor}.lend`, answer(offer, RIGHT))));
      }
    }
    assert.ok(asked.length > 0, `${constraint} keeps all checks away`);
  }
});

test('nobody is asked the same question twice, nor one that it asked itself: it would know what that is', () => {
  const pile = pileThatKnows();
  const seen = new Map<string, number>();
  pile.afterStep = (sent) => {
    for (const { clientId, body } of sent) {
      if (body.kind !== 'offer' || pile.disk.tasks.get(body.taskId)?.task.vehicleId !== CHECKER) continue;
      const question = `${clientId} ${JSON.stringify([body.args, body.input])}`;
      seen.set(question, (seen.get(question) ?? 0) + 1);
    }
  };
  play(pile, 80, () => RIGHT);
  const given = [...seen].filter(([question]) => question.includes('"0":7'));
  assert.ok(given.length > 0, [...seen.keys()].join('; '));
  assert.deepEqual(
    given.filter(([, times]) => times > 1),
    [],
  );
  const { answers, random } = pileWith().state;
  assert.equal(answers.pick(KEY, 'vehicle:asker', random), undefined);
  const own = pileWith();
  for (const offer of offersIn(own.say('asker.ask-1', request('r1', 'sum'))))
    own.say(`${offer.donor}.lend`, answer(offer, RIGHT));
  assert.ok(own.state.answers.pick(KEY, 'vehicle:somebody-else', own.state.random));
  assert.equal(own.state.answers.pick(KEY, 'vehicle:asker', own.state.random), undefined);
});
