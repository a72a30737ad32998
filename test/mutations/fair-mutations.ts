/** Ways to judge a donor unfairly, to wait for owners who cannot come, and to book what was not there. */
import type { Mutation } from './mutations.ts';

const CHECKS = ['--test', 'test/unit/core-spot-checks.test.ts'] as const;
const ENERGY = ['--test', 'test/unit/core-energy-bookings.test.ts'] as const;
const OWNERS = ['--test', 'test/unit/core-quorum-owners.test.ts'] as const;
const REPLICAS = ['--test', 'test/unit/core-replicas.test.ts'] as const;

export const FAIR_MUTATIONS: readonly Mutation[] = [
  {
    name: 'take a limit that was reached for a lie',
    promise: 'a check that ends at a limit costs its donor no trust',
    file: 'agent/core/checks/judge-check.ts',
    find: "endedByLimit(outcome.failure) ? 'inconclusive' : 'wrong'",
    replace: "'wrong'",
    proof: CHECKS,
  },
  {
    name: 'forgive limits without end',
    promise: 'who ends check after check at a limit is believed no more',
    file: 'agent/core/replicas/trust-book.ts',
    find: '    if (known.inconclusive[trial] >= INCONCLUSIVE_MAX) agreed.delete(algorithmKey);\n',
    replace: '',
    proof: CHECKS,
  },
  {
    name: 'outvote who reached a limit',
    promise: 'a replica that ends at a limit is no lie',
    file: 'agent/core/replicas/settle.ts',
    find: '    if (isAtLimit || hitLimit(each)) continue;\n',
    replace: '',
    proof: REPLICAS,
  },
  {
    name: 'believe who reached a limit together',
    promise: 'nobody is believed the more for a limit that others reached too',
    file: 'agent/core/replicas/settle.ts',
    find: 'of isAtLimit ? [] : best)',
    replace: 'of best)',
    proof: REPLICAS,
  },
  {
    name: 'compute for a quorum that cannot be met',
    promise: 'no replica of an asked quorum starts while fewer owners are known',
    file: 'agent/core/feasible/feasible.ts',
    find: '    ownersObstacle(state, instance) ??\n',
    replace: '',
    proof: OWNERS,
  },
  {
    name: 'let an asked quorum sleep',
    promise: 'the vehicle that makes the owners enough starts the replicas, on those too that did not change',
    file: 'agent/core/matching/match.ts',
    find: '  wakeForOwners(turn);\n',
    replace: '',
    proof: OWNERS,
  },
  {
    name: 'book what the meter saw to each lease',
    promise: 'leases that ran at once are together booked no more energy than the meter saw',
    file: 'agent/core/ledger/metered-energy.ts',
    find: 'Math.min(mwh, own, left)',
    replace: 'Math.min(mwh, own)',
    proof: ENERGY,
  },
  {
    name: 'read long JSON where the broker waits',
    promise: 'comparing results holds up nobody',
    file: 'agent/compare-payloads.ts',
    find: 'if (tolerance !== undefined) {',
    replace: 'if (tolerance === -1) {',
    proof: ['--test', '--test-name-pattern=JSON is read whole', 'test/unit/comparisons.test.ts'],
  },
  {
    name: 'call what was given up at a stop different',
    promise: 'an agent that stops makes no dispute of what it did not compare',
    file: 'agent/comparisons.ts',
    find: '    if (!this.#isStopping()) around.compared(pair, isSame);',
    replace: '    around.compared(pair, isSame);',
    proof: ['--test', 'test/unit/comparisons.test.ts'],
  },
  {
    name: 'begin every pile at the same number',
    promise: 'a lease of one pile is void at another',
    file: 'agent/adapters/store-sqlite/generation-file.ts',
    find: 'nextGeneration(path, randomInt(FIRST_GENERATIONS))',
    replace: 'nextGeneration(path, FIRST_GENERATIONS - 1)',
    proof: ['--test', 'test/unit/store-generation.test.ts'],
  },
  {
    name: 'forget a record that waits for the back office',
    promise: 'the back office gets each record, whenever the agent was killed',
    file: 'agent/core/credits/load-credits.ts',
    find: "} else if (sending?.state === 'waiting' &&",
    replace: "} else if (sending?.state === 'accepted' &&",
    proof: ['--test', 'test/fault/credit-crash-points.test.ts'],
  },
  {
    name: 'turn round what a pile said while its CSMS was away',
    promise: 'a CSMS that comes back hears what was said meanwhile, in order',
    file: 'firmware-bridge/ocpp/relay/relayed-pile.ts',
    find: 'for (const text of kept) this.#toCsms.relay',
    replace: 'for (const text of kept.reverse()) this.#toCsms.relay',
    proof: ['--test', '--test-name-pattern=away for an hour', 'test/property/ocpp-relayed-pile.test.ts'],
  },
  {
    name: 'show an owner who asks a spot check',
    promise: 'an owner’s constraint cannot keep spot checks away',
    file: 'agent/core/constraint/constraints.ts',
    find: '{ record: own, judgedAs: record = own }: Task',
    replace: '{ record }: Task',
    proof: CHECKS,
  },
  {
    name: 'ask the same question twice',
    promise: 'a donor cannot tell a check by having seen it before',
    file: 'agent/core/checks/issue-check.ts',
    find: '  state.answers.asked(answer, owner);\n',
    replace: '',
    proof: CHECKS,
  },
  {
    name: 'hand what was computed at one pile to another',
    promise: 'a result of one pile is neither handed to another nor forgotten at its word',
    file: 'vehicle-client/unacked-results.ts',
    find: 'return welcome === undefined || stationId === undefined ||',
    replace: 'return stationId !== "" || welcome === undefined ||',
    proof: [
      '--test',
      '--test-name-pattern=neither handed to another',
      'test/integration/vehicle-donor.test.ts',
    ],
  },
];
