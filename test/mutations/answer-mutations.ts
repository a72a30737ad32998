/** Ways to break what a donor is told of its result, however often it hands it in. */
import type { Mutation } from './mutations.ts';

/** Many short runs of a whole station, until one of them breaks something. */
const SIMULATION = ['test/simulation/main.ts', '--seeds', '200', '--bail'] as const;

export const ANSWER_MUTATIONS: readonly Mutation[] = [
  {
    name: 'call a result void that counted',
    promise: 'what a donor hears of a result it hears again, however often it hands it in',
    file: 'agent/core/leases/results.ts',
    find: 'if (mayBeOnDisk(turn.state, lease)) {',
    replace: 'if (mayBeOnDisk(turn.state, lease) && lease.fencingToken < 0) {',
    proof: SIMULATION,
  },
  {
    name: 'forget who was told that his failure is taken',
    promise: 'what a donor hears of a result it hears again, whatever the attempt ended as',
    file: 'agent/core/leases/lease.ts',
    find: '...(lease.handedIn === true ? { handedIn: true } : {}),',
    replace: '',
    proof: ['--test', 'test/unit/core-result-twice.test.ts'],
  },
  {
    name: 'call void what cannot be read',
    promise: 'while the store does not answer no result is called void',
    file: 'agent/disk-answers/recalled-results.ts',
    find: 'return UNREAD;',
    replace: "return { kind: 'resultAck', lease, accepted: false, reason: 'lease_void' };",
    proof: SIMULATION,
  },
  {
    name: 'tell a vehicle of another’s result',
    promise: 'a vehicle hears of its own attempts alone',
    file: 'agent/core/leases/result-answer.ts',
    find: 'attempt?.vehicleId === vehicleId && wasTaken(attempt)',
    replace: 'attempt !== undefined && vehicleId !== undefined && wasTaken(attempt)',
    proof: ['--test', '--test-name-pattern=another vehicle', 'test/unit/core-result-twice.test.ts'],
  },
  {
    name: 'take a lease that is over for a result that is void',
    promise: 'a donor hands its result in until it is answered, also where its lease is over',
    file: 'vehicle-client/leased-jobs.ts',
    find: "      if (job !== undefined) this.#void(job, 'the pile dropped the lease');\n",
    replace:
      "      if (job !== undefined) this.#void(job, 'the pile dropped the lease');\n      this.#options.results.acknowledged({ kind: 'resultAck', lease, accepted: false, reason: '' });\n",
    proof: [
      '--test',
      '--test-timeout=20000',
      '--test-name-pattern=though its lease is over',
      'test/integration/vehicle-donor.test.ts',
    ],
  },
];
