/** Constraints in CEL: only `true` is a match, what is missing is not true, and no text of a stranger costs much. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONSTRAINT_BYTES_MAX } from '@plugpool/proto';
import {
  compileConstraint,
  Constraints,
  isMatch,
  type Constraint,
} from '../../agent/core/constraint/constraint.ts';
import {
  DONOR_FIELDS,
  DonorFacts,
  REQUEST_FIELDS,
  RequestFacts,
  type Facts,
  type Side,
} from '../../agent/core/constraint/constraint-facts.ts';
import { CONSTRAINT_TEXT_BYTES_MAX } from '../../agent/core/limits.ts';

const KNOWN = {
  make: 'volta',
  fleet: '',
  cores: 8n,
  cpuMillicores: 6_000n,
  memoryMib: 16_384n,
  speed: 1.25,
  cpuModel: 'Orin A78',
  platform: 'linux-arm64',
  runtimes: ['wasm', 'onnx'],
  gpus: 1n,
  gpuModels: ['orin'],
  vramMib: 8_192n,
  state: 'charging',
  connector: 'station/1/1',
};
const DONOR = new DonorFacts({ ...KNOWN, socPermille: 620n });
const WITHOUT_SOC = new DonorFacts(KNOWN);
const REQUEST = new RequestFacts({
  type: 'route-plan',
  algorithm: 'astar',
  version: '1',
  requester: 'car-a',
  fleet: 'north',
  payer: 'north',
  instances: 1n,
  cpuMillicores: 1_000n,
  memoryMib: 64n,
  gpuMillis: 0n,
  vramMib: 0n,
  runS: 30n,
  deadlineS: 600n,
  class: 'cpu',
  priority: 2n,
});

function compiled(text: string, over: Side = 'donor'): Constraint {
  const result = compileConstraint(text, over);
  assert.ok(result.ok, `${text}: ${JSON.stringify(result)}`);
  return result.constraint;
}

function refusal(text: string, over: Side = 'donor'): string {
  const result = compileConstraint(text, over);
  assert.ok(!result.ok, `${text} is not refused`);
  return `${result.why} | ${result.hint}`;
}

test('only true is a match', () => {
  const verdicts: readonly [text: string, facts: Facts, expected: boolean][] = [
    ['donor.make == "volta"', DONOR, true],
    ['donor.make == "ohm"', DONOR, false],
    ['donor.memoryMib >= 4096 && donor.speed >= 0.8', DONOR, true],
    ['"onnx" in donor.runtimes', DONOR, true],
    ['donor.make in ["ohm", "volta"]', DONOR, true],
    ['donor.gpuModels[0].startsWith("or")', DONOR, true],
    ['donor.gpuModels[1] == "orin"', DONOR, false],
    ['donor.cores / (donor.gpus - 1) > 2', DONOR, false],
    ['donor.cores * 9223372036854775807 > 0', DONOR, false],
    ['size(donor.runtimes) == 2 && donor.cpuModel.contains("A78")', DONOR, true],
    ['donor.speed * 2.0 > 2.4 ? donor.gpus > 0 : false', DONOR, true],
    ['request.runS < 600 && request.requester != "car-b"', REQUEST, true],
    ['request.payer == request.fleet', REQUEST, true],
  ];
  for (const [text, facts, expected] of verdicts)
    assert.equal(isMatch(compiled(text, facts.over), facts), expected, text);
});

test('what is missing is not true, said either way round', () => {
  for (const text of [
    'donor.socPermille > 300',
    '!(donor.socPermille > 300)',
    'donor.socPermille != 300',
    'has(donor.socPermille)',
    'donor.socPermille > 300 ? true : true',
    '-donor.socPermille < 0 && donor.cores > 0',
    'string(donor.socPermille) != ""',
    '[donor.socPermille] != [300]',
  ])
    assert.equal(isMatch(compiled(text), WITHOUT_SOC), false, text);
  for (const text of [
    'donor.socPermille > 300 || donor.cores > 4',
    'donor.cores > 4 || donor.socPermille > 300',
    '!has(donor.socPermille) || donor.socPermille > 300',
    'has(donor.socPermille) ? donor.socPermille > 300 : donor.cores > 4',
    '!(donor.socPermille > 300 && donor.cores < 4)',
  ])
    assert.equal(isMatch(compiled(text), WITHOUT_SOC), true, text);
  assert.equal(isMatch(compiled('request.latencyMs < 100', 'request'), REQUEST), false);
});

test('what cannot be a constraint is refused with its place and what to do', () => {
  const expected: readonly [text: string, said: RegExp][] = [
    ['donor.make ==', /^at character 14: it ends too soon \| /],
    ['donor.cores >> 2', /^at character 14/],
    ['donor.cores', /of type int, not true or false/],
    ['donor.cores == "eight"', /int == string.*\| both sides/],
    ['donor.cores == 8.0', /int == double/],
    ['donor.cors > 2', /^at character 7: donor has no field cors \| did you mean donor\.cores\?/],
    ['has(donor.cors)', /no field cors/],
    ['donor.xyzzyplugh == 1', /the fields are make, fleet/],
    ['request.runS < 60', /there is no request here \| the only name is donor/],
    ['donor == donor', /donor stands alone/],
    ['donor["make"] == "volta"', /donor stands alone/],
    ['donor.runtimes.exists(r, r == "onnx")', /macro exists is not allowed.*\| .*in donor\.runtimes/],
    ['donor.runtimes.all(r, true)', /macro all/],
    ['donor.runtimes.exists_one(r, true)', /macro exists_one/],
    ['size(donor.runtimes.map(r, r)) > 0', /macro map/],
    ['size(donor.runtimes.filter(r, true)) > 0', /macro filter/],
    ['donor.make.matches("(a+)+$")', /matches is not allowed/],
    ['cel.bind(x, donor.make, x == x)', /there is no bind\(\)/],
    ['timestamp("2020-01-01T00:00:00Z").getHours("Asia/Tokyo") == 1', /there is no getHours/],
    ['dyn(donor.cores) == true', /there is no dyn/],
    ['type(donor.cores) == int', /there is no type/],
    ['donor.make + "x" == "voltax"', /cannot be joined/],
    ['(true ? donor.make : "") + "x" == "voltax"', /cannot be joined/],
    ['size(donor.runtimes + donor.runtimes) > 1', /cannot be joined/],
    ['["a"][0] + "b" == "ab"', /cannot be joined/],
    ['{"a": 1}.a == 1', /of CEL has no use|macro|no field/],
    ['b"a" == b"a"', /only texts, numbers/],
    ['1u == 1u', /only texts, numbers/],
    ['null == null', /only texts, numbers/],
    ['donor.cores < 9223372036854775808', /too large/],
    ['donor.__proto__ == donor.constructor', /no field __proto__/],
    ['', /^at character 1/],
    [`true${' || true'.repeat(60)}`, /too large: at most 100 parts/],
    [`${'('.repeat(200)}true${')'.repeat(200)}`, /too large/],
    [`${'!'.repeat(2000)}true`, /too large/],
    [`"${'é'.repeat(1024)}" == ""`, /bytes, at most 2048/],
  ];
  for (const [text, said] of expected) assert.match(refusal(text), said, text);
});

test('the bound of a text is that of the wire', () => {
  assert.equal(CONSTRAINT_TEXT_BYTES_MAX, CONSTRAINT_BYTES_MAX);
  const longest = `donor.make == "${'x'.repeat(CONSTRAINT_BYTES_MAX - 16)}"`;
  assert.equal(longest.length, CONSTRAINT_BYTES_MAX);
  assert.equal(isMatch(compiled(longest), DONOR), false);
});

/** An expression, and what it is by the rules of CEL: an error is absorbed by what decides without it. */
interface Judged {
  readonly text: string;
  readonly value: boolean | 'error';
}

const leaf: fc.Arbitrary<Judged> = fc.oneof(
  fc.constantFrom<Judged>(
    { text: 'donor.make == "volta"', value: true },
    { text: 'donor.socPermille > 300', value: 'error' },
    { text: 'has(donor.socPermille)', value: false },
    { text: '"wasm" in donor.runtimes', value: true },
    { text: 'donor.gpuModels[7] == "x"', value: 'error' },
    { text: 'false', value: false },
  ),
  fc.integer({ min: 0, max: 16 }).map((n): Judged => ({ text: `donor.cores >= ${n}`, value: 8 >= n })),
  fc
    .integer({ min: 0, max: 3 })
    .map((n): Judged => ({ text: `donor.speed < ${n}.5`, value: 1.25 < n + 0.5 })),
);

const { tree } = fc.letrec<{ tree: Judged }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc
      .tuple(tie('tree'), tie('tree'))
      .map(([a, b]) => ({ text: `(${a.text} && ${b.text})`, value: and(a.value, b.value) })),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => ({
      text: `(${a.text} || ${b.text})`,
      value: not(and(not(a.value), not(b.value))),
    })),
    tie('tree').map((a) => ({ text: `!(${a.text})`, value: not(a.value) })),
    fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([a, b, c]) => ({
      text: `(${a.text} ? ${b.text} : ${c.text})`,
      value: a.value === 'error' ? ('error' as const) : a.value ? b.value : c.value,
    })),
  ),
}));

function and(a: Judged['value'], b: Judged['value']): Judged['value'] {
  if (a === false || b === false) return false;
  return a === 'error' || b === 'error' ? 'error' : true;
}

function not(a: Judged['value']): Judged['value'] {
  return a === 'error' ? a : !a;
}

test('an expression matches where the rules of CEL make it true, and nowhere else', () => {
  fc.assert(
    fc.property(tree, ({ text, value }) => {
      const result = compileConstraint(text, 'donor');
      // Deep or wide ones are too large; the rest must be taken.
      if (!result.ok) return assert.match(result.why, /too large/);
      assert.equal(isMatch(result.constraint, WITHOUT_SOC), value === true, text);
    }),
    { numRuns: 2_000 },
  );
});

const TOKENS = [
  ...['donor', 'request', '.', '(', ')', '[', ']', '{', '}', '!', '-', '&&', '||', '?', ':', '==', '+', '*'],
  ...[
    'true',
    'null',
    '1',
    '1.5',
    '"a"',
    'r"\\',
    "'''",
    'b"',
    '0x',
    '1e999',
    'u',
    ' ',
    '\n',
    '\0',
    '\u{1f697}',
  ],
  ...Object.keys(DONOR_FIELDS),
  ...Object.keys(REQUEST_FIELDS),
  ...['has', 'size', 'matches', 'map', 'exists', 'cel', 'bind', '__proto__', 'constructor', 'in', ','],
];
const hostile = fc.oneof(
  fc.array(fc.constantFrom(...TOKENS), { maxLength: 200 }).map((tokens) => tokens.join('')),
  fc.tuple(fc.constantFrom(...TOKENS), fc.integer({ min: 1, max: 3_000 })).map(([t, n]) => t.repeat(n)),
  fc.string({ unit: 'binary', maxLength: 3_000 }),
);

test('no text of a stranger throws, and none is a match by accident of a fault', () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom<Side>('donor', 'request'), (text, over) => {
      const result = compileConstraint(text, over);
      if (!result.ok) return assert.ok(result.why.length > 0 && result.hint.length > 0);
      assert.equal(typeof isMatch(result.constraint, over === 'donor' ? DONOR : REQUEST), 'boolean');
    }),
    { numRuns: 3_000 },
  );
});

test('constraints are compiled once, and the one that was not asked for longest is forgotten', () => {
  const constraints = new Constraints(2);
  const a = constraints.compile('donor.cores > 1', 'donor');
  const b = constraints.compile('donor.cores >', 'donor');
  assert.equal(constraints.compile('donor.cores > 1', 'donor'), a);
  constraints.compile('request.runS > 1', 'request');
  assert.equal(constraints.size, 2);
  assert.equal(constraints.compile('donor.cores > 1', 'donor'), a);
  assert.notEqual(constraints.compile('donor.cores >', 'donor'), b);
  assert.equal(constraints.compile('donor.cores > 1', 'request').ok, false);
});
