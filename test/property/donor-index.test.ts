/** The index of donors, and the tree of maxima that it stands on, find what a look at each one finds. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { VehicleId } from '@plugpool/proto';
import fc from 'fast-check';
import { DonorIndex, type AtLeast } from '../../agent/core/matching/donor-index.ts';
import { MaxTree } from '../../agent/core/matching/max-tree.ts';
import type { Donor } from '../../agent/core/state.ts';
import { NO_STAY } from '../../agent/core/dwell/stay.ts';

const DIMENSIONS = 3;

type TreeAct =
  | { do: 'add'; values: number[] }
  | { do: 'set'; nth: number; values: number[] }
  | { do: 'remove'; nth: number }
  | { do: 'find'; least: number[] };

// Few different values, so that bounds are met exactly.
const amount = fc.oneof(fc.nat(4), fc.nat(1000), fc.constant(Infinity));
const values = fc.array(amount, { minLength: DIMENSIONS, maxLength: DIMENSIONS });
const nth = fc.nat(200);
const treeAct: fc.Arbitrary<TreeAct> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), values }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('set' as const), nth, values }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('find' as const), least: values }) },
);

/** A tree and, beside it, a plain list of what it holds: an item is its own number, the slot is its place in the list. */
class TreeAndList {
  readonly tree = new MaxTree<number>(DIMENSIONS);
  readonly list: { item: number; values: number[] }[] = [];
  #count = 0;

  perform(act: TreeAct): void {
    const { tree, list } = this;
    const slot = 'nth' in act && list.length > 0 ? act.nth % list.length : undefined;
    if (act.do === 'add') {
      this.#count += 1;
      assert.equal(tree.add(this.#count, act.values), list.length);
      list.push({ item: this.#count, values: act.values });
    } else if (act.do === 'find') {
      assert.deepEqual(this.#found(act.least), this.#scanned(act.least));
    } else if (slot !== undefined && act.do === 'set') {
      tree.set(slot, act.values);
      list[slot] = { item: list[slot]?.item ?? 0, values: act.values };
    } else if (slot !== undefined) {
      const last = list.pop();
      const isLast = slot === list.length;
      assert.equal(tree.remove(slot), isLast ? undefined : last?.item);
      if (!isLast && last !== undefined) list[slot] = last;
    }
    assert.equal(tree.size, list.length);
  }

  #found(least: number[]): number[] {
    const found: number[] = [];
    assert.ok(this.tree.eachWithAtLeast(least, (item) => found.push(item) > 0));
    return found;
  }

  #scanned(least: number[]): number[] {
    return this.list
      .filter((each) => each.values.every((value, d) => value >= (least[d] ?? 0)))
      .map(({ item }) => item);
  }
}

test('a tree of maxima finds the slots that a scan finds, whatever was added, set and removed', () => {
  fc.assert(
    fc.property(fc.array(treeAct, { minLength: 20, maxLength: 400, size: 'max' }), (acts) => {
      const both = new TreeAndList();
      for (const each of acts) both.perform(each);
      for (const each of [0, 1, 3, 500]) both.perform({ do: 'find', least: [each, each, 0] });
    }),
    { numRuns: 300 },
  );
});

test('a search stops at the slot where it is told to', () => {
  const tree = new MaxTree<number>(1);
  for (let item = 0; item < 10; item++) tree.add(item, [item]);
  const seen: number[] = [];
  const isWhole = tree.eachWithAtLeast([4], (item) => seen.push(item) < 2);
  assert.deepEqual(seen, [4, 5]);
  assert.equal(isWhole, false);
});

interface Has {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: readonly { shareMillis: number; vramMib: number }[];
  readonly stayMs: number;
}

const stayMs = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 100_000_000 }), fc.constant(Infinity));
const has: fc.Arbitrary<Has> = fc.record({
  cpu: fc.nat(8),
  memory: fc.nat(8),
  gpus: fc.array(fc.record({ shareMillis: fc.nat(4), vramMib: fc.nat(4) }), { maxLength: 2 }),
  stayMs,
});
const least: fc.Arbitrary<AtLeast> = fc.record({
  cpuMillicores: fc.nat(8),
  memoryMib: fc.nat(8),
  gpuMillis: fc.nat(4),
  vramMib: fc.nat(4),
  stayMs: fc.oneof(fc.nat(3), fc.nat(100_000_000)),
});
const LATER_MS = 100_000_000;

type IndexAct =
  | { do: 'put'; id: number; has: Has }
  | { do: 'remove'; id: number }
  | { do: 'find'; least: AtLeast; laterMs: number };

const indexAct: fc.Arbitrary<IndexAct> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), id: fc.nat(40), has }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), id: fc.nat(40) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('find' as const), least, laterMs: fc.nat(LATER_MS) }),
  },
);

function donorNamed(id: number): Donor {
  const nothing = { cpuMillicores: 0, memoryMib: 0, gpus: [] };
  return {
    vehicleId: `v${id}` as VehicleId,
    clientId: undefined,
    hardware: undefined,
    runtimes: [],
    report: undefined,
    lendable: nothing,
    reportedMonoMs: 0,
    heldDown: undefined,
    departureMonoMs: undefined,
    isBehind: false,
    restless: undefined,
    judging: undefined,
    cachedImages: new Set(),
    stay: NO_STAY,
    verdicts: new Map(),
    leased: new Map(),
    free: nothing,
  };
}

class IndexAndMap {
  readonly index = new DonorIndex();
  readonly indexed = new Map<Donor, Has>();
  readonly #donors = Array.from({ length: 41 }, (_, id) => donorNamed(id));
  nowMs = 1_000;

  perform(act: IndexAct): void {
    if (act.do === 'find') return this.#find(act.least, act.laterMs);
    const donor = this.#donors[act.id] as Donor;
    if (act.do === 'remove') {
      this.index.remove(donor);
      this.indexed.delete(donor);
    } else {
      this.nowMs += 1;
      this.#give(donor, act.has);
      this.index.put(donor);
      this.indexed.set(donor, act.has);
    }
    assert.equal(this.index.has(donor), this.indexed.has(donor));
    assert.equal(this.index.size, this.indexed.size);
  }

  #give(donor: Donor, { cpu, memory, gpus, stayMs }: Has): void {
    donor.free = {
      cpuMillicores: cpu,
      memoryMib: memory,
      gpus: gpus.map((gpu, at) => ({ deviceId: `gpu${at}`, model: '', ...gpu })),
    };
    donor.stay = { ...NO_STAY, reviewedMonoMs: this.nowMs, mayStayMs: stayMs };
  }

  #find(least: AtLeast, laterMs: number): void {
    const nowMs = this.nowMs + laterMs;
    const found: Donor[] = [];
    this.index.eachWithAtLeast(least, nowMs, (donor) => found.push(donor) > 0);
    assert.equal(new Set(found).size, found.length, 'a donor is visited twice');
    const missed = [...this.indexed.keys()].filter((donor) => suits(donor, least, nowMs));
    for (const donor of missed) assert.ok(found.includes(donor), `${donor.vehicleId} is passed over`);
    for (const donor of found) {
      const { free, stay } = donor;
      assert.ok(free.cpuMillicores >= least.cpuMillicores && free.memoryMib >= least.memoryMib);
      // Rounded to minutes, both.
      assert.ok(stay.reviewedMonoMs + stay.mayStayMs + 120_000 >= nowMs + least.stayMs);
    }
  }
}

/** One device has enough share and memory. */
function suits({ free, stay }: Donor, least: AtLeast, nowMs: number): boolean {
  const { gpuMillis, vramMib } = least;
  const hasGpu =
    (gpuMillis === 0 && vramMib === 0) ||
    free.gpus.some((gpu) => gpu.shareMillis >= gpuMillis && gpu.vramMib >= vramMib);
  const staysLongEnough = stay.reviewedMonoMs + stay.mayStayMs - nowMs >= least.stayMs;
  return (
    hasGpu &&
    staysLongEnough &&
    free.cpuMillicores >= least.cpuMillicores &&
    free.memoryMib >= least.memoryMib
  );
}

test('the index passes over no donor that suits, and visits none twice, however time passes', () => {
  fc.assert(
    fc.property(fc.array(indexAct, { minLength: 20, maxLength: 300, size: 'max' }), (acts) => {
      const both = new IndexAndMap();
      for (const each of acts) both.perform(each);
    }),
    { numRuns: 300 },
  );
});

test('a demand that needs no GPU meets those without one before those with one', () => {
  const index = new DonorIndex();
  const [plain, rich] = [donorNamed(1), donorNamed(2)];
  const gpu = { deviceId: 'gpu0', model: '', shareMillis: 1000, vramMib: 1 };
  for (const donor of [rich, plain]) {
    donor.free = { cpuMillicores: 1, memoryMib: 1, gpus: donor === rich ? [gpu] : [] };
    donor.stay = { ...NO_STAY, mayStayMs: 1000 };
    index.put(donor);
  }
  const met: Donor[] = [];
  const nothing = { cpuMillicores: 0, memoryMib: 0, gpuMillis: 0, vramMib: 0, stayMs: 1 };
  index.eachWithAtLeast(nothing, 0, (donor) => met.push(donor) > 0);
  assert.deepEqual(met, [plain, rich]);
});
