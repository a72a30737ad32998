/** The store as a few maps, and random runs of valid commits: what the store on disk is compared with. */
import type {
  AlgorithmId,
  ConnectorId,
  Digest,
  FencingToken,
  InstanceId,
  Payload,
  RequestId,
  Slot,
  TaskId,
  VehicleId,
  Wants,
} from '@plugpool/proto';
import fc from 'fast-check';
import { bindingKey } from '../agent/core/binding/bindings.ts';
import { STAYS_MAX } from '../agent/core/limits.ts';
import type {
  Account,
  AlgorithmRecord,
  AttemptRecord,
  BindingRecord,
  BookingRecord,
  CheckpointRecord,
  ClosedTaskRecord,
  CreditId,
  CreditRecord,
  CreditSending,
  InstanceRecord,
  LeaseRecord,
  LedgerSummary,
  PartResultRecord,
  ReplicaRunRecord,
  StayRecord,
  StoreChange,
  StoredState,
  TaskEndRecord,
  TaskHistory,
  TaskRecord,
  Unit,
} from '../agent/core/records.ts';
import { withoutLease } from './store-records.ts';

interface ModelTask {
  readonly task: TaskRecord;
  end?: TaskEndRecord;
  delivered: boolean;
  readonly instances: Map<InstanceId, InstanceRecord>;
  readonly attempts: AttemptRecord[];
}

export class MemoryModel {
  readonly #tasks = new Map<TaskId, ModelTask>();
  readonly #algorithms = new Map<string, AlgorithmRecord>();
  readonly #bookings: BookingRecord[] = [];
  readonly #stays: StayRecord[] = [];
  readonly #bindings = new Map<string, BindingRecord>();
  readonly #credits = new Map<CreditId, StoredState['credits'][number]>();
  readonly #learned = new Map<string, unknown>();

  apply(changes: readonly StoreChange[]): void {
    for (const change of changes) this.#apply(change);
  }

  #apply(change: StoreChange): void {
    switch (change.change) {
      case 'insertTask': {
        const { task } = change;
        this.#tasks.set(task.taskId, { task, delivered: false, instances: new Map(), attempts: [] });
        return;
      }
      case 'endTask':
        this.#end(change);
        return;
      case 'taskDelivered':
        this.#task(change.taskId).delivered = true;
        return;
      case 'putInstance':
        this.#task(change.instance.taskId).instances.set(change.instance.instanceId, change.instance);
        return;
      case 'insertAttempt':
        this.#task(change.attempt.taskId).attempts.push(change.attempt);
        return;
      case 'book':
        this.#bookings.push(change.booking);
        return;
      case 'putAlgorithm':
        this.#algorithms.set(algorithmKey(change.algorithm), change.algorithm);
        return;
      case 'insertStay':
        this.#stays.push(change.stay);
        return;
      case 'putBinding':
        this.#bindings.set(bindingKey(change.binding.credential), change.binding);
        return;
      case 'removeBinding':
        this.#bindings.delete(bindingKey(change.credential));
        return;
      case 'putCredit':
        this.#credits.set(change.credit.creditId, { credit: change.credit });
        return;
      case 'putCreditSending': {
        const credit = this.#credits.get(change.creditId)?.credit;
        if (credit !== undefined) this.#credits.set(change.creditId, { credit, sending: change.sending });
        return;
      }
      case 'putLearned':
        this.#learned.set(change.name, change.value);
        return;
      case 'removeAlgorithm':
        this.#algorithms.delete(algorithmKey(change));
        return;
      case 'takeGeneration':
        return;
      case 'forgetTasks':
        for (const taskId of change.taskIds) this.#tasks.delete(taskId);
    }
  }

  #end({ taskId, end }: Extract<StoreChange, { change: 'endTask' }>): void {
    const task = this.#task(taskId);
    task.end = end;
    for (const [instanceId, instance] of task.instances)
      task.instances.set(instanceId, withoutLease(instance));
  }

  #task(taskId: TaskId): ModelTask {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Error(`the run names ${taskId}, which it did not insert`);
    return task;
  }

  taskIds(): TaskId[] {
    return [...this.#tasks.keys()];
  }

  state(): Omit<StoredState, 'generation'> {
    const tasks = [...this.#tasks.values()];
    return {
      algorithms: [...this.#algorithms]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([, algorithm]) => algorithm),
      openTasks: tasks
        .filter(({ delivered }) => !delivered)
        .map(({ task, end, instances }) => ({ task, instances: byIndex(instances), ...(end && { end }) })),
      stays: this.#stays.slice(-STAYS_MAX),
      bindings: [...this.#bindings]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([, binding]) => binding),
      credits: [...this.#credits.values()]
        .filter(({ credit, sending }) => credit.madeWallMs === undefined || sending?.state === 'waiting')
        .sort(
          ({ credit: one }, { credit: other }) =>
            Number(one.madeWallMs !== undefined) - Number(other.madeWallMs !== undefined) ||
            one.creditId - other.creditId,
        ),
      learned: this.#learned,
      closedTasks: tasks
        .filter(({ delivered }) => delivered)
        .map(({ task, end }) => closedOf(task, end))
        .sort((left, right) => left.endedWallMs - right.endedWallMs),
    };
  }

  history(taskId: TaskId): TaskHistory {
    const { task, end, delivered, instances, attempts } = this.#task(taskId);
    return {
      task,
      ...(end && { end }),
      delivered,
      instances: byIndex(instances),
      attempts: attempts.toSorted((left, right) => left.endedWallMs - right.endedWallMs),
      bookings: this.#bookings.filter((booking) => booking.taskId === taskId),
    };
  }

  recent(): TaskHistory[] {
    return this.taskIds()
      .reverse()
      .map((taskId) => this.history(taskId));
  }

  ledger(): LedgerSummary {
    const sums = new Map<string, { account: Account; unit: Unit; credited: number; debited: number }>();
    for (const { account, unit, amount } of this.#bookings.flatMap(({ entries }) => entries)) {
      // As SQLite sorts: by account, then unit.
      const key = `${account}\0${unit}`;
      const sum = sums.get(key) ?? { account, unit, credited: 0, debited: 0 };
      if (amount > 0) sum.credited += amount;
      if (amount < 0) sum.debited -= amount;
      sums.set(key, sum);
    }
    return {
      bookings: this.#bookings.length,
      balanced: true,
      balances: [...sums]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([, sum]) => ({ ...sum, balance: sum.credited - sum.debited })),
    };
  }

  referencedBlobs(): Set<Digest> {
    const tasks = [...this.#tasks.values()];
    const instances = tasks.flatMap((task) => [...task.instances.values()]);
    const ofTasks = tasks.flatMap(({ task, end }) => [task.input, end?.output, ...(end?.outputs ?? [])]);
    const payloads = [...ofTasks, ...instances.map(({ result }) => result?.output)];
    const digests = [
      ...payloads.map((found) => (found?.where === 'blob' ? found.blob.digest : undefined)),
      ...instances.map(({ checkpoint }) => checkpoint?.state.digest),
    ];
    const images = [...this.#algorithms.values()].map(({ image }) => image.digest);
    return new Set([...digests, ...images].filter((digest) => digest !== undefined));
  }
}

function algorithmKey({ id, version }: { readonly id: string; readonly version: string }): string {
  return `${id}@${version}`;
}

function byIndex(instances: ReadonlyMap<InstanceId, InstanceRecord>): InstanceRecord[] {
  return [...instances.values()].sort((left, right) => left.index - right.index);
}

function closedOf(task: TaskRecord, end: TaskEndRecord | undefined): ClosedTaskRecord {
  const { taskId, vehicleId, requestId, bodyHash } = task;
  return { taskId, vehicleId, requestId, bodyHash, endedWallMs: end?.endedWallMs ?? Number.NaN };
}

/** As every record is: an object with a prototype. */
const record = ((model: Record<string, fc.Arbitrary<unknown>>, constraints?: object) =>
  fc.record(model, { ...constraints, noNullPrototype: true })) as typeof fc.record;
const branded = <Brand>(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Brand> =>
  arbitrary as fc.Arbitrary<Brand>;
const id = <Brand>(): fc.Arbitrary<Brand> => branded<Brand>(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/));
const digest = branded<Digest>(fc.stringMatching(/^[0-9a-f]{64}$/));
/** Any text that JSON and UTF-8 can carry, so that quotes, zeros and emoji are among it. */
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const count = fc.nat({ max: 1000 });
const wallMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
const safe = fc.maxSafeNat();
const blob = record({ digest, sizeBytes: fc.nat({ max: 64 * 1024 * 1024 }) });
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes): Payload => ({ where: 'inline', bytes })),
  blob.map((found): Payload => ({ where: 'blob', blob: found })),
);
const demand = record(
  {
    cpuMillicores: count,
    memoryMib: count,
    threads: count,
    gpu: record(
      { shareMillis: count, vramMib: count, model: text },
      { requiredKeys: ['shareMillis', 'vramMib'] },
    ),
  },
  { requiredKeys: ['cpuMillicores', 'memoryMib', 'threads'] },
);
const lease: fc.Arbitrary<LeaseRecord> = record(
  {
    vehicleId: id<VehicleId>(),
    connectorId: branded<ConnectorId>(text),
    algorithmId: id<AlgorithmId>(),
    algorithmVersion: text,
    demand,
    gpuDeviceId: text,
    fencingToken: branded<FencingToken>(safe),
    grantedWallMs: wallMs,
    meterMwh: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  },
  {
    requiredKeys: [
      'vehicleId',
      'connectorId',
      'algorithmId',
      'algorithmVersion',
      'demand',
      'fencingToken',
      'grantedWallMs',
    ],
  },
);
const used = record({ cpuMs: safe, wallMs: safe, memoryPeakMib: count, gpuMs: safe });
const wants: fc.Arbitrary<Wants> = record(
  {
    place: fc.oneof(
      record({ by: fc.constant('zone' as const), zone: text }),
      record({
        by: fc.constant('point' as const),
        latitudeE7: fc.integer({ min: -900_000_000, max: 900_000_000 }),
        longitudeE7: fc.integer({ min: -1_800_000_000, max: 1_800_000_000 }),
      }),
    ),
    latencyMs: count,
    instances: count,
    allAtOnce: fc.boolean(),
    demand: record({ cpuMillicores: count, gpu: record({ model: text }, { requiredKeys: [] }) }),
    budgetMncs: safe,
    payer: text,
    trust: fc.oneof(
      record({ whom: fc.constant('fleet' as const) }),
      record({ whom: fc.constant('makes' as const), makes: fc.array(text, { maxLength: 3 }) }),
    ),
    constraint: text,
    quorum: count,
  },
  { requiredKeys: [] },
);
const failure = record({ code: fc.constantFrom('trap', 'exit_nonzero'), detail: text, stderrTail: text });
const claim = record({ cpuMncs: safe, gpuMncs: safe, energyMwh: safe });
const replicaRun: fc.Arbitrary<ReplicaRunRecord> = record(
  {
    algorithmId: id<AlgorithmId>(),
    algorithmVersion: text,
    demand,
    fencingToken: branded<FencingToken>(safe),
    claim,
    runMs: safe,
    failure,
  },
  { requiredKeys: ['algorithmId', 'algorithmVersion', 'demand', 'fencingToken', 'claim', 'runMs'] },
);
const partResult: fc.Arbitrary<PartResultRecord> = record(
  { output: payload, donor: id<VehicleId>(), used, chargedMncs: safe, run: replicaRun, agreeing: count },
  { requiredKeys: ['output', 'donor', 'used', 'chargedMncs'] },
);
const unit = branded<Unit>(fc.constantFrom('cpuMncs', 'gpuMncs', 'mWh', 'EUR', 'EURe-6'));
const checkpoint: fc.Arbitrary<CheckpointRecord> = record({ state: blob, doneMncs: safe });
/** What of an instance comes and goes beside its lease. */
const kept = record(
  {
    result: partResult,
    checkpoint,
    preempted: fc.constant(true),
    replica: count,
    quorum: count,
    program: text,
    settled: fc.constant(true),
    owed: fc.array(record({ unit, amount: safe }), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const binding: fc.Arbitrary<StoreChange> = fc
  .tuple(
    record({
      kind: fc.constantFrom('idToken' as const, 'evccid' as const, 'vin' as const, 'emaid' as const),
      pseudonym: fc.constantFrom('a'.repeat(32), 'b'.repeat(32)),
    }),
    branded<VehicleId>(text),
    wallMs,
    fc.boolean(),
  )
  .map(([credential, vehicleId, boundWallMs, isKept]): StoreChange =>
    isKept
      ? { change: 'putBinding', binding: { credential, vehicleId, boundWallMs } satisfies BindingRecord }
      : { change: 'removeBinding', credential },
  );

const stay: fc.Arbitrary<StayRecord> = record(
  {
    connectorId: branded<ConnectorId>(text),
    pluggedWallMs: wallMs,
    unpluggedWallMs: wallMs,
    chargingEndedWallMs: wallMs,
    statedDepartureWallMs: wallMs,
  },
  { requiredKeys: ['connectorId', 'pluggedWallMs', 'unpluggedWallMs'] },
);
/** What JSON gives back as it was. */
const json = fc
  .jsonValue({ noUnicodeString: false })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const end: fc.Arbitrary<TaskEndRecord> = record(
  {
    state: fc.constantFrom('completed', 'failed', 'expired', 'cancelled', 'dead'),
    endedWallMs: wallMs,
    output: payload,
    outputs: fc.array(payload, { minLength: 1, maxLength: 16 }),
    failure: record({ code: text, detail: text, stderrTail: text }),
    attempts: count,
    donor: id<VehicleId>(),
    used,
    chargedMncs: safe,
    algorithmId: id<AlgorithmId>(),
    algorithmVersion: text,
  },
  { requiredKeys: ['state', 'endedWallMs', 'attempts', 'chargedMncs'] },
);
const algorithm: fc.Arbitrary<AlgorithmRecord> = record(
  {
    id: branded<AlgorithmId>(fc.constantFrom('a', 'b', 'c')),
    version: fc.constantFrom('1', '2'),
    type: text,
    runtime: fc.constantFrom('wasm', 'onnx', 'echo'),
    image: blob,
    demands: fc.array(demand, { minLength: 1, maxLength: 3 }),
    workCoreS: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
    state: fc.constantFrom('active', 'retired'),
    addedWallMs: wallMs,
    checkpoints: fc.constant(true),
    compare: fc.oneof(
      record({ by: fc.constant('bytes' as const) }),
      record({
        by: fc.constant('numbers' as const),
        format: fc.constantFrom('float32', 'float64', 'json'),
        tolerance: fc.constantFrom(0, 1e-5, 0.5),
      }),
    ),
  },
  {
    requiredKeys: [
      'id',
      'version',
      'type',
      'runtime',
      'image',
      'demands',
      'workCoreS',
      'state',
      'addedWallMs',
    ],
  },
);

interface Life {
  readonly task: Omit<TaskRecord, 'taskId' | 'requestId'>;
  readonly instances: readonly {
    readonly attempts: number;
    readonly lease: LeaseRecord | undefined;
    readonly kept: Pick<
      InstanceRecord,
      'result' | 'checkpoint' | 'preempted' | 'replica' | 'quorum' | 'program' | 'settled' | 'owed'
    >;
  }[];
  readonly attempts: readonly Omit<AttemptRecord, 'taskId' | 'instanceId' | 'fencingToken'>[];
  readonly bookings: readonly (Pick<BookingRecord, 'kind' | 'tariff' | 'overstay'> & {
    readonly amount: number;
    readonly unit: Unit;
  })[];
  readonly end: TaskEndRecord;
  /** How far the task gets: a prefix of its changes. */
  readonly until: number;
}

const life: fc.Arbitrary<Life> = record({
  task: record(
    {
      vehicleId: id<VehicleId>(),
      slot: branded<Slot>(fc.constantFrom('lend', 'ask-1')),
      bodyHash: digest,
      selector: fc.oneof(
        record({ by: fc.constant('type' as const), type: text }),
        record(
          { by: fc.constant('algorithm' as const), algorithmId: id<AlgorithmId>(), version: text },
          { requiredKeys: ['by', 'algorithmId'] },
        ),
      ),
      args: fc.array(text, { maxLength: 4 }),
      input: payload,
      acceptedWallMs: wallMs,
      deadlineWallMs: wallMs,
      wants,
    },
    {
      requiredKeys: [
        'vehicleId',
        'slot',
        'bodyHash',
        'selector',
        'args',
        'input',
        'acceptedWallMs',
        'deadlineWallMs',
      ],
    },
  ),
  instances: fc.array(record({ attempts: count, lease: fc.option(lease, { nil: undefined }), kept }), {
    minLength: 1,
    maxLength: 3,
  }),
  attempts: fc.array(
    record({
      attempt: count,
      vehicleId: id<VehicleId>(),
      algorithmId: id<AlgorithmId>(),
      algorithmVersion: text,
      startedWallMs: wallMs,
      endedWallMs: wallMs,
      outcome: fc.constantFrom(
        'completed',
        'failed',
        'departed',
        'crashed',
        'declined',
        'cancelled',
        'expired',
      ),
      reason: text,
    }),
    { maxLength: 3 },
  ),
  bookings: fc.array(
    record(
      {
        kind: fc.constantFrom('result', 'checkpoint', 'settlement'),
        tariff: text,
        overstay: fc.constant(true),
        amount: fc.integer({ min: -1_000_000, max: 1_000_000 }),
        unit,
      },
      { requiredKeys: ['kind', 'amount', 'unit'] },
    ),
    { maxLength: 4 },
  ),
  end,
  until: fc.nat({ max: 20 }),
});

/** Ids carry the position in the run, so that they never collide; the texts around them do not. */
function changesOf(found: Life, n: number): StoreChange[] {
  const taskId = `task-${n}` as TaskId;
  const task: TaskRecord = { ...found.task, taskId, requestId: `request-${n}` as RequestId };
  const instances = found.instances.map(
    ({ attempts, lease: granted, kept: more }, index): InstanceRecord => ({
      instanceId: `${taskId}.${index}` as InstanceId,
      taskId,
      index,
      attempts,
      departures: 0,
      crashes: index,
      ...(granted && { lease: granted }),
      ...more,
    }),
  );
  const instanceId = `${taskId}.0` as InstanceId;
  const required: StoreChange[] = [
    { change: 'insertTask', task },
    ...instances.map((instance): StoreChange => ({ change: 'putInstance', instance })),
  ];
  const optional: StoreChange[] = [
    ...found.attempts.map((attempt, position): StoreChange => ({
      change: 'insertAttempt',
      attempt: {
        ...attempt,
        taskId,
        instanceId,
        fencingToken: (position + 1) as FencingToken,
        // Distinct, so that their order is told by it alone.
        endedWallMs: position * 1000 + (attempt.endedWallMs % 1000),
      },
    })),
    ...bookingsOf(found, taskId, instanceId),
    ...instances.map(({ lease: _lease, result: _result, ...rest }): StoreChange => ({
      change: 'putInstance',
      instance: rest,
    })),
    { change: 'endTask', taskId, end: { ...found.end, endedWallMs: found.end.endedWallMs + n } },
    { change: 'taskDelivered', taskId },
    { change: 'forgetTasks', taskIds: [taskId] },
  ];
  return [...required, ...optional.slice(0, found.until)];
}

function bookingsOf({ bookings, task }: Life, taskId: TaskId, instanceId: InstanceId): StoreChange[] {
  return bookings.map(({ amount, unit, ...about }, position): StoreChange => ({
    change: 'book',
    booking: {
      ...about,
      taskId,
      instanceId,
      // Several segments of an attempt, and several attempts.
      fencingToken: (1 + (position >> 1)) as FencingToken,
      segment: position & 1,
      wallMs: position,
      entries: [
        { account: `vehicle:${task.vehicleId}` as Account, unit, amount },
        // `0 - x`, not `-x`: there is one zero on disk.
        { account: 'operator' as Account, unit, amount: 0 - amount },
      ],
    },
  }));
}

const earned = fc.uniqueArray(
  record({
    unit: fc.constantFrom('cpuMncs', 'mWh', 'EURe-6').map((unit) => unit as Unit),
    amount: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  }),
  { selector: ({ unit }) => unit, maxLength: 3 },
);
const creditStory = record({
  earned: fc.array(earned, { minLength: 1, maxLength: 3 }),
  how: fc.constantFrom('unplugged' as const, 'unseen' as const),
  signed: fc.option(record({ first: fc.string(), last: fc.string() }), { nil: undefined }),
  sending: fc.array(
    fc.constantFrom<CreditSending[]>(
      { state: 'waiting', tries: 0 },
      { state: 'waiting', tries: 3, triedWallMs: 5, code: 'no_answer', detail: 'too late' },
      { state: 'accepted', tries: 1 },
      { state: 'kept', tries: 0 },
    ),
    { maxLength: 2 },
  ),
  until: fc.nat(6),
});

/** A stay earns, ends, is made and sent, as far as it gets. */
function creditChanges(found: Value<typeof creditStory>, n: number): StoreChange[] {
  const about = {
    creditId: (n + 1) as CreditId,
    vehicleId: `car-${n}` as VehicleId,
    connectorId: 'station/1/1' as ConnectorId,
    pluggedWallMs: 1_000 * n,
    tariffs: ['day'],
    lastBookedWallMs: 2_000 * n,
    ...(found.signed && { signed: found.signed }),
  };
  const steps = found.earned.map((each, position): CreditRecord => ({
    ...about,
    earned: each,
    bookings: position + 1,
  }));
  const last = steps.at(-1);
  if (last === undefined) return [];
  const ended = { ...last, ended: { wallMs: 3_000 * n, how: found.how } };
  const puts = [...steps, ended, { ...ended, madeWallMs: 4_000 * n + 1 }];
  return [
    ...puts.map((credit): StoreChange => ({ change: 'putCredit', credit })),
    ...found.sending.map((sending): StoreChange => ({
      change: 'putCreditSending',
      creditId: about.creditId,
      sending,
    })),
  ].slice(0, found.until);
}

type Value<Of> = Of extends fc.Arbitrary<infer One> ? One : never;

/** Random lives of tasks, of the catalogue and of what is learned, interleaved, cut into commits. */
export const runOfCommits: fc.Arbitrary<StoreChange[][]> = record({
  lives: fc.array(life, { maxLength: 12 }),
  algorithms: fc.array(algorithm, { maxLength: 6 }),
  stays: fc.array(stay, { maxLength: 4 }),
  bindings: fc.array(binding, { maxLength: 6 }),
  credits: fc.array(creditStory, { maxLength: 4 }),
  learned: fc.array(record({ name: fc.constantFrom('x', 'y'), value: json }), { maxLength: 4 }),
  removed: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
  picks: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
}).map(({ lives, algorithms, stays, bindings, credits, learned, removed, picks }) => {
  const catalogue: StoreChange[] = [
    ...algorithms.map((found): StoreChange => ({ change: 'putAlgorithm', algorithm: found })),
    ...removed.map((name): StoreChange => ({
      change: 'removeAlgorithm',
      id: name as AlgorithmId,
      version: '1',
    })),
  ];
  const past = stays.map((found): StoreChange => ({ change: 'insertStay', stay: found }));
  const lessons = learned.map(({ name, value }): StoreChange => ({ change: 'putLearned', name, value }));
  const queues = [
    catalogue,
    past,
    bindings,
    lessons,
    ...credits.map(creditChanges),
    ...lives.map(changesOf),
  ].filter((queue) => queue.length > 0);
  return interleave(queues, picks);
});

function interleave(queues: StoreChange[][], picks: readonly number[]): StoreChange[][] {
  const commits: StoreChange[][] = [];
  for (let step = 0; queues.length > 0; step += 1) {
    const pick = picks[step % picks.length] ?? 0;
    const at = pick % queues.length;
    const queue = queues[at];
    if (queue === undefined) break;
    const changes = queue.splice(0, 1 + (pick % 3));
    if (queue.length === 0) queues.splice(at, 1);
    // Some picks join the commit before.
    const last = commits[commits.length - 1];
    if (last !== undefined && pick % 2 === 0) last.push(...changes);
    else commits.push(changes);
  }
  return commits;
}
