/** The operator's verbs, answered by an agent: questions from its state and its store, changes as commands to its core. */
import { issueInWords } from '@plugpool/firmware-bridge';
import { z } from 'zod';
import type { AlgorithmId, ConnectorId, Demand, Digest, TaskId, VehicleId } from '@plugpool/proto';
import {
  FirmwareError,
  parseConnectorId,
  type ManualFirmware,
  type Pseudonymize,
} from '@plugpool/firmware-bridge';
import type { ControlAnswer } from './adapters/control-socket/protocol.ts';
import type { VehicleTokens } from './adapters/vehicle-tokens.ts';
import type { OperatorAnswer, OperatorCommand } from './core/events.ts';
import { bindingsView } from './core/binding/bindings.ts';
import { drainingView } from './core/donors/draining.ts';
import { explain, explainEnded } from './core/explain/explain.ts';
import { poolsView } from './core/pools/view.ts';
import { trustView } from './core/replicas/trust-view.ts';
import type { State } from './core/state.ts';
import { algorithmsView, connectorsView, openTasksView, statusView, vehiclesView } from './core/views.ts';
import type { Engine } from './engine.ts';
import type { BlobStore, Clock, Store } from './ports.ts';
import { BackupError } from './backup-error.ts';
import {
  absolutePath,
  algorithmArgs,
  algorithmId,
  capArgs,
  checkArgs,
  connectorArgs,
  imagePartArgs,
  nothing,
  pageArgs,
  poolArgs,
  stepArgs,
  taskId,
  vehicleId,
  version,
} from './control-args.ts';
import { bindArgs, bindCommand, unbindArgs, unbindCommand } from './control-bindings.ts';
import { checkImage, takeImagePart } from './control-images.ts';
import { Refusal } from './control-refusal.ts';
import type { CreditCare } from './credits/credit-care.ts';
import type { LedgerCare } from './ledger-care.ts';
import { signedHeadSchema } from './signed-head.ts';
import type { DiskRoom } from './blobs/disk-room.ts';
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
  readonly credits: Pick<CreditCare, 'page'>;
  readonly blobs: BlobStore;
  readonly room: Pick<DiskRoom, 'makeRoom' | 'spare' | 'view'>;
  readonly clock: Clock;
  readonly tokens: VehicleTokens;
  /** With the pile's own salt. */
  readonly pseudonymize: Pseudonymize;
  /** Absent where the configuration names no manual firmware. */
  readonly manual: ManualFirmware | undefined;
  readonly about: { readonly version: string; readonly dataDir: string; readonly startedWallMs: number };
  /** Told of an error that is none of the operator's doing. */
  failed(verb: string, error: unknown): void;
}

export const TASKS_LIMIT_MAX = 1_000;

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
  imagePart: verb(imagePartArgs, ({ blobs, room }, part) => takeImagePart(blobs, room, part)),
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
  setCap: verb(capArgs, (controlled, { connector, ...cap }) =>
    operate(controlled, { verb: 'setCap', connectorId: connectorOf(controlled, connector), ...cap }),
  ),
  clearCap: verb(connectorArgs, (controlled, { connector }) =>
    operate(controlled, { verb: 'clearCap', connectorId: connectorOf(controlled, connector) }),
  ),
  bind: verb(bindArgs, (controlled, args) => {
    const { pseudonymize, agent } = controlled;
    return operate(controlled, bindCommand(args, pseudonymize, agent.state.settings.stationId));
  }),
  plugCode: verb(z.strictObject({ connector: z.string().min(1).max(160) }), plugCodeAt),
  bindings: verb(nothing, ({ agent }) => bindingsView(agent.state.bindings)),
  unbind: verb(unbindArgs, (controlled, args) => operate(controlled, unbindCommand(args))),
  unbindToken: verb(z.strictObject({ vehicleId }), unbindToken),
  ledgerHead: verb(nothing, ({ ledger }) => ledger.head()),
  verifyLedger: verb(z.strictObject({ head: signedHeadSchema.optional() }), ({ ledger }, { head }) =>
    ledger.verify(head),
  ),
  ledgerBookings: verb(pageArgs, ({ store }, { after, fromWallMs, toWallMs }) =>
    store.bookingsAfter(after, fromWallMs, toWallMs),
  ),
  credits: verb(pageArgs, ({ credits }, { after, fromWallMs, toWallMs }) =>
    credits.page(after, fromWallMs, toWallMs),
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
  return error.issues
    .map((issue) => `${issue.path.map(String).join('.')}: ${issueInWords(issue)}`)
    .join('; ');
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

/** A `FirmwareError` where it is none. */
function connectorOf({ agent }: Controlled, text: string): ConnectorId {
  return parseConnectorId(text, agent.state.settings.stationId);
}

function named(args: { readonly id: string; readonly version?: string | undefined }) {
  const id = args.id as AlgorithmId;
  return args.version === undefined ? { id } : { id, version: args.version };
}

async function status({ agent, care, room, clock, about }: Controlled): Promise<StatusAnswer> {
  const now = clock.now();
  const { host, port } = agent.address;
  return {
    version: about.version,
    dataDir: about.dataDir,
    listen: `mqtt://${host.includes(':') ? `[${host}]` : host}:${port}`,
    uptimeMs: Math.max(0, Math.round(now.wallMs - about.startedWallMs)),
    ...statusView(agent.state, now),
    store: care.view(),
    disk: await room.view(),
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

function plugCodeAt({ agent, clock }: Controlled, args: { readonly connector: string }) {
  const connectorId = parseConnectorId(args.connector, agent.state.settings.stationId);
  const view = connectorsView(agent.state, clock.now()).find((each) => each.connectorId === connectorId);
  if (typeof view?.code === 'string') return { connectorId, code: view.code };
  throw new Refusal(
    'no_code',
    `no code is wanted at ${connectorId} now`,
    'one is where a vehicle is plugged in, is heard of, and is not known more surely: plugpool connectors',
  );
}

async function unbindToken({ tokens }: Controlled, args: { readonly vehicleId: string }) {
  return { vehicleId: args.vehicleId, wasBound: await tokens.unbind(args.vehicleId as VehicleId) };
}
