/** The operator's verbs, answered by an agent: questions from its state and its store, changes as commands to its core. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import {
  ARGS_MAX,
  BLOB_BYTES_MAX,
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  ID_PATTERN,
  MEMORY_MIB_MAX,
  NAME_PATTERN,
  parseDigest,
  VERSION_PATTERN,
  type AlgorithmId,
  type Demand,
  type Digest,
  type TaskId,
  type VehicleId,
} from '@plugpool/proto';
import { FirmwareError, type ManualFirmware } from '@plugpool/firmware-bridge';
import {
  IMAGE_PART_BYTES_MAX,
  type ControlAnswer,
  type ControlError,
} from './adapters/control-socket/protocol.ts';
import type { VehicleTokens } from './adapters/vehicle-tokens.ts';
import type { OperatorAnswer, OperatorCommand } from './core/events.ts';
import { drainingView } from './core/donors/draining.ts';
import { explain, explainEnded } from './core/explain/explain.ts';
import { KNOWN_ANSWER_BYTES_MAX } from './core/limits.ts';
import { ALGORITHM_CLASSES } from './core/algorithms/feature.ts';
import { poolsView } from './core/pools/view.ts';
import { trustView } from './core/replicas/trust-view.ts';
import type { State } from './core/state.ts';
import { algorithmsView, connectorsView, openTasksView, statusView, vehiclesView } from './core/views.ts';
import type { Engine } from './engine.ts';
import type { BlobStore, Clock, Store } from './ports.ts';
import { BackupError } from './backup-error.ts';
import type { LedgerCare } from './ledger-care.ts';
import { signedHeadSchema } from './signed-head.ts';
import type { StoreCare } from './store-care.ts';
import { StoreError } from './store-error.ts';
import { closedTaskView, ledgerView, taskDetails, type StatusAnswer } from './control-views.ts';

/** What the verbs need of the agent and its parts. */
export interface Controlled {
  readonly agent: {
    readonly state: State;
    readonly address: { readonly host: string; readonly port: number };
    readonly metrics: Engine['metrics'];
    operate(command: OperatorCommand): Promise<OperatorAnswer>;
  };
  readonly store: Store;
  readonly care: Pick<StoreCare, 'view' | 'backUp'>;
  readonly ledger: Pick<LedgerCare, 'head' | 'verify' | 'settle'>;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly tokens: VehicleTokens;
  /** Absent where the configuration names no manual firmware. */
  readonly manual: ManualFirmware | undefined;
  readonly about: { readonly version: string; readonly dataDir: string; readonly startedWallMs: number };
  /** Told of an error that is none of the operator's doing. */
  failed(verb: string, error: unknown): void;
}

export const TASKS_LIMIT_MAX = 1_000;

/** Thrown by a verb, answered as its error. */
class Refusal extends Error {
  readonly answer: ControlError;

  constructor(code: string, detail: string, hint: string) {
    super(detail);
    this.answer = { code, detail, hint };
  }
}

interface Verb {
  readonly args: z.ZodType;
  carryOut(controlled: Controlled, args: never): unknown;
}

function verb<Args extends z.ZodType>(
  args: Args,
  carryOut: (controlled: Controlled, args: z.output<Args>) => unknown,
): Verb {
  return { args, carryOut };
}

const nothing = z.strictObject({});
const taskId = z.string().regex(ID_PATTERN, 'is no task id');
const algorithmId = z.string().regex(NAME_PATTERN, 'must be lower-case letters, digits, . _ - (64 at most)');
const version = z.string().regex(VERSION_PATTERN, 'must be up to 32 letters, digits, . + _ -');
const digest = z.string().refine((text) => parseDigest(text) !== undefined, 'is no sha256');
const vehicleId = z.string().regex(ID_PATTERN, 'must be 1 to 64 letters, digits, _ and -');
const imageBytes = z.int().min(1, 'is empty').max(BLOB_BYTES_MAX, `is above ${BLOB_BYTES_MAX} bytes`);

const absolutePath = z
  .string()
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), 'is no absolute path');

const demandArgs = z.strictObject({
  cpuMillicores: z.int().min(1).max(CPU_MILLICORES_MAX),
  memoryMib: z.int().min(1).max(MEMORY_MIB_MAX),
  threads: z.int().min(1).max(1024),
  gpu: z
    .strictObject({
      shareMillis: z.int().min(1).max(1000),
      vramMib: z.int().min(0).max(MEMORY_MIB_MAX),
      model: z.string().min(1).max(256).optional(),
    })
    .optional(),
});

const algorithmArgs = z.strictObject({
  id: algorithmId,
  version,
  type: algorithmId,
  runtime: z.enum(['wasm', 'onnx', 'echo']),
  image: z.strictObject({ digest, sizeBytes: imageBytes }),
  demands: z.array(demandArgs).min(1).max(ARGS_MAX),
  workCoreS: z.number().positive().max(DURATION_MS_MAX),
  checkpoints: z.boolean().optional(),
  compare: z
    .discriminatedUnion('by', [
      z.strictObject({ by: z.literal('bytes') }),
      z.strictObject({
        by: z.literal('numbers'),
        format: z.enum(['float32', 'float64', 'json']),
        tolerance: z.number().min(0).max(1),
      }),
    ])
    .optional(),
});

const imagePartArgs = z.strictObject({
  digest,
  sizeBytes: imageBytes,
  offset: z.int().min(0).max(BLOB_BYTES_MAX),
  dataBase64: z.base64().max(Math.ceil(IMAGE_PART_BYTES_MAX / 3) * 4),
});

const checkBytes = z
  .base64()
  .max(Math.ceil(KNOWN_ANSWER_BYTES_MAX / 3) * 4, `is above ${KNOWN_ANSWER_BYTES_MAX} bytes`);
const checkArgs = z.strictObject({
  id: algorithmId,
  version: version.optional(),
  args: z.array(z.string().max(4096)).max(ARGS_MAX),
  inputBase64: checkBytes,
  outputBase64: checkBytes,
});

const stepArgs = z.strictObject({
  step: z.enum(['plug', 'charge', 'suspend', 'finish', 'unplug']),
  connector: z.string().min(1).max(160),
  vehicleId: vehicleId.optional(),
  socPermille: z.int().min(0).max(1000).optional(),
  by: z.enum(['EV', 'EVSE']).optional(),
  departureInMs: z.int().positive().max(DURATION_MS_MAX).optional(),
});

const shareMillis = z.int().min(0).max(1000).optional();
const poolArgs = z.strictObject({
  algorithmClass: z.enum(ALGORITHM_CLASSES),
  shareMillis: z.strictObject({
    cpuMillicores: shareMillis,
    memoryMib: shareMillis,
    gpuMillis: shareMillis,
    vramMib: shareMillis,
  }),
});

const VERBS: Readonly<Record<string, Verb>> = {
  status: verb(nothing, status),
  metrics: verb(nothing, ({ agent }) => agent.metrics),
  vehicles: verb(nothing, ({ agent, clock }) => vehiclesView(agent.state, clock.now())),
  connectors: verb(nothing, ({ agent, clock }) => connectorsView(agent.state, clock.now())),
  tasks: verb(z.strictObject({ limit: z.int().min(1).max(TASKS_LIMIT_MAX) }), listTasks),
  task: verb(z.strictObject({ taskId }), showTask),
  cancel: verb(z.strictObject({ taskId }), cancelTask),
  retry: verb(z.strictObject({ taskId }), retryTask),
  explain: verb(z.strictObject({ taskId }), explainTask),
  ledger: verb(nothing, async ({ store }) => ledgerView(await store.ledger())),
  algorithms: verb(nothing, ({ agent }) => algorithmsView(agent.state)),
  imagePart: verb(imagePartArgs, takeImagePart),
  addAlgorithm: verb(algorithmArgs, addAlgorithm),
  retireAlgorithm: verb(
    z.strictObject({ id: algorithmId, version: version.optional() }),
    (controlled, args) => operate(controlled, { verb: 'retireAlgorithm', ...named(args) }),
  ),
  removeAlgorithm: verb(
    z.strictObject({ id: algorithmId, version: version.optional() }),
    (controlled, args) => operate(controlled, { verb: 'removeAlgorithm', ...named(args) }),
  ),
  pools: verb(nothing, ({ agent, clock }) => poolsView(agent.state, clock.now())),
  setPool: verb(poolArgs, (controlled, { algorithmClass, shareMillis }) =>
    operate(controlled, { verb: 'setPool', algorithmClass, shareMillis: defined(shareMillis) }),
  ),
  planPools: verb(nothing, (controlled) => operate(controlled, { verb: 'planPools' })),
  addCheck: verb(checkArgs, (controlled, { inputBase64, outputBase64, args, ...rest }) =>
    operate(controlled, {
      verb: 'addCheck',
      ...named(rest),
      args,
      input: Buffer.from(inputBase64, 'base64'),
      output: Buffer.from(outputBase64, 'base64'),
    }),
  ),
  trust: verb(nothing, ({ agent, clock }) => trustView(agent.state, clock.now())),
  resetTrust: verb(z.strictObject({ vehicleId }), (controlled, args) =>
    operate(controlled, { verb: 'resetTrust', vehicleId: args.vehicleId as VehicleId }),
  ),
  drain: verb(z.strictObject({ vehicleId: vehicleId.optional() }), (controlled, args) =>
    operate(controlled, { verb: 'drain', ...ofVehicle(args) }),
  ),
  resume: verb(z.strictObject({ vehicleId: vehicleId.optional() }), (controlled, args) =>
    operate(controlled, { verb: 'resume', ...ofVehicle(args) }),
  ),
  draining: verb(z.strictObject({ vehicleId: vehicleId.optional() }), ({ agent }, args) =>
    drainingView(agent.state, ofVehicle(args).vehicleId),
  ),
  firmware: verb(stepArgs, takeStep),
  unbindToken: verb(z.strictObject({ vehicleId }), unbindToken),
  ledgerHead: verb(nothing, ({ ledger }) => ledger.head()),
  verifyLedger: verb(z.strictObject({ head: signedHeadSchema.optional() }), ({ ledger }, { head }) =>
    ledger.verify(head),
  ),
  ledgerBookings: verb(
    z.strictObject({ after: z.int().min(0), fromWallMs: z.int(), toWallMs: z.int() }),
    ({ store }, { after, fromWallMs, toWallMs }) => store.bookingsAfter(after, fromWallMs, toWallMs),
  ),
  settleLedger: verb(nothing, async ({ ledger }) => valueOf(await ledger.settle())),
  backup: verb(z.strictObject({ file: absolutePath }), ({ care }, { file }) => care.backUp(file)),
};

/** Never rejects: what goes wrong is an answer. */
export async function answerVerb(
  controlled: Controlled,
  name: string,
  args: unknown,
): Promise<ControlAnswer> {
  const known = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (known === undefined)
    return refuse('verb_unknown', `no verb ${name}`, 'are agent and command of one version?');
  const parsed = known.args.safeParse(args);
  if (!parsed.success) return refuse('invalid_argument', issuesOf(parsed.error), 'see plugpool --help');
  try {
    return { ok: true, value: await known.carryOut(controlled, parsed.data as never) };
  } catch (error) {
    return failureOf(controlled, name, error);
  }
}

function failureOf(controlled: Controlled, name: string, error: unknown): ControlAnswer {
  if (error instanceof Refusal) return { ok: false, error: error.answer };
  if (error instanceof FirmwareError) return refuse(error.code, error.message, error.hint);
  if (error instanceof BackupError) return refuse(error.code, error.message, error.hint);
  if (error instanceof StoreError) return refuse(`storage_${error.code}`, error.message, error.hint);
  controlled.failed(name, error);
  return refuse(
    'internal',
    error instanceof Error ? error.message : String(error),
    'look at the log of the agent',
  );
}

function refuse(code: string, detail: string, hint: string): ControlAnswer {
  return { ok: false, error: { code, detail, hint } };
}

function issuesOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ');
}

async function operate({ agent }: Controlled, command: OperatorCommand): Promise<unknown> {
  return valueOf(await agent.operate(command));
}

function valueOf(answer: OperatorAnswer): unknown {
  if (answer.ok) return answer.value;
  throw new Refusal(answer.code, answer.detail, answer.hint);
}

/** Without what was not given. */
function defined<Value>(fields: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Value] => entry[1] !== undefined),
  );
}

function ofVehicle({ vehicleId }: { readonly vehicleId?: string | undefined }) {
  return vehicleId === undefined ? {} : { vehicleId: vehicleId as VehicleId };
}

function named(args: { readonly id: string; readonly version?: string | undefined }) {
  const id = args.id as AlgorithmId;
  return args.version === undefined ? { id } : { id, version: args.version };
}

function status({ agent, care, clock, about }: Controlled): StatusAnswer {
  const now = clock.now();
  const { host, port } = agent.address;
  return {
    version: about.version,
    dataDir: about.dataDir,
    listen: `mqtt://${host.includes(':') ? `[${host}]` : host}:${port}`,
    uptimeMs: Math.max(0, Math.round(now.wallMs - about.startedWallMs)),
    ...statusView(agent.state, now),
    store: care.view(),
  };
}

/** The open ones are in memory, the closed ones on disk; one that closes between the two looks is shown once. */
async function listTasks({ agent, store }: Controlled, { limit }: { readonly limit: number }) {
  const recent = await store.listTasks(limit);
  const open = openTasksView(agent.state);
  const isOpen = new Set(open.map((task) => task.taskId));
  const closed = recent
    .filter(({ task }) => !isOpen.has(task.taskId))
    .map((history) => closedTaskView(history, agent.state.settings));
  return [...open, ...closed].sort((a, b) => b.acceptedWallMs - a.acceptedWallMs).slice(0, limit);
}

async function showTask({ agent, store }: Controlled, args: { readonly taskId: string }) {
  const id = args.taskId as TaskId;
  const history = await store.readTask(id);
  if (history === undefined) throw unknownTask(id);
  const live = openTasksView(agent.state).find((task) => task.taskId === id);
  return taskDetails(history, live, agent.state.settings);
}

/** A task that ended and was acknowledged is on disk alone, where the core does not look. */
async function cancelTask(controlled: Controlled, args: { readonly taskId: string }): Promise<unknown> {
  const taskId = args.taskId as TaskId;
  const answer = await controlled.agent.operate({ verb: 'cancel', taskId });
  if (answer.ok) return answer.value;
  if (answer.code !== 'task_unknown') throw new Refusal(answer.code, answer.detail, answer.hint);
  const end = (await controlled.store.readTask(taskId))?.end;
  if (end === undefined) throw unknownTask(taskId);
  throw new Refusal('task_ended', `task ${taskId} is ${end.state} already`, 'nothing is left to cancel');
}

async function retryTask(controlled: Controlled, args: { readonly taskId: string }): Promise<unknown> {
  const { agent, store, blobs } = controlled;
  const history = await store.readTask(args.taskId as TaskId);
  if (history === undefined) throw unknownTask(args.taskId);
  const { task, end } = history;
  if (end !== undefined && task.input.where === 'blob' && !blobs.has(task.input.blob.digest))
    throw new Refusal(
      'input_unavailable',
      `the input of task ${task.taskId} is not here any more`,
      'its requester must ask anew, with the input',
    );
  const answer = await agent.operate({ verb: 'retry', ended: { task, end } });
  if (answer.ok) return answer.value;
  throw new Refusal(answer.code, answer.detail, answer.hint);
}

async function explainTask({ agent, store, clock }: Controlled, args: { readonly taskId: string }) {
  const id = args.taskId as TaskId;
  const explanation = explain(agent.state, id, clock.now());
  if (explanation !== undefined) return explanation;
  const history = await store.readTask(id);
  if (history?.end === undefined) throw unknownTask(id);
  return explainEnded(id, history.end);
}

function unknownTask(id: string): Refusal {
  return new Refusal(
    'task_unknown',
    `no task ${id} is known here`,
    'plugpool tasks lists the tasks; old ones are forgotten',
  );
}

/** The same upload goes on with each part: the blob store gives back the one that is under way. */
async function takeImagePart({ blobs }: Controlled, part: z.output<typeof imagePartArgs>) {
  const upload = await blobs.upload({ digest: part.digest as Digest, sizeBytes: part.sizeBytes });
  if (upload.nextOffset >= part.sizeBytes || part.offset !== upload.nextOffset)
    return { nextOffset: upload.nextOffset };
  const bytes = Buffer.from(part.dataBase64, 'base64');
  if (bytes.length === 0 || part.offset + bytes.length > part.sizeBytes)
    throw new Refusal(
      'invalid_argument',
      'the part does not fit the size of the image',
      'add the image again',
    );
  await upload.write(part.offset, bytes);
  const nextOffset = part.offset + bytes.length;
  if (nextOffset === part.sizeBytes) await finishImage(upload, part.digest);
  return { nextOffset };
}

async function finishImage(upload: { finish(): Promise<void> }, expected: string): Promise<void> {
  await upload.finish().catch((error: unknown) => {
    if (error instanceof StoreError) throw error;
    throw new Refusal(
      'digest_mismatch',
      `the bytes that arrived are not those of sha256 ${expected}`,
      'was the file changed meanwhile? add it again',
    );
  });
}

async function addAlgorithm(controlled: Controlled, args: z.output<typeof algorithmArgs>): Promise<unknown> {
  const { image, demands, checkpoints = false, compare, ...rest } = args;
  const blob = { digest: image.digest as Digest, sizeBytes: image.sizeBytes };
  await checkImage(controlled.blobs, rest.runtime, blob);
  const algorithm = {
    ...rest,
    id: rest.id as AlgorithmId,
    image: blob,
    demands: demands as readonly Demand[],
    ...(checkpoints ? { checkpoints } : {}),
    ...(compare === undefined ? {} : { compare }),
  };
  return operate(controlled, { verb: 'addAlgorithm', algorithm });
}

const WASM_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

async function checkImage(
  blobs: BlobStore,
  runtime: string,
  { digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number },
): Promise<void> {
  if (blobs.sizeOf(digest) !== sizeBytes)
    throw new Refusal(
      'image_missing',
      `the agent does not hold an image ${digest}`,
      'send its parts first (plugpool algorithms add does)',
    );
  const head = Buffer.from(await blobs.read(digest, 0, WASM_MAGIC.length));
  const isWasm = head.equals(WASM_MAGIC);
  if (runtime === 'wasm' && !isWasm)
    throw new Refusal(
      'image_invalid',
      'the file is no WebAssembly module: it does not begin with \\0asm, version 1',
      'give the .wasm file; a .wat text or a component must be compiled to a core module first',
    );
  if (runtime === 'onnx' && isWasm)
    throw new Refusal(
      'image_invalid',
      'the file is a WebAssembly module, not an ONNX model',
      'say --runtime wasm',
    );
}

async function takeStep({ manual }: Controlled, args: z.output<typeof stepArgs>) {
  if (manual === undefined)
    throw new Refusal(
      'no_manual_firmware',
      'this agent hears its connectors from other firmware',
      'add "- kind: manual" to firmware in the configuration to drive connectors by hand',
    );
  const { step, connector, by, ...details } = args;
  const connectorId = await (step === 'suspend'
    ? manual.suspend(connector, { ...details, by })
    : manual[step](connector, details));
  return { connectorId, step };
}

async function unbindToken({ tokens }: Controlled, args: { readonly vehicleId: string }) {
  return { vehicleId: args.vehicleId, wasBound: await tokens.unbind(args.vehicleId as VehicleId) };
}
