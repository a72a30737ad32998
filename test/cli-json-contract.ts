/** The JSON of `plugpool`, verb by verb, as docs/cli-json.md promises it: what is missing, renamed or of another type fails. */
import { z } from 'zod';

const count = z.int().min(0);
const wallMs = z.number().positive();
const id = z.string().min(1);

const capacitySum = z.strictObject({ cpuMillicores: z.int(), memoryMib: z.int(), gpuMillis: z.int() });
const gpu = z.strictObject({
  deviceId: z.string(),
  model: z.string(),
  shareMillis: z.int(),
  vramMib: z.int(),
});
const capacity = z.strictObject({ cpuMillicores: z.int(), memoryMib: z.int(), gpus: z.array(gpu) });
const sessionState = z.enum(
  'unknown plugged charging suspendedEV suspendedEVSE finishing unplugged faulted'.split(' '),
);
const taskState = z.enum(['queued', 'running', 'completed', 'failed', 'expired', 'cancelled', 'dead']);
const phase = z.enum(['absent', 'announced', 'eligible', 'draining', 'gone']);
const ineligible = z.enum([
  'not_connected',
  'not_plugged',
  'session_unverified',
  'session_not_lending',
  'identity_too_weak',
  'identity_disputed',
  'policy_not_lending',
  'capacity_stale',
  'overdrawn',
  'ready_by',
  'settling',
  'draining',
  'agent_stopping',
]);

const credentialKind = z.enum(['idToken', 'evccid', 'vin', 'emaid']);

const findings = z.array(z.string());
const copied = z.strictObject({ file: id, sizeBytes: count, wallMs });
const copying = z.strictObject({ file: id, pagesDone: count, pagesTotal: count });
const store = z.strictObject({
  log: z.strictObject({
    bytes: count.nullable(),
    busyInARow: count,
    busyTotal: count,
    foldedWallMs: wallMs.nullable(),
  }),
  check: z.strictObject({
    state: z.enum(['never', 'ok', 'failed', 'suspect']),
    wallMs: wallMs.nullable(),
    findings,
    hint: z.string().nullable(),
    running: z.boolean(),
  }),
  backup: z.strictObject({ running: copying.nullable(), last: copied.nullable() }),
});

const draining = z.strictObject({ all: z.boolean(), vehicles: z.array(id), running: count });

const status = z.strictObject({
  ok: z.literal(true),
  version: id,
  dataDir: id,
  listen: z.string().startsWith('mqtt://'),
  uptimeMs: count,
  stationId: id,
  clientsConnected: count,
  donorsEligible: count,
  capacity: z.strictObject({ lendable: capacitySum, free: capacitySum }),
  tasks: z.strictObject({ queued: count, running: count, undelivered: count }),
  connectors: count,
  algorithms: count,
  store,
  draining,
  power: z.strictObject({ limitMw: count, drawnMw: count, unknown: count, over: z.boolean() }).nullable(),
  counters: z.strictObject({
    accepted: count,
    refused: count,
    granted: count,
    completed: count,
    failed: count,
    expired: count,
    cancelled: count,
    dead: count,
    departures: count,
    checkpoints: count,
    savedMncs: count,
    staleMessages: count,
  }),
});

const vehicle = z.strictObject({
  vehicleId: id,
  phase: phase.or(z.literal('asks')),
  ineligible: ineligible.nullable(),
  connectorId: id.nullable(),
  session: sessionState.nullable(),
  cpuModel: z.string().nullable(),
  speedMillis: count.nullable(),
  lendable: capacity,
  free: capacity,
  runs: z.array(id),
  openTasks: count,
  policy: z.string().nullable(),
  departureInMs: z.number().nullable(),
  stay: z
    .strictObject({
      tenMinutesMillis: z.int().min(0).max(1000),
      hourMillis: z.int().min(0).max(1000),
      medianMs: count,
    })
    .nullable(),
  trust: z.strictObject({ believed: count, tried: count, outvoted: z.number().min(0) }),
});

const cap = z.strictObject({
  powerMw: count,
  wantedBy: z.array(z.enum(['operator', 'presence'])).min(1),
  untilWallMs: wallMs,
  answer: z.enum([
    'asked',
    'set',
    'not_enabled',
    'unsupported',
    'refused',
    'no_answer',
    'link_lost',
    'unknown_connector',
  ]),
  seen: z.enum(['works', 'ignored', 'unknown']),
});

const doubtedReading = z.strictObject({
  field: z.enum(['powerMw', 'energyMwh', 'socPermille', 'estimatedFullInMs', 'departureInMs']),
  value: z.number(),
  why: z.enum(['outOfRange', 'ranBackwards', 'jumped', 'exceedsPower', 'beforeSession']),
});

const assurance = z.enum(['claimed', 'presence', 'mac', 'vin', 'code', 'token', 'operator', 'certificate']);

const connector = z.strictObject({
  connectorId: id,
  state: sessionState,
  verified: z.boolean(),
  link: z.enum(['up', 'lost']),
  sinceWallMs: wallMs,
  vehicleId: id.nullable(),
  assurance: assurance.nullable(),
  disputed: z.boolean(),
  code: z
    .string()
    .regex(/^\d{6}$/)
    .nullable(),
  socPermille: count.nullable(),
  powerMw: z.number().nullable(),
  energyMwh: z.number().nullable(),
  faultReason: z.string().nullable(),
  cap: cap.nullable(),
  doubted: z.array(doubtedReading),
  sources: z.array(
    z.strictObject({
      name: id,
      link: z.enum(['up', 'lost']),
      lostReason: z.string().nullable(),
      fresh: z.boolean(),
      heardAgoMs: count,
      says: z.enum(['plugged', 'unplugged']).nullable(),
      sourceWallMs: z.number().nullable(),
    }),
  ),
});

const taskFields = {
  taskId: id,
  requestId: id,
  requester: id,
  algorithm: id,
  state: taskState,
  donor: id.nullable(),
  attempts: count,
  progressPermille: count,
  acceptedWallMs: wallMs,
  endedWallMs: wallMs.nullable(),
  reason: z.string().nullable(),
  waitsFor: z.string().nullable(),
  delivered: z.boolean(),
  priority: z.int().min(0).max(3),
  parts: z.int().min(1),
  payer: id,
};

const attempt = z.strictObject({
  instanceId: id,
  attempt: count,
  fencingToken: z.int(),
  vehicleId: id,
  algorithmId: id,
  algorithmVersion: id,
  startedWallMs: wallMs,
  endedWallMs: wallMs,
  outcome: z.enum(['completed', 'failed', 'departed', 'crashed', 'declined', 'cancelled', 'expired']),
  reason: z.string(),
});

const booking = z.strictObject({
  instanceId: id,
  kind: z.enum(['result', 'checkpoint', 'settlement']),
  fencingToken: z.int(),
  segment: count,
  wallMs,
  tariff: id.nullable(),
  overstay: z.boolean(),
  entries: z.array(
    z.strictObject({ account: id, unit: id, amount: z.int(), amountMncs: z.int().nullable() }),
  ),
});

const task = z.strictObject({
  ok: z.literal(true),
  ...taskFields,
  retryOf: id.nullable(),
  deadlineWallMs: wallMs,
  args: z.array(z.string()),
  inputBytes: count,
  outputBytes: count.nullable(),
  algorithmVersion: id.nullable(),
  failure: z.strictObject({ code: id, detail: z.string(), stderrTail: z.string() }).nullable(),
  used: z
    .strictObject({
      cpuMs: z.number(),
      wallMs: z.number(),
      memoryPeakMib: z.number(),
      gpuMs: z.number(),
      energyMwh: z.number().nullable(),
    })
    .nullable(),
  chargedMncs: z.int(),
  quorum: count.nullable(),
  agreeing: count,
  checkpoint: z.strictObject({ sizeBytes: count, doneMncs: count }).nullable(),
  history: z.array(attempt),
  bookings: z.array(booking),
});

const need = z.union([z.number(), z.string()]);
/** Absent where it is the same for every way to run the task. */
const way = { way: id.optional() };
const millis = z.int().min(0).max(1000);
const obstacle = z.discriminatedUnion('test', [
  z.strictObject({ ...way, test: ineligible }),
  z.strictObject({ ...way, test: z.enum(['own_request', 'same_owner', 'not_trusted']) }),
  z.strictObject({ ...way, test: z.enum(['resting', 'donor_resting', 'kept_for_another']), forMs: count }),
  z.strictObject({
    ...way,
    test: z.enum(['constraint_not_met', 'owner_constraint_not_met']),
    constraint: z.string(),
  }),
  z.strictObject({ ...way, test: z.literal('algorithm_not_allowed'), algorithm: id }),
  z.strictObject({ ...way, test: z.literal('runtime_missing'), runtime: id }),
  z.strictObject({
    ...way,
    test: z.literal('leaving_too_soon'),
    needMs: count,
    millis,
    barMillis: millis,
  }),
  z.strictObject({ ...way, test: z.literal('too_little_progress'), needMs: count, expectMs: count }),
  z.strictObject({ ...way, test: z.literal('deadline_too_close'), needMs: count, haveMs: z.int() }),
  z.strictObject({
    ...way,
    test: z.enum(['waits_for_all', 'too_few_owners']),
    need: count,
    have: count,
  }),
  z.strictObject({ ...way, test: z.literal('station_power'), needMw: count, haveMw: count }),
  z.strictObject({ ...way, test: z.literal('station_power_unknown'), connectors: count }),
  z.strictObject({
    ...way,
    test: z.enum(['cpu', 'memory', 'gpu_share', 'vram', 'gpu_model']),
    need,
    have: need,
  }),
]);

const poolName = z.enum(['cpu', 'gpu', 'memory']);

const wait = z.strictObject({
  place: z.int().min(1),
  priority: z.int().min(0).max(3),
  priorityBecause: id,
  algorithmClass: poolName,
  subPool: z.enum(['room', 'full', 'off']),
  payer: id,
  payerBand: count,
  startInMs: count.nullable(),
  keptDonors: z.array(id),
  wouldRun: z.array(id).min(1),
  obstacles: z.array(z.strictObject({ test: id, donors: z.int().min(1) })),
  donorsKnown: count,
  donorsLookedAt: count,
});

const explain = z.strictObject({
  ok: z.literal(true),
  taskId: id,
  state: taskState,
  summary: id,
  waitedMs: z.number().min(0),
  waiting: count,
  lastReason: z.string(),
  quorum: z
    .strictObject({
      part: count,
      need: z.int().min(2),
      answered: count,
      running: count,
      ownersNeeded: z.int().min(2),
      ownersKnown: count,
      isAskedFor: z.boolean(),
    })
    .nullable(),
  wait: wait.nullable(),
  parts: z.array(
    z.strictObject({
      part: count,
      replica: count,
      state: z.enum(['waiting', 'running', 'done', 'between_tries', 'unconfirmed', 'dropped']),
      donor: id.nullable(),
      wouldFitOn: id.nullable(),
    }),
  ),
  donors: z.array(
    z.strictObject({ vehicleId: id, phase, obstacles: z.array(obstacle), because: z.array(z.string()) }),
  ),
});

const balances = z.array(
  z.strictObject({ account: id, unit: id, balance: z.int(), credited: z.int(), debited: z.int() }),
);
const ledger = z.strictObject({
  ok: z.boolean(),
  bookings: count,
  balanced: z.boolean(),
  accounts: z.array(
    z.strictObject({ account: id, balanceMncs: z.int(), creditedMncs: z.int(), debitedMncs: z.int() }),
  ),
  balances,
});

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const ledgerFinding = z.strictObject({
  code: z.enum([
    ...(['altered', 'missing', 'unreadable', 'unbalanced', 'other_balance'] as const),
    ...(['cut', 'other_chain', 'head_forged', 'other_key'] as const),
  ]),
  booking: count.nullable(),
  detail: id,
});

const algorithm = z.strictObject({
  id,
  version: id,
  type: id,
  runtime: z.enum(['wasm', 'onnx', 'echo']),
  image: z.strictObject({ digest: z.string().regex(/^[0-9a-f]{64}$/), sizeBytes: z.int().positive() }),
  demands: z
    .array(
      z.strictObject({
        cpuMillicores: z.int(),
        memoryMib: z.int(),
        threads: z.int(),
        gpu: z
          .strictObject({ shareMillis: z.int(), vramMib: z.int(), model: z.string().optional() })
          .optional(),
      }),
    )
    .min(1),
  workCoreS: z.number().positive(),
  checkpoints: z.literal(true).optional(),
  compare: z
    .union([
      z.strictObject({ by: z.literal('bytes') }),
      z.strictObject({
        by: z.literal('numbers'),
        format: z.enum(['float32', 'float64', 'json']),
        tolerance: z.number(),
      }),
    ])
    .optional(),
  state: z.enum(['active', 'retired']),
  addedWallMs: wallMs,
});

/** As the catalogue shows it, with what is known beside the record. */
const algorithmKnown = algorithm.extend({
  algorithmClass: z.enum(['cpu', 'gpu', 'memory']),
  feature: z.strictObject({ cpuPpm: count, gpuPpm: count, memoryPpm: count }),
  learnedRuns: count,
});

const vector = z.strictObject({ cpuMillicores: count, memoryMib: count, gpuMillis: count, vramMib: count });
const ppm = z.int().min(0).max(1_000_000);
const shares = z.strictObject({ cpuPpm: ppm, memoryPpm: ppm, gpuPpm: ppm, vramPpm: ppm });

const subPool = z.strictObject({
  subPool: poolName,
  algorithms: count,
  shares,
  size: vector,
  used: vector,
  usePermille: count.nullable(),
  borrowed: vector,
  lent: vector,
  expected: vector,
  level: z.enum(['low', 'even', 'high']),
  levelForMs: count,
  byHand: z.boolean(),
  wantsMore: z.boolean(),
});

const pools = z.strictObject({
  ok: z.literal(true),
  enabled: z.boolean(),
  whole: vector,
  reserve: z.strictObject({ shares, size: vector }),
  subPools: z.array(subPool),
  changes: z.array(
    z.strictObject({
      wallMs,
      subPool: poolName,
      cause: z.enum(
        'planned classes_changed by_hand low high served_first reserve_empty'.split(' ') as [
          string,
          ...string[],
        ],
      ),
      before: shares,
      after: shares,
    }),
  ),
});

const keys = z.array(z.string().regex(/^[^@]+@[^@]+$/)).min(1);

/** By the words of the command. */
export const CLI_CONTRACT: Readonly<Record<string, z.ZodType>> = {
  'any error': z.strictObject({
    ok: z.literal(false),
    error: z.strictObject({ code: id, message: id, hint: id }),
  }),
  status,
  vehicles: z.strictObject({ ok: z.literal(true), vehicles: z.array(vehicle) }),
  connectors: z.strictObject({ ok: z.literal(true), connectors: z.array(connector) }),
  tasks: z.strictObject({ ok: z.literal(true), tasks: z.array(z.strictObject(taskFields)) }),
  task,
  retry: z.strictObject({ ok: z.literal(true), taskId: id, retryOf: id, requester: id }),
  cancel: z.strictObject({ ok: z.literal(true), taskId: id, state: z.literal('cancelled') }),
  explain,
  ledger,
  'ledger balance': z.strictObject({ ok: z.literal(true), balances }),
  'ledger verify': z.strictObject({
    ok: z.boolean(),
    bookings: count,
    hash,
    findings: z.array(ledgerFinding),
  }),
  'ledger head': z.strictObject({
    ok: z.literal(true),
    station: id,
    bookings: count,
    hash,
    wallMs,
    publicKey: z.base64(),
    signature: z.base64(),
  }),
  'ledger export': z.strictObject({ ok: z.literal(true), file: id, bookings: count }),
  'ledger settle': z.strictObject({ ok: z.literal(true), accounts: count, bookings: count }),
  'algorithms list': z.strictObject({ ok: z.literal(true), algorithms: z.array(algorithmKnown) }),
  'algorithms show': z.strictObject({ ok: z.literal(true), algorithms: z.array(algorithmKnown).min(1) }),
  'algorithms add': z.strictObject({ ok: z.literal(true), algorithm }),
  'algorithms retire': z.strictObject({ ok: z.literal(true), retired: keys }),
  'algorithms remove': z.strictObject({ ok: z.literal(true), removed: keys }),
  pools,
  'pools set': z.strictObject({ ok: z.literal(true), subPool }),
  'pools plan': z.strictObject({ ok: z.literal(true), subPools: z.array(subPool) }),
  /** One a line; the last is `done`. */
  drain: z.union([
    z.strictObject({ ok: z.literal(true), done: z.literal(false), draining }),
    z.strictObject({
      ok: z.boolean(),
      done: z.literal(true),
      ended: z.enum(['drained', 'interrupted', 'late']),
      draining,
    }),
  ]),
  resume: z.strictObject({ ok: z.literal(true), draining }),
  firmware: z.strictObject({
    ok: z.literal(true),
    connectorId: id,
    step: z.enum(['plug', 'charge', 'suspend', 'finish', 'unplug']),
  }),
  /** One a line. */
  'firmware replay': z.strictObject({
    at: z.iso.datetime(),
    connector: id,
    event: z.enum([
      'plugged',
      'transactionStarted',
      'chargingStarted',
      'suspended',
      'chargingStopped',
      'transactionEnded',
      'unplugged',
      'meter',
      'evInfo',
      'credential',
      'identity',
      'faulted',
      'linkLost',
      'linkUp',
    ]),
    state: sessionState,
    verified: z.boolean(),
    socPct: z.number().min(0).max(100).optional(),
    powerW: z.number().min(0).optional(),
    energyWh: z.number().min(0).optional(),
    estimatedFullInMs: z.number().min(0).optional(),
    departureInMs: z.number().positive().optional(),
    transactionId: id.optional(),
    by: z.enum(['EV', 'EVSE']).optional(),
    reason: z.string().optional(),
    vehicleId: id.optional(),
    assurance: assurance.optional(),
    credential: z
      .strictObject({ kind: z.enum(['idToken', 'evccid', 'vin', 'emaid']), pseudonym: z.hex().length(32) })
      .optional(),
    signed: z.literal('OCMF').optional(),
    doubted: z.array(doubtedReading).optional(),
  }),
  'credits list': z.strictObject({
    ok: z.literal(true),
    credits: z.array(
      z.strictObject({
        id,
        connectorId: id,
        vehicleId: id,
        transactionId: id.nullable(),
        pluggedWallMs: wallMs,
        endedWallMs: wallMs,
        cpuMncs: count,
        gpuMncs: count,
        energyMwh: count,
        money: z.array(z.strictObject({ currency: id, micros: count })),
        sending: z.strictObject({
          state: z.enum(['kept', 'waiting', 'accepted', 'refused', 'given_up']),
          tries: count,
          triedWallMs: wallMs.nullable(),
          code: z.string().nullable(),
          detail: z.string().nullable(),
        }),
      }),
    ),
  }),
  'credits export': z.strictObject({ ok: z.literal(true), file: id, credits: count }),
  'credits verify': z.strictObject({
    ok: z.boolean(),
    records: count,
    publicKey: z.base64().nullable(),
    findings: z.array(
      z.strictObject({
        code: z.enum(['unreadable', 'altered', 'other_key', 'contradicted']),
        line: count,
        detail: id,
      }),
    ),
  }),
  'firmware record': z.strictObject({
    ok: z.boolean(),
    file: id,
    format: z.enum(['ocpp16', 'ocpp201', 'everest', 'gbt27930']),
    ended: z.enum(['interrupted', 'time', 'full', 'source']),
    lines: count,
    bytes: count,
    leftOut: count,
    lastProblem: z.string().nullable(),
  }),
  cap: z.strictObject({ ok: z.boolean(), connectorId: id, cap: cap.nullable() }),
  'algorithms check add': z.strictObject({ ok: z.literal(true), algorithm: id, checks: count }),
  trust: z.strictObject({
    ok: z.literal(true),
    vehicles: z.array(
      z.strictObject({
        vehicleId: id,
        outvoted: z.number().min(0),
        algorithms: z.array(
          z.strictObject({
            algorithm: id,
            agreed: z.number().min(0),
            needed: z.number().min(0),
            state: z.enum(['believed', 'suspended', 'untried']),
            checkedMillis: z.int().min(0).max(1000),
          }),
        ),
      }),
    ),
  }),
  'trust reset': z.strictObject({ ok: z.literal(true), vehicleId: id, wasKnown: z.boolean() }),
  'connectors code': z.strictObject({
    ok: z.literal(true),
    connectorId: id,
    code: z.string().regex(/^\d{6}$/),
  }),
  bind: z.strictObject({
    ok: z.literal(true),
    vehicleId: id,
    connectorId: id.nullable(),
    kinds: z.array(credentialKind),
  }),
  bindings: z.strictObject({
    ok: z.literal(true),
    bindings: z.array(
      z.strictObject({
        vehicleId: id,
        kind: credentialKind,
        assurance: z.enum(['mac', 'vin', 'token', 'certificate']),
        mark: z.string().regex(/^[0-9a-f]{8}$/),
        boundWallMs: wallMs,
      }),
    ),
  }),
  unbind: z.strictObject({ ok: z.literal(true), vehicleId: id, removed: z.array(credentialKind) }),
  'tokens unbind': z.strictObject({ ok: z.literal(true), vehicleId: id, wasBound: z.boolean() }),
  backup: z.strictObject({ ok: z.literal(true), file: id, sizeBytes: count }),
  restore: z.strictObject({
    ok: z.literal(true),
    dataDir: id,
    replaced: id.nullable(),
    generation: count,
    openTasks: count,
    closedTasks: count,
    algorithms: count,
    missingBlobs: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
    tasksWithoutInput: z.array(id),
    algorithmsWithoutImage: z.array(id),
  }),
  'config check': z.union([
    z.strictObject({
      ok: z.literal(true),
      problems: z.array(z.never()),
      outdated: z.array(z.strictObject({ where: id, what: id })),
      unreached: z.array(z.strictObject({ where: id, what: id })),
      config: z.looseObject({ station: id }),
    }),
    z.strictObject({
      ok: z.literal(false),
      problems: z.array(z.strictObject({ where: z.string(), what: id })).min(1),
    }),
  ]),
};

const hint = z.strictObject({ detail: id, hint: id });
const earningsSum = z.strictObject({ unit: id, credited: count, debited: count });

/** The JSON of `plugpool-vehicle`. */
export const VEHICLE_CONTRACT = {
  status: z.strictObject({
    ok: z.literal(true),
    vehicle: id,
    connected: z.boolean(),
    stationId: id.nullable(),
    connectionProblem: z.strictObject({ code: id, detail: z.string() }).nullable(),
    lending: z.boolean(),
    reason: z.string(),
    lendable: capacity.nullable(),
    paused: z.boolean(),
    leavingAt: z.iso.datetime().nullable(),
    hardware: z.looseObject({ cores: count, memoryMib: count, speedMillis: count }).nullable(),
    energy: z.discriminatedUnion('measured', [
      z.strictObject({
        measured: z.literal(true),
        source: z.strictObject({
          name: z.enum(['powercap', 'hwmon']),
          parts: z.array(id).min(1),
          covers: z.array(z.enum(['package', 'dram', 'psys', 'gpu'])).min(1),
          kind: z.enum(['counted', 'sampled']),
        }),
        powerMw: count.nullable(),
        idleMw: count.nullable(),
        toldMwh: count,
        toldCpuMs: count,
      }),
      z.strictObject({ measured: z.literal(false), detail: id, hint: id }),
    ]),
    jobs: z.array(
      z.strictObject({
        taskId: id,
        algorithm: id,
        version: id,
        attempt: count,
        state: id,
        cpuMs: count,
      }),
    ),
    unacknowledgedResults: count,
    images: z.strictObject({ deployed: count, kept: count }),
    connector: z.strictObject({ connectorId: id, assurance: id }).nullable(),
    constraintProblem: hint.nullable(),
  }),
  earnings: z.strictObject({
    ok: z.literal(true),
    balances: z.array(earningsSum),
    energyCosts: z.array(earningsSum),
    nets: z.array(z.strictObject({ currency: z.string().length(3), micros: z.int() })),
    terms: z
      .strictObject({
        tariff: id,
        currency: z.string().length(3),
        cpuHourMicros: z.int(),
        gpuHourMicros: z.int(),
        energyKwhMicros: z.int(),
        cpuHourMwh: z.int(),
        overstayAfterMs: count.nullable(),
        netCpuHourMicros: z.int(),
      })
      .nullable(),
    measured: z.strictObject({ cpuHourMwh: count, netCpuHourMicros: z.int().nullable() }).nullable(),
  }),
};
