/** Ways to break what Plugpool promises, one small edit each, and the proof that must then fail: a promise without one is only hoped for. */

export interface Mutation {
  readonly name: string;
  /** What somebody relies on, and would lose. */
  readonly promise: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Arguments of `node`; exits with 0 as long as the promise is kept. */
  readonly proof: readonly string[];
}

/** Many short runs of a whole station, until one of them breaks something. */
const SIMULATION = ['test/simulation/main.ts', '--seeds', '200', '--bail'] as const;

/** Random vehicles, firmware and disks against the laws. */
const LAWS = ['--test', 'test/property/core-laws.test.ts'] as const;

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'skip the fencing check',
    promise: 'a result under an old fencing token changes nothing and earns nothing',
    file: 'agent/core/leases/results.ts',
    find: 'lease.fencingToken !== id.fencingToken || ',
    replace: '',
    proof: SIMULATION,
  },
  {
    name: 'believe any vehicle that names the lease',
    promise: 'only the vehicle that holds a lease is heard about it',
    file: 'agent/core/leases/results.ts',
    find: ' || lease.vehicleId !== vehicleId',
    replace: '',
    proof: SIMULATION,
  },
  {
    name: 'hear an old connection',
    promise: 'only the newest connection of a client is heard',
    file: 'agent/core/step.ts',
    find: 'if (client?.connection !== message.connection) {',
    replace: 'if (client === undefined) {',
    proof: SIMULATION,
  },
  {
    name: 'publish before commit',
    promise: 'nothing leaves the pile before what it says is on disk',
    file: 'agent/engine.ts',
    find: '    const effects = step(this.state, events, clock.now());\n',
    replace:
      '    const effects = step(this.state, events, clock.now());\n    this.#around.publish(effects);\n',
    proof: SIMULATION,
  },
  {
    name: 'go on with the state of a failed commit',
    promise: 'when a commit fails, nothing of it happened',
    file: 'agent/engine.ts',
    find: '        this.#state = loadState(await store.reload(), settings, clock.now(), this.state);\n',
    replace: '        loadState(await store.reload(), settings, clock.now(), this.state);\n',
    proof: SIMULATION,
  },
  {
    name: 'forget what was kept for the next commit',
    promise: 'what a requester acknowledged counts as delivered, in the end',
    file: 'agent/engine.ts',
    find: 'const changes = [...this.#lazy.splice(0), ...effects.changes];',
    replace: 'this.#lazy.length = 0;\n    const changes = effects.changes;',
    proof: SIMULATION,
  },
  {
    name: 'forget a booking',
    promise: 'an accepted result is booked in the transaction that accepts it',
    file: 'agent/core/ledger/bookings.ts',
    find: "  write(turn, { change: 'book', booking });\n",
    replace: "  if (about.kind !== 'result') write(turn, { change: 'book', booking });\n",
    proof: SIMULATION,
  },
  {
    name: 'book twice',
    promise: 'a segment is booked once, whatever is repeated',
    file: 'agent/core/ledger/bookings.ts',
    find: "  write(turn, { change: 'book', booking });\n",
    replace: "  for (const _each of [1, 2]) write(turn, { change: 'book', booking });\n",
    proof: SIMULATION,
  },
  {
    name: 'book what the donor claims',
    promise: 'no booking exceeds what the lease could have held',
    file: 'agent/core/ledger/claim.ts',
    find: 'Math.min(claimed.cpuMs, heldMs * lease.demand.threads, limitMs)',
    replace: 'claimed.cpuMs + 0 * (heldMs + limitMs)',
    proof: SIMULATION,
  },
  {
    name: 'credit a checkpoint again with the result',
    promise: 'what a checkpoint was credited with is not credited again',
    file: 'agent/core/ledger/bookings.ts',
    find: 'cpuMncs: Math.max(0, claim.cpuMncs - booked.cpuMncs)',
    replace: 'cpuMncs: claim.cpuMncs',
    proof: SIMULATION,
  },
  {
    name: 'let what is unsettled stand',
    promise: 'what donors were credited for checkpoints is charged to somebody when the task ends',
    file: 'agent/core/ledger/bookings.ts',
    find: 'if (instance.owed.length === 0) continue;',
    replace: 'if (instance.owed.length >= 0) continue;',
    proof: SIMULATION,
  },
  {
    name: 'grant to an unverified session',
    promise: 'no lease is granted to a vehicle that the firmware does not see charging',
    file: 'agent/core/donors/donor.ts',
    find: "  if (!isVerified(session, now)) return 'session_unverified';\n",
    replace: '',
    proof: SIMULATION,
  },
  {
    name: 'lend whoever is said to be there',
    promise: 'no lease is granted to a vehicle that is known by less than the operator wants',
    file: 'agent/core/donors/donor.ts',
    find: "  if (isTooWeak(state, session)) return 'identity_too_weak';\n",
    replace: '',
    proof: LAWS,
  },
  {
    name: 'look at codes without an end',
    promise: 'guessing the code of a stay comes to nothing',
    file: 'agent/core/binding/codes.ts',
    find: "  if (stay.wrongInStay >= WRONG_CODES_PER_STAY_MAX) return 'spent';\n",
    replace: '',
    proof: ['--test', 'test/unit/core-plug-code.test.ts'],
  },
  {
    name: 'let guesses pass for presence',
    promise: 'who does not feel the power of the connector is not bound to it by reporting some',
    file: 'agent/core/binding/presence-trial.ts',
    find: "  if (wrong <= WRONG_SLOTS_MAX) return 'present';",
    replace: "  if (wrong <= SLOTS / 2) return 'present';",
    proof: ['--test', 'test/unit/core-presence-trial.test.ts'],
  },
  {
    name: 'let a stay change its vehicle',
    promise: 'an identity that changes in mid-session is refused',
    file: 'agent/core/binding/identity.ts',
    find: 'return isWeaker(said.assurance, held.assurance) ? session : disputed(session);',
    replace: 'return isWeaker(said.assurance, held.assurance) ? session : { ...session, identity: said };',
    proof: ['--test', 'test/unit/core-binding.test.ts'],
  },
  {
    name: 'number leases without the generation',
    promise: 'fencing tokens of a later start are above all earlier ones',
    file: 'agent/core/numbers.ts',
    find: 'return state.generation * NUMBERS_PER_GENERATION + state.numbersGiven;',
    replace: 'return NUMBERS_PER_GENERATION + state.numbersGiven;',
    proof: SIMULATION,
  },
  {
    name: 'forget the request ids',
    promise: 'a request becomes one task, however often it is sent',
    file: 'agent/core/tasks/requests.ts',
    find: 'if (known !== undefined) return answerAgain(',
    replace: 'if (known !== undefined && known.bodyHash !== heard.bodyHash) return answerAgain(',
    proof: SIMULATION,
  },
  {
    name: 'say an end only once',
    promise: 'an end is said again at each hello until it is acknowledged',
    file: 'agent/core/clients/connections.ts',
    find: 'if (task?.record.slot === client.name.slot)',
    replace: 'if (task?.record.slot === client.name.slot && task.end === undefined)',
    proof: SIMULATION,
  },
  {
    name: 'take no deadline seriously',
    promise: 'every accepted task ends, at its deadline at the latest',
    file: 'agent/core/tasks/requests.ts',
    find: 'openTask(state, record, now.monoMs + record.deadlineWallMs - record.acceptedWallMs)',
    replace: 'openTask(state, record, now.monoMs + 1e12)',
    proof: SIMULATION,
  },
  {
    name: 'let leases run for ever',
    promise: 'a donor that falls silent keeps its instance from others for one lease at most',
    file: 'agent/core/time.ts',
    find: '      return onLeaseExpired(turn, id as InstanceId);\n',
    replace: "      return id === '' ? onLeaseExpired(turn, id as InstanceId) : undefined;\n",
    proof: SIMULATION,
  },
  {
    name: 'let overdrawn donors be',
    promise: 'when capacity falls, revocation starts in the same step',
    file: 'agent/core/donors/donor.ts',
    find: 'if (donor.clientId !== undefined) revokeForCapacity(turn, donor);',
    replace: '',
    proof: SIMULATION,
  },
  {
    name: 'never stop by itself',
    promise: 'a donor that cannot renew stops before its instance is given to another',
    file: 'vehicle-client/core/lease-clock.ts',
    find: 'SELF_STOP_MILLIS = 800',
    replace: 'SELF_STOP_MILLIS = 8_000',
    proof: SIMULATION,
  },
  {
    name: 'ignore the floor of the battery',
    promise: 'below the floor that the owner set nothing computes',
    file: 'vehicle-client/core/policy.ts',
    find: 'if (latches.batteryLow) {',
    replace: 'if (latches.batteryLow && latches.tooHot) {',
    proof: SIMULATION,
  },
  {
    name: 'ignore when the car should be ready',
    promise: 'the target at the ready-by time is reached with computing where it is reached without',
    file: 'vehicle-client/core/policy.ts',
    find: 'return wallMs + (neededMs * marginMillis) / 1000 > readyByWallMs;',
    replace: 'return neededMs === marginMillis;',
    proof: SIMULATION,
  },
  {
    name: 'forget what the station can bear',
    promise: 'no grant takes the station above the limit that its operator set',
    file: 'agent/core/feasible/feasible.ts',
    find: ' || stationObstacle(state, way) !== undefined',
    replace: '',
    proof: ['--test', 'test/unit/core-station-budget.test.ts'],
  },
  {
    name: 'tell a station to keep a cap for longer than it is wanted',
    promise: 'a cap ends by itself when nobody wants it any more',
    file: 'agent/core/power/caps.ts',
    find: 'const forMs = Math.min(state.settings.power.capForMs, leftMs);',
    replace: 'const forMs = Math.max(state.settings.power.capForMs, leftMs);',
    proof: ['--test', 'test/unit/core-caps.test.ts'],
  },
  {
    name: 'make a credit record while something of its stay is undecided',
    promise: 'the record of a stay comes to what its donor was credited for it',
    file: 'agent/core/credits/end-credit.ts',
    find: 'if (isLate || isSettled(state, credit)) return make(turn, credit);',
    replace: 'if (isLate || credit.record.bookings >= 0) return make(turn, credit);',
    proof: ['--test', 'test/unit/core-credits.test.ts'],
  },
  {
    name: 'begin a new credit record after a restart',
    promise: 'a stay has one record, whatever restarts',
    file: 'agent/core/credits/load-credits.ts',
    find: 'const open = keepOpen(state, credit, now.monoMs + CREDIT_UNSEEN_MS_MAX);',
    replace:
      'const open = keepOpen({ ...state, credits: { open: new Map(), ofVehicle: new Map(), unsent: new Map() } }, credit, now.monoMs);',
    proof: ['--test', 'test/unit/core-credits.test.ts'],
  },
  {
    name: 'pass a VIN on as it is',
    promise: 'what names a car becomes a pseudonym where it is decoded',
    file: 'firmware-bridge/gbt27930/decode-vehicle.ts',
    find: "pseudonymize('vin', vin)",
    replace: 'vin',
    proof: ['--test', 'test/unit/gbt27930-decoder.test.ts'],
  },
  {
    name: 'take a paused charger for a full vehicle',
    promise: 'a session without supply lends nothing',
    file: 'firmware-bridge/gbt27930/charging-state.ts',
    find: "if (output === 'paused') return 'suspendedEVSE';",
    replace: '',
    proof: ['--test', 'test/unit/gbt27930-story.test.ts'],
  },
  {
    name: 'let a cap raise the limit',
    promise: 'a cap never raises what others set',
    file: 'firmware-bridge/modbus/cap-writer.ts',
    find: 'Math.min(limit, this.#before.limit)',
    replace: 'limit',
    proof: ['--test', 'test/unit/modbus-firmware.test.ts'],
  },
];
