/** What a step decides about small scenes, beside the exact optimum; `npm run bench -- match --oracle` does the same with more. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { judge, type Judged } from '../../bench/match/oracle.ts';
import { loadSolver, type Solver } from '../../bench/match/optimum.ts';

const SCENES = 60;

const solver = await loadSolver().catch((error: unknown) => String(error));

function judgeAll(by: Solver): Judged[] {
  const judged: Judged[] = [];
  for (let seed = 1; judged.length < SCENES; seed += 1) {
    const one = judge(seed, by);
    if (one !== undefined) judged.push(one);
  }
  return judged;
}

test(
  'what comes together is placed for 97 % of the best there is, breaks no rule and gives up no priority',
  { skip: typeof solver === 'string' && `the solver cannot be loaded: ${solver}` },
  () => {
    if (typeof solver === 'string') return;
    const judged = judgeAll(solver);
    const contested = judged.filter(({ isContested }) => isContested);
    assert.deepEqual(
      judged.filter(({ infeasible, isAboveOptimum }) => infeasible > 0 || isAboveOptimum),
      [],
    );
    const mean = contested.reduce((sum, { share }) => sum + share, 0) / contested.length;
    assert.ok(contested.length > SCENES / 4, `only ${contested.length} scenes are contested`);
    assert.ok(mean > 0.97, `of the optimum: ${mean}`);
  },
);
