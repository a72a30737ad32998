/** Requests that are refused when they come: every reason at once, with its code, its numbers and a hint. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Wants } from '@plugpool/proto';
import { bodiesOf, pileWith } from '../simulation/simulated-pile.ts';
import { ask } from './core-donors-and-asker.ts';

const REFUSED: readonly [what: string, algorithm: string, wants: Wants, code: string][] = [
  ['a payer that is not its own', 'sum', { payer: 'somebody' }, 'payer_not_allowed'],
  ['a trust in its fleet where it has none', 'sum', { trust: { whom: 'fleet' } }, 'fleet_unknown'],
  ['a budget below what the work is expected to take', 'sum', { budgetMncs: 999 }, 'over_budget'],
  ['a budget that all its parts would exceed', 'sum', { budgetMncs: 1_999, instances: 2 }, 'over_budget'],
  ['a constraint that does not parse', 'sum', { constraint: 'donor.cores >' }, 'constraint_invalid'],
  ['a constraint that is no question', 'sum', { constraint: 'donor.cores + 1' }, 'constraint_invalid'],
  ['a demand above any donor', 'sum', { demand: { memoryMib: 1e7 } }, 'never_feasible'],
  [
    'a trust in a make that nobody is of',
    'sum',
    { trust: { whom: 'makes', makes: ['Ohm'] } },
    'never_feasible',
  ],
  ['work that no donor could end in time', 'sum', { demand: { workMncs: 1e11 } }, 'never_feasible'],
];

for (const [what, algorithm, wants, code] of REFUSED)
  test(`${what} is refused at once with its code and a hint, and nothing is stored`, () => {
    const pile = pileWith('donor');
    const [refused] = bodiesOf(ask(pile, 'r1', algorithm, wants), 'refused');
    assert.deepEqual(
      refused?.reasons.map((reason) => reason.code),
      [code],
    );
    assert.ok(refused.reasons.every(({ hint, detail }) => hint !== '' && detail !== ''));
    assert.equal(refused.retryable, false);
    assert.equal(pile.disk.tasks.size + pile.disk.instances.size + pile.state.tasks.size, 0);
    assert.equal(pile.state.waiting.size, 0);
  });

test('what is too large and what is too long is said in numbers with their units', () => {
  const pile = pileWith('donor');
  const detailOf = (id: string, demand: NonNullable<Wants['demand']>): string | undefined =>
    bodiesOf(ask(pile, id, 'sum', { demand }), 'refused')[0]?.reasons[0]?.detail;
  assert.equal(
    detailOf('large', { cpuMillicores: 99_999, memoryMib: 1e7 }),
    'no vehicle could ever run it: cpu needs 99,999 millicores, the largest vehicle has 32,000; memory needs 10,000,000 MiB, the largest vehicle has 131,072',
  );
  assert.match(
    detailOf('long', { workMncs: 1e11 }) ?? '',
    /^no vehicle could ever be through in time: it runs for at least \d+ h \d+ min, the deadline is in 24 h 0 min$/,
  );
});

test('everything that is wrong with a request is said at once', () => {
  const pile = pileWith('donor');
  const wants: Wants = { payer: 'x', budgetMncs: 1, constraint: '1', demand: { memoryMib: 1e7 } };
  const [refused] = bodiesOf(ask(pile, 'r1', 'sum', wants), 'refused');
  assert.deepEqual(
    new Set(refused?.reasons.map(({ code }) => code)),
    new Set(['payer_not_allowed', 'over_budget', 'constraint_invalid', 'never_feasible']),
  );
});
