/** The schemes that ours is measured against, each one rule over the same line and the same donors. */
import { type Rule, type Line, type Start, LinePolicy } from './line-policy.ts';
import type { Donor, OpenTask, Policy } from '../policy.ts';
import { fits, hashShare } from '../work.ts';

type Choose = (open: OpenTask, fitting: readonly Donor[], nowMs: number) => Donor | undefined;

/** The oldest first; who does not fit anywhere is passed over. */
function inTurn(choose: Choose): Rule {
  return (line, start) => placeAll([...line.waiting], line, choose, start);
}

function placeAll(order: readonly OpenTask[], { donors, nowMs }: Line, choose: Choose, start: Start): void {
  for (const open of order) {
    const { demand } = open.task;
    const donor = choose(
      open,
      donors.filter(({ free }) => fits(demand, free)),
      nowMs,
    );
    if (donor !== undefined) start(open, donor);
  }
}

const first: Choose = (_open, fitting) => fitting[0];
const last: Choose = (_open, fitting) => fitting.at(-1);
const random: Choose = ({ task }, fitting, nowMs) =>
  fitting[Math.floor(hashShare('random', task.id, nowMs) * fitting.length)];
/** What would be left is least. */
const best: Choose = (_open, fitting) => leastOf(fitting, ({ free, whole }) => sumOf(free, whole));
const emptiest: Choose = (_open, fitting) => leastOf(fitting, ({ free, whole }) => -sumOf(free, whole));

function sumOf(free: Donor['free'], whole: Donor['whole']): number {
  return (
    free.cpuMillicores / whole.cpuMillicores +
    free.memoryMib / whole.memoryMib +
    free.gpuMillis / whole.gpuMillis
  );
}

function leastOf(donors: readonly Donor[], cost: (donor: Donor) => number): Donor | undefined {
  let found: Donor | undefined;
  let least = Infinity;
  for (const donor of donors) {
    const its = cost(donor);
    if (its < least) [found, least] = [donor, its];
  }
  return found;
}

/** The latency-sensitive first, then by deadline; first fit. */
const priorityQueue: Rule = (line, start) => {
  const order = [...line.waiting].sort(
    (a, b) =>
      Number(b.task.class === 'LS') - Number(a.task.class === 'LS') || a.task.deadlineMs - b.task.deadlineMs,
  );
  placeAll(order, line, first, start);
};

/** A negotiation: the payers by turns, who holds least first, each its oldest task that fits, on the emptiest donor. */
const negotiation: Rule = (line, start) => {
  const passed = new Set<OpenTask>();
  for (;;) {
    const next = leastOfTasks(line, passed);
    if (next === undefined) return;
    const fitting = line.donors.filter(({ free }) => fits(next.task.demand, free));
    const donor = emptiest(next, fitting, line.nowMs);
    if (donor === undefined) passed.add(next);
    else start(next, donor);
  }
};

function leastOfTasks({ waiting, held }: Line, passed: ReadonlySet<OpenTask>): OpenTask | undefined {
  let found: OpenTask | undefined;
  let least = Infinity;
  for (const open of waiting) {
    if (passed.has(open)) continue;
    const its = held.get(open.task.payer) ?? 0;
    if (its < least) [found, least] = [open, its];
  }
  return found;
}

/** Every vehicle belongs to one of three equal parts, a part a kind of task; in each, first come first served and nobody passes. */
const evenSplit: Rule = ({ waiting, donors }, start) => {
  for (const part of PARTS) {
    for (const open of [...waiting].filter(({ task }) => partOf(task.demand, donors) === part)) {
      const donor = donors.find(
        (d) => PARTS[d.number % PARTS.length] === part && fits(open.task.demand, d.free),
      );
      if (donor === undefined) break;
      start(open, donor);
    }
  }
};

const PARTS = ['gpuMillis', 'cpuMillicores', 'memoryMib'] as const;

function partOf(demand: Donor['free'], donors: readonly Donor[]): (typeof PARTS)[number] {
  const whole = donors[0]?.whole ?? demand;
  return PARTS.reduce((a, b) => (demand[b] / whole[b] > demand[a] / whole[a] ? b : a));
}

export function makeBaselines(): Policy[] {
  return [
    new LinePolicy('random', inTurn(random)),
    new LinePolicy('first-fit', inTurn(first)),
    new LinePolicy('best-fit', inTurn(best)),
    new LinePolicy('last-fit', inTurn(last)),
    new LinePolicy('even-split-fcfs', evenSplit),
    new LinePolicy('priority-first-fit', priorityQueue),
    new LinePolicy('minute-cycles', negotiation, { cycleMs: 60_000 }),
  ];
}
