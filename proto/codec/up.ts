/** What a vehicle says, both ways. */
import type { AlgorithmId, HardwareProfile, TaskId } from '../domain.ts';
import { DURATION_MS_MAX } from '../limits.ts';
import type {
  Cancel,
  CapacityReport,
  Checkpoint,
  Decline,
  Hello,
  RenewalEntry,
  Result,
  Selector,
  StatusQuery,
  TaskRequest,
} from '../messages.ts';
import {
  readBlobRef,
  readCapacity,
  readFailure,
  readGpus,
  readLease,
  readLeases,
  readPayload,
  readUsed,
  writeBlobRef,
  writeCapacity,
  writeFailure,
  writeGpu,
  writeLease,
  writePayload,
  writeUsed,
} from './parts.ts';
import { BodyRefused } from './refusal.ts';
import {
  isGiven,
  isPresent,
  readArgs,
  readDigest,
  readId,
  readInteger,
  readName,
  readRequired,
  readRuntime,
  readVersion,
  writeDigest,
  writeInteger,
  writeRuntime,
  writeText,
  writeUint32,
} from './values.ts';
import { readWants, writeConstraint, writeWants } from './wants.ts';
import type {
  WireCancel,
  WireCapacityReport,
  WireCheckpoint,
  WireDecline,
  WireHardwareProfile,
  WireHello,
  WireRenewal,
  WireResult,
  WireStatusQuery,
  WireTaskRequest,
} from './wire.ts';

export function readHello(wire: WireHello): Hello {
  const hello: Hello = {
    kind: 'hello',
    clientVersion: readVersion(wire.clientVersion, 'Hello.client_version'),
    held: readLeases(wire.held, 'Hello.held'),
    runtimes: (wire.runtimes ?? []).map((runtime) => readRuntime(runtime, 'Hello.runtimes')),
  };
  return wire.hardware ? { ...hello, hardware: readHardware(wire.hardware) } : hello;
}

export function writeHello(body: Hello): WireHello {
  return {
    clientVersion: body.clientVersion,
    hardware: body.hardware === undefined ? null : writeHardware(body.hardware),
    held: body.held.map(writeLease),
    runtimes: body.runtimes.map(writeRuntime),
  };
}

function readHardware(wire: WireHardwareProfile): HardwareProfile {
  return {
    cpuModel: wire.cpuModel ?? '',
    cores: wire.cores ?? 0,
    clockMhz: wire.clockMhz ?? 0,
    memoryMib: wire.memoryMib ?? 0,
    gpus: readGpus(wire.gpus),
    speedMillis: wire.speedMillis ?? 0,
    platform: wire.platform ?? '',
  };
}

function writeHardware(hardware: HardwareProfile): WireHardwareProfile {
  return {
    cpuModel: writeText(hardware.cpuModel),
    cores: writeUint32(hardware.cores, 'HardwareProfile.cores'),
    clockMhz: writeUint32(hardware.clockMhz, 'HardwareProfile.clock_mhz'),
    memoryMib: writeUint32(hardware.memoryMib, 'HardwareProfile.memory_mib'),
    gpus: hardware.gpus.map(writeGpu),
    speedMillis: writeUint32(hardware.speedMillis, 'HardwareProfile.speed_millis'),
    platform: writeText(hardware.platform),
  };
}

export function readCapacityReport(wire: WireCapacityReport): CapacityReport {
  return {
    kind: 'capacity',
    lendable: readCapacity(wire.lendable, 'CapacityReport.lendable'),
    lending: wire.lending ?? false,
    reason: wire.reason ?? '',
    cachedImages: (wire.cachedImages ?? []).map((image) => readDigest(image, 'CapacityReport.cached_images')),
    allowedAlgorithms: (wire.allowedAlgorithms ?? []).map((name) =>
      readName(name, 'CapacityReport.allowed_algorithms'),
    ),
    ...(typeof wire.socPermille === 'number' ? { socPermille: wire.socPermille } : {}),
    ...(isPresent(wire.departureInMs) ? { departureInMs: readInteger(wire.departureInMs) } : {}),
    chargingOnly: wire.chargingOnly ?? false,
    ...(isGiven(wire.constraint) ? { constraint: wire.constraint } : {}),
  };
}

export function writeCapacityReport(body: CapacityReport): WireCapacityReport {
  const { socPermille, departureInMs } = body;
  return {
    lendable: writeCapacity(body.lendable),
    lending: body.lending,
    reason: writeText(body.reason),
    cachedImages: body.cachedImages.map(writeDigest),
    allowedAlgorithms: [...body.allowedAlgorithms],
    socPermille: socPermille === undefined ? null : writeUint32(socPermille, 'CapacityReport.soc_permille'),
    departureInMs: departureInMs === undefined ? null : writeDeparture(departureInMs),
    chargingOnly: body.chargingOnly,
    constraint: writeConstraint(body.constraint, 'CapacityReport.constraint'),
  };
}

/** Later than anything is planned for is the same as far off, and no reason to refuse the whole report. */
function writeDeparture(departureInMs: number): number {
  return writeInteger(Math.min(departureInMs, DURATION_MS_MAX), 'CapacityReport.departure_in_ms');
}

export function readTaskRequest(wire: WireTaskRequest): TaskRequest {
  const deadlineMs = readInteger(wire.deadlineMs);
  const wants = readWants(wire.wants);
  return {
    kind: 'request',
    requestId: readId(wire.requestId, 'TaskRequest.request_id'),
    selector: readSelector(wire),
    args: readArgs(wire.args, 'TaskRequest.args'),
    input: readPayload(wire.input, 'TaskRequest.input'),
    ...(deadlineMs > 0 ? { deadlineMs } : {}),
    ...(wants === undefined ? {} : { wants }),
  };
}

function readSelector(wire: WireTaskRequest): Selector {
  if (isGiven(wire.algorithmId) === isGiven(wire.algorithmType)) {
    throw new BodyRefused('TaskRequest: one of algorithm_id and algorithm_type, not both and not neither');
  }
  if (isGiven(wire.algorithmType)) {
    if (isGiven(wire.algorithmVersion)) {
      throw new BodyRefused('TaskRequest.algorithm_version: goes with algorithm_id, not with a type');
    }
    return { by: 'type', type: readName(wire.algorithmType, 'TaskRequest.algorithm_type') };
  }
  const algorithmId = readName(wire.algorithmId, 'TaskRequest.algorithm_id') as AlgorithmId;
  if (!isGiven(wire.algorithmVersion)) return { by: 'algorithm', algorithmId };
  const version = readVersion(wire.algorithmVersion, 'TaskRequest.algorithm_version');
  return { by: 'algorithm', algorithmId, version };
}

export function writeTaskRequest(body: TaskRequest): WireTaskRequest {
  const { selector, deadlineMs } = body;
  return {
    requestId: body.requestId,
    ...(selector.by === 'type'
      ? { algorithmType: selector.type }
      : { algorithmId: selector.algorithmId, algorithmVersion: selector.version ?? null }),
    args: [...body.args],
    input: writePayload(body.input),
    deadlineMs: deadlineMs === undefined ? null : writeInteger(deadlineMs, 'TaskRequest.deadline_ms'),
    wants: writeWants(body.wants),
  };
}

export function readCancel(wire: WireCancel): Cancel {
  if (isPresent(wire.taskId)) {
    return { kind: 'cancel', which: { by: 'task', taskId: readId(wire.taskId, 'Cancel.task_id') } };
  }
  const requestId = readRequired(wire.requestId, 'Cancel.which');
  return { kind: 'cancel', which: { by: 'request', requestId: readId(requestId, 'Cancel.request_id') } };
}

export function writeCancel({ which }: Cancel): WireCancel {
  return which.by === 'task' ? { taskId: which.taskId } : { requestId: which.requestId };
}

export function readDecline(wire: WireDecline): Decline {
  return { kind: 'decline', lease: readLease(wire.lease, 'Decline.lease'), reason: wire.reason ?? '' };
}

export function writeDecline(body: Decline): WireDecline {
  return { lease: writeLease(body.lease), reason: writeText(body.reason) };
}

export function readRenewalEntries(wire: WireRenewal): readonly RenewalEntry[] {
  return (wire.held ?? []).map((entry) => ({
    lease: readLease(entry.lease, 'Renewal.Held.lease'),
    progressPermille: entry.progressPermille ?? 0,
    cpuMs: readInteger(entry.cpuMs),
    ...(entry.suspended === true ? { suspended: true } : {}),
  }));
}

export function writeRenewalEntries(held: readonly RenewalEntry[]): WireRenewal {
  return {
    held: held.map((entry) => ({
      lease: writeLease(entry.lease),
      progressPermille: writeUint32(entry.progressPermille, 'Renewal.Held.progress_permille'),
      cpuMs: writeInteger(entry.cpuMs, 'Renewal.Held.cpu_ms'),
      suspended: entry.suspended ?? false,
    })),
  };
}

export function readCheckpoint(wire: WireCheckpoint): Checkpoint {
  return {
    kind: 'checkpoint',
    lease: readLease(wire.lease, 'Checkpoint.lease'),
    state: readBlobRef(wire.state, 'Checkpoint.state'),
    used: readUsed(wire.used, 'Checkpoint.used'),
  };
}

export function writeCheckpoint(body: Checkpoint): WireCheckpoint {
  return { lease: writeLease(body.lease), state: writeBlobRef(body.state), used: writeUsed(body.used) };
}

export function readResult(wire: WireResult): Result {
  const base = {
    kind: 'result',
    lease: readLease(wire.lease, 'Result.lease'),
    used: readUsed(wire.used, 'Result.used'),
  } as const;
  if (wire.failure) return { ...base, outcome: { ok: false, failure: readFailure(wire.failure) } };
  return { ...base, outcome: { ok: true, output: readPayload(wire.output, 'Result.outcome') } };
}

export function writeResult(body: Result): WireResult {
  const base = { lease: writeLease(body.lease), used: writeUsed(body.used) };
  return body.outcome.ok
    ? { ...base, output: writePayload(body.outcome.output) }
    : { ...base, failure: writeFailure(body.outcome.failure) };
}

export function readStatusQuery(wire: WireStatusQuery): StatusQuery {
  const base = { kind: 'statusQuery', deliver: wire.deliver ?? false } as const;
  const explain = wire.explain ?? false;
  if (isGiven(wire.taskId)) {
    const taskId = readId<TaskId>(wire.taskId, 'StatusQuery.task_id');
    return { ...base, taskId, ...(explain ? { explain } : {}) };
  }
  // An explanation goes over every donor: of one task at a time.
  if (explain) throw new BodyRefused('StatusQuery.explain: goes with task_id');
  return base;
}

export function writeStatusQuery(body: StatusQuery): WireStatusQuery {
  return { taskId: body.taskId ?? null, deliver: body.deliver, explain: body.explain ?? false };
}
