/** What a pile says, both ways. */
import type { AlgorithmId, Epoch } from '../domain.ts';
import type {
  Accepted,
  CheckpointAck,
  Delivery,
  Deploy,
  DeployedImage,
  EarningsReport,
  EarningsSum,
  EarningTerms,
  Offer,
  Refused,
  Renewed,
  ResultAck,
  Revoke,
  StatusEntry,
  StatusReport,
  TaskUpdate,
  WaitExplanation,
  Welcome,
} from '../messages.ts';
import { DURATION_MS_MAX, OBSTACLES_MAX, SEED_BYTES, WOULD_RUN_MAX } from '../limits.ts';
import {
  readBlobRef,
  readDemand,
  readLease,
  readLeases,
  readPayload,
  readReason,
  readRunLimits,
  readToldFailure,
  readUsed,
  writeBlobRef,
  writeDemand,
  writeFailure,
  writeLease,
  writePayload,
  writeReasons,
  writeRunLimits,
  writeUsed,
} from './parts.ts';
import { BodyRefused } from './refusal.ts';
import {
  REVOKE_REASONS,
  isGiven,
  isPresent,
  readArgs,
  readBytes,
  readCode,
  readId,
  readInteger,
  readListed,
  readName,
  readRuntime,
  readTaskState,
  readVersion,
  writeInteger,
  writeRuntime,
  writeTaskState,
  writeText,
  writeUint32,
} from './values.ts';
import type {
  WireAccepted,
  WireCheckpointAck,
  WireDelivery,
  WireDeploy,
  WireDeployedImage,
  WireEarningsReport,
  WireEarningsSum,
  WireEarningTerms,
  WireOffer,
  WirePart,
  WireRefused,
  WireRenewed,
  WireResultAck,
  WireRevoke,
  WireStatusEntry,
  WireStatusReport,
  WireTaskUpdate,
  WireWaitExplanation,
  WireWelcome,
} from './wire.ts';

export function readWelcome(wire: WireWelcome): Welcome {
  return {
    kind: 'welcome',
    epoch: readInteger(wire.epoch) as Epoch,
    leaseMs: readInteger(wire.leaseMs),
    messageBytesMax: wire.messageBytesMax ?? 0,
    inlineBytesMax: wire.inlineBytesMax ?? 0,
    blobBytesMax: readInteger(wire.blobBytesMax),
    chunkBytesMax: wire.chunkBytesMax ?? 0,
    keep: readLeases(wire.keep, 'Welcome.keep'),
    drop: readLeases(wire.drop, 'Welcome.drop'),
    checkpoints: wire.checkpoints ?? false,
    stationId: wire.stationId ?? '',
  };
}

export function writeWelcome(body: Welcome): WireWelcome {
  return {
    epoch: writeInteger(body.epoch, 'Welcome.epoch'),
    leaseMs: writeInteger(body.leaseMs, 'Welcome.lease_ms'),
    messageBytesMax: writeUint32(body.messageBytesMax, 'Welcome.message_bytes_max'),
    inlineBytesMax: writeUint32(body.inlineBytesMax, 'Welcome.inline_bytes_max'),
    blobBytesMax: writeInteger(body.blobBytesMax, 'Welcome.blob_bytes_max'),
    chunkBytesMax: writeUint32(body.chunkBytesMax, 'Welcome.chunk_bytes_max'),
    keep: body.keep.map(writeLease),
    drop: body.drop.map(writeLease),
    checkpoints: body.checkpoints,
    stationId: writeText(body.stationId),
  };
}

export function readAccepted(wire: WireAccepted): Accepted {
  return {
    kind: 'accepted',
    requestId: readId(wire.requestId, 'Accepted.request_id'),
    taskId: readId(wire.taskId, 'Accepted.task_id'),
    deadlineMs: readInteger(wire.deadlineMs),
  };
}

export function writeAccepted(body: Accepted): WireAccepted {
  return {
    requestId: body.requestId,
    taskId: body.taskId,
    deadlineMs: writeInteger(body.deadlineMs, 'Accepted.deadline_ms'),
  };
}

export function readRefused(wire: WireRefused): Refused {
  const retryAfterMs = readInteger(wire.retryAfterMs);
  const base = {
    kind: 'refused',
    reasons: (wire.reasons ?? []).map(readReason),
    retryable: wire.retryable ?? false,
    ...(retryAfterMs === 0 ? {} : { retryAfterMs }),
  } as const;
  if (!isGiven(wire.requestId)) return base;
  return { ...base, requestId: readId(wire.requestId, 'Refused.request_id') };
}

export function writeRefused(body: Refused): WireRefused {
  return {
    requestId: body.requestId ?? null,
    reasons: writeReasons(body.reasons),
    retryable: body.retryable,
    retryAfterMs:
      body.retryAfterMs === undefined ? null : writeInteger(body.retryAfterMs, 'Refused.retry_after_ms'),
  };
}

export function readOffer(wire: WireOffer): Offer {
  const checkpointEveryMs = readInteger(wire.checkpointEveryMs);
  return {
    kind: 'offer',
    lease: readLease(wire.lease, 'Offer.lease'),
    leaseMs: readInteger(wire.leaseMs),
    taskId: readId(wire.taskId, 'Offer.task_id'),
    attempt: wire.attempt ?? 0,
    algorithmId: readName(wire.algorithmId, 'Offer.algorithm_id') as AlgorithmId,
    algorithmVersion: readVersion(wire.algorithmVersion, 'Offer.algorithm_version'),
    runtime: readRuntime(wire.runtime, 'Offer.runtime'),
    image: readBlobRef(wire.image, 'Offer.image'),
    args: readArgs(wire.args, 'Offer.args'),
    input: readPayload(wire.input, 'Offer.input'),
    demand: readDemand(wire.demand, 'Offer.demand'),
    limits: readRunLimits(wire.limits, 'Offer.limits'),
    seed: readBytes(wire.seed),
    ...(wire.checkpoint ? { checkpoint: readBlobRef(wire.checkpoint, 'Offer.checkpoint') } : {}),
    ...(wire.part ? { part: readPart(wire.part) } : {}),
    ...(checkpointEveryMs > 0 ? { checkpointEveryMs } : {}),
  };
}

function readPart(wire: WirePart): NonNullable<Offer['part']> {
  const index = wire.index ?? 0;
  const count = wire.count ?? 0;
  if (index >= count) throw new BodyRefused('Offer.Part.index: not below count');
  return { index, count };
}

export function writeOffer(body: Offer): WireOffer {
  const { part, checkpointEveryMs } = body;
  if (body.seed.length !== SEED_BYTES) throw new RangeError(`Offer.seed: ${body.seed.length} bytes, not 16`);
  return {
    lease: writeLease(body.lease),
    leaseMs: writeInteger(body.leaseMs, 'Offer.lease_ms'),
    taskId: body.taskId,
    attempt: writeUint32(body.attempt, 'Offer.attempt'),
    algorithmId: body.algorithmId,
    algorithmVersion: body.algorithmVersion,
    runtime: writeRuntime(body.runtime),
    image: writeBlobRef(body.image),
    args: [...body.args],
    input: writePayload(body.input),
    demand: writeDemand(body.demand),
    limits: writeRunLimits(body.limits),
    seed: body.seed,
    checkpoint: body.checkpoint === undefined ? null : writeBlobRef(body.checkpoint),
    part: part === undefined ? null : writePart(part),
    checkpointEveryMs:
      checkpointEveryMs === undefined ? null : writeInteger(checkpointEveryMs, 'Offer.checkpoint_every_ms'),
  };
}

function writePart({ index, count }: NonNullable<Offer['part']>): WirePart {
  return { index: writeUint32(index, 'Offer.Part.index'), count: writeUint32(count, 'Offer.Part.count') };
}

export function readDeploy(wire: WireDeploy): Deploy {
  return { kind: 'deploy', images: (wire.images ?? []).map(readDeployedImage) };
}

function readDeployedImage(wire: WireDeployedImage): DeployedImage {
  return {
    algorithmId: readName(wire.algorithmId, 'DeployedImage.algorithm_id') as AlgorithmId,
    version: readVersion(wire.version, 'DeployedImage.version'),
    runtime: readRuntime(wire.runtime, 'DeployedImage.runtime'),
    image: readBlobRef(wire.image, 'DeployedImage.image'),
  };
}

export function writeDeploy(body: Deploy): WireDeploy {
  return { images: body.images.map(writeDeployedImage) };
}

function writeDeployedImage({ algorithmId, version, runtime, image }: DeployedImage): WireDeployedImage {
  return { algorithmId, version, runtime: writeRuntime(runtime), image: writeBlobRef(image) };
}

export function readRevoke(wire: WireRevoke): Revoke {
  return {
    kind: 'revoke',
    lease: readLease(wire.lease, 'Revoke.lease'),
    reason: readListed(wire.reason, REVOKE_REASONS, 'Revoke.reason'),
    graceMs: readInteger(wire.graceMs),
  };
}

export function writeRevoke(body: Revoke): WireRevoke {
  return {
    lease: writeLease(body.lease),
    reason: body.reason,
    graceMs: writeInteger(body.graceMs, 'Revoke.grace_ms'),
  };
}

export function readRenewed(wire: WireRenewed): Renewed {
  const keepState = readLeases(wire.keepState, 'Renewed.keep_state');
  return {
    kind: 'renewed',
    held: readLeases(wire.held, 'Renewed.held'),
    leaseMs: readInteger(wire.leaseMs),
    ...(keepState.length === 0 ? {} : { keepState }),
  };
}

export function writeRenewed(body: Renewed): WireRenewed {
  return {
    held: body.held.map(writeLease),
    leaseMs: writeInteger(body.leaseMs, 'Renewed.lease_ms'),
    keepState: (body.keepState ?? []).map(writeLease),
  };
}

export function readResultAck(wire: WireResultAck): ResultAck {
  return {
    kind: 'resultAck',
    lease: readLease(wire.lease, 'ResultAck.lease'),
    accepted: wire.accepted ?? false,
    reason: wire.reason ?? '',
  };
}

export function writeResultAck(body: ResultAck): WireResultAck {
  return { lease: writeLease(body.lease), accepted: body.accepted, reason: writeText(body.reason) };
}

export function readCheckpointAck(wire: WireCheckpointAck): CheckpointAck {
  return {
    kind: 'checkpointAck',
    lease: readLease(wire.lease, 'CheckpointAck.lease'),
    accepted: wire.accepted ?? false,
    reason: wire.reason ?? '',
  };
}

export function writeCheckpointAck(body: CheckpointAck): WireCheckpointAck {
  return { lease: writeLease(body.lease), accepted: body.accepted, reason: writeText(body.reason) };
}

export function readEarningsReport(wire: WireEarningsReport): EarningsReport {
  return {
    kind: 'earningsReport',
    balances: (wire.balances ?? []).map(readEarningsSum),
    energyCosts: (wire.energyCosts ?? []).map(readEarningsSum),
    ...(wire.terms ? { terms: readEarningTerms(wire.terms) } : {}),
  };
}

function readEarningsSum(wire: WireEarningsSum): EarningsSum {
  return { unit: wire.unit ?? '', credited: readInteger(wire.credited), debited: readInteger(wire.debited) };
}

function readEarningTerms(wire: WireEarningTerms): EarningTerms {
  return {
    tariff: wire.tariff ?? '',
    currency: wire.currency ?? '',
    cpuHourMicros: readInteger(wire.cpuHourMicros),
    gpuHourMicros: readInteger(wire.gpuHourMicros),
    energyKwhMicros: readInteger(wire.energyKwhMicros),
    cpuHourMwh: readInteger(wire.cpuHourMwh),
    ...(isPresent(wire.overstayAfterMs) ? { overstayAfterMs: readInteger(wire.overstayAfterMs) } : {}),
  };
}

export function writeEarningsReport(body: EarningsReport): WireEarningsReport {
  return {
    balances: body.balances.map(writeEarningsSum),
    energyCosts: body.energyCosts.map(writeEarningsSum),
    terms: body.terms === undefined ? null : writeEarningTerms(body.terms),
  };
}

function writeEarningsSum({ unit, credited, debited }: EarningsSum): WireEarningsSum {
  return {
    unit: writeText(unit),
    credited: writeInteger(credited, 'EarningsReport.Sum.credited'),
    debited: writeInteger(debited, 'EarningsReport.Sum.debited'),
  };
}

function writeEarningTerms(terms: EarningTerms): WireEarningTerms {
  const { overstayAfterMs } = terms;
  const field = (name: string): string => `EarningsReport.Terms.${name}`;
  return {
    tariff: writeText(terms.tariff),
    currency: writeText(terms.currency),
    cpuHourMicros: writeInteger(terms.cpuHourMicros, field('cpu_hour_micros')),
    gpuHourMicros: writeInteger(terms.gpuHourMicros, field('gpu_hour_micros')),
    energyKwhMicros: writeInteger(terms.energyKwhMicros, field('energy_kwh_micros')),
    cpuHourMwh: writeInteger(terms.cpuHourMwh, field('cpu_hour_mwh')),
    overstayAfterMs:
      overstayAfterMs === undefined ? null : writeInteger(overstayAfterMs, field('overstay_after_ms')),
  };
}

export function readDelivery(wire: WireDelivery): Delivery {
  const outputs = (wire.outputs ?? []).map((output) => readPayload(output, 'Delivery.outputs'));
  if (wire.failure && (wire.output || outputs.length > 0))
    throw new BodyRefused('Delivery: an output and a failure');
  return {
    kind: 'delivery',
    requestId: readId(wire.requestId, 'Delivery.request_id'),
    taskId: readId(wire.taskId, 'Delivery.task_id'),
    state: readTaskState(wire.state, 'Delivery.state'),
    ...(wire.output ? { output: readPayload(wire.output, 'Delivery.output') } : {}),
    ...(outputs.length > 0 ? { outputs } : {}),
    ...(wire.failure ? { failure: readToldFailure(wire.failure) } : {}),
    attempts: wire.attempts ?? 0,
    donor: wire.donor ?? '',
    ...(wire.used ? { used: readUsed(wire.used, 'Delivery.used') } : {}),
    chargedMncs: readInteger(wire.chargedMncs),
    agreeing: wire.agreeing ?? 0,
    // Empty where the task ended before an algorithm of its type was chosen.
    algorithmId: isGiven(wire.algorithmId) ? readName(wire.algorithmId, 'Delivery.algorithm_id') : '',
    algorithmVersion: isGiven(wire.algorithmVersion)
      ? readVersion(wire.algorithmVersion, 'Delivery.algorithm_version')
      : '',
  };
}

export function writeDelivery(body: Delivery): WireDelivery {
  return {
    requestId: body.requestId,
    taskId: body.taskId,
    state: writeTaskState(body.state),
    output: body.output === undefined ? null : writePayload(body.output),
    outputs: (body.outputs ?? []).map(writePayload),
    failure: body.failure === undefined ? null : writeFailure(body.failure),
    attempts: writeUint32(body.attempts, 'Delivery.attempts'),
    donor: writeText(body.donor),
    used: body.used === undefined ? null : writeUsed(body.used),
    chargedMncs: writeInteger(body.chargedMncs, 'Delivery.charged_mncs'),
    agreeing: writeUint32(body.agreeing, 'Delivery.agreeing'),
    algorithmId: body.algorithmId,
    algorithmVersion: body.algorithmVersion,
  };
}

export function readTaskUpdate(wire: WireTaskUpdate): TaskUpdate {
  return {
    kind: 'taskUpdate',
    taskId: readId(wire.taskId, 'TaskUpdate.task_id'),
    state: readTaskState(wire.state, 'TaskUpdate.state'),
    attempt: wire.attempt ?? 0,
    progressPermille: wire.progressPermille ?? 0,
    donor: wire.donor ?? '',
    reason: wire.reason ?? '',
  };
}

export function writeTaskUpdate(body: TaskUpdate): WireTaskUpdate {
  return {
    taskId: body.taskId,
    state: writeTaskState(body.state),
    attempt: writeUint32(body.attempt, 'TaskUpdate.attempt'),
    progressPermille: writeUint32(body.progressPermille, 'TaskUpdate.progress_permille'),
    donor: writeText(body.donor),
    reason: writeText(body.reason),
  };
}

export function readStatusReport(wire: WireStatusReport): StatusReport {
  return {
    kind: 'statusReport',
    tasks: (wire.tasks ?? []).map(readStatusEntry),
    truncated: wire.truncated ?? false,
  };
}

function readStatusEntry(wire: WireStatusEntry): StatusEntry {
  return {
    taskId: readId(wire.taskId, 'StatusReport.Task.task_id'),
    requestId: readId(wire.requestId, 'StatusReport.Task.request_id'),
    algorithmId: isGiven(wire.algorithmId)
      ? readName(wire.algorithmId, 'StatusReport.Task.algorithm_id')
      : '',
    state: readTaskState(wire.state, 'StatusReport.Task.state'),
    attempts: wire.attempts ?? 0,
    progressPermille: wire.progressPermille ?? 0,
    delivered: wire.delivered ?? false,
    reason: wire.reason ?? '',
    ...(wire.explanation ? { explanation: readExplanation(wire.explanation) } : {}),
  };
}

function readExplanation(wire: WireWaitExplanation): WaitExplanation {
  return {
    summary: wire.summary ?? '',
    place: wire.place ?? 0,
    ...(isPresent(wire.startInMs) ? { startInMs: readInteger(wire.startInMs) } : {}),
    wouldRun: wire.wouldRun ?? [],
    obstacles: (wire.obstacles ?? []).map(({ test, donors }) => ({
      test: readCode(test, 'WaitExplanation.Obstacle.test'),
      donors: donors ?? 0,
    })),
  };
}

export function writeStatusReport(body: StatusReport): WireStatusReport {
  return { tasks: body.tasks.map(writeStatusEntry), truncated: body.truncated };
}

function writeStatusEntry(entry: StatusEntry): WireStatusEntry {
  return {
    taskId: entry.taskId,
    requestId: entry.requestId,
    algorithmId: entry.algorithmId,
    state: writeTaskState(entry.state),
    attempts: writeUint32(entry.attempts, 'StatusReport.Task.attempts'),
    progressPermille: writeUint32(entry.progressPermille, 'StatusReport.Task.progress_permille'),
    delivered: entry.delivered,
    reason: writeText(entry.reason),
    explanation: entry.explanation === undefined ? null : writeExplanation(entry.explanation),
  };
}

/** For a person, who reads the first ones; a start further off than anything is planned for is far off. */
function writeExplanation(explanation: WaitExplanation): WireWaitExplanation {
  const { summary, place, startInMs, wouldRun, obstacles } = explanation;
  return {
    summary: writeText(summary),
    place: writeUint32(place, 'WaitExplanation.place'),
    startInMs: startInMs === undefined ? null : writeStart(startInMs),
    wouldRun: wouldRun.slice(0, WOULD_RUN_MAX).map(writeText),
    obstacles: obstacles.slice(0, OBSTACLES_MAX).map(({ test, donors }) => ({
      test,
      donors: writeUint32(donors, 'WaitExplanation.Obstacle.donors'),
    })),
  };
}

function writeStart(startInMs: number): number {
  return writeInteger(Math.min(startInMs, DURATION_MS_MAX), 'WaitExplanation.start_in_ms');
}
