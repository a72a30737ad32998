/** What several bodies are made of, both ways: leases, payloads, capacity, demand, what a run used and how it failed. */
import type {
  BlobRef,
  Capacity,
  Demand,
  Failure,
  FencingToken,
  GpuCapacity,
  GpuDemand,
  LeaseId,
  Payload,
  Reason,
  RunLimits,
  Used,
} from '../domain.ts';
import { REASONS_MAX, STDERR_TAIL_BYTES_MAX } from '../limits.ts';
import { BodyRefused } from './refusal.ts';
import {
  FAILURE_CODES,
  REFUSAL_CODES,
  isGiven,
  isPresent,
  readBytes,
  readCode,
  readDigest,
  readId,
  readInteger,
  readListed,
  readRequired,
  writeDigest,
  writeInteger,
  writeTail,
  writeText,
  writeUint32,
} from './values.ts';
import type {
  WireBlobRef,
  WireCapacity,
  WireDemand,
  WireFailure,
  WireGpuDevice,
  WireLeaseId,
  WirePayload,
  WireReason,
  WireRunLimits,
  WireUsed,
} from './wire.ts';

type Maybe<T> = T | null | undefined;

export function readLease(wire: Maybe<WireLeaseId>, field: string): LeaseId {
  const lease = readRequired(wire, field);
  return {
    instanceId: readId(lease.instanceId, 'LeaseId.instance_id'),
    fencingToken: readInteger(lease.fencingToken) as FencingToken,
  };
}

export function writeLease(lease: LeaseId): WireLeaseId {
  return {
    instanceId: lease.instanceId,
    fencingToken: writeInteger(lease.fencingToken, 'LeaseId.fencing_token'),
  };
}

export function readLeases(wire: Maybe<readonly WireLeaseId[]>, field: string): readonly LeaseId[] {
  return (wire ?? []).map((lease) => readLease(lease, field));
}

export function readBlobRef(wire: Maybe<WireBlobRef>, field: string): BlobRef {
  const blob = readRequired(wire, field);
  return { digest: readDigest(blob.sha256, 'BlobRef.sha256'), sizeBytes: readInteger(blob.sizeBytes) };
}

export function writeBlobRef(blob: BlobRef): WireBlobRef {
  return {
    sha256: writeDigest(blob.digest),
    sizeBytes: writeInteger(blob.sizeBytes, 'BlobRef.size_bytes'),
  };
}

export function readPayload(wire: Maybe<WirePayload>, field: string): Payload {
  const payload = readRequired(wire, field);
  if (payload.blob) return { where: 'blob', blob: readBlobRef(payload.blob, field) };
  if (payload.inline) return { where: 'inline', bytes: readBytes(payload.inline) };
  throw new BodyRefused(`${field}: neither inline nor blob`);
}

export function writePayload(payload: Payload): WirePayload {
  return payload.where === 'inline' ? { inline: payload.bytes } : { blob: writeBlobRef(payload.blob) };
}

function readGpu(wire: WireGpuDevice): GpuCapacity {
  if (!isGiven(wire.deviceId)) throw new BodyRefused('GpuDevice.device_id: missing');
  return {
    deviceId: wire.deviceId,
    model: wire.model ?? '',
    shareMillis: wire.shareMillis ?? 0,
    vramMib: wire.vramMib ?? 0,
  };
}

export function readGpus(wire: Maybe<readonly WireGpuDevice[]>): readonly GpuCapacity[] {
  return (wire ?? []).map(readGpu);
}

export function writeGpu(gpu: GpuCapacity): WireGpuDevice {
  return {
    deviceId: writeText(gpu.deviceId),
    model: writeText(gpu.model),
    shareMillis: writeUint32(gpu.shareMillis, 'GpuDevice.share_millis'),
    vramMib: writeUint32(gpu.vramMib, 'GpuDevice.vram_mib'),
  };
}

export function readCapacity(wire: Maybe<WireCapacity>, field: string): Capacity {
  const capacity = readRequired(wire, field);
  return {
    cpuMillicores: capacity.cpuMillicores ?? 0,
    memoryMib: capacity.memoryMib ?? 0,
    gpus: readGpus(capacity.gpus),
  };
}

export function writeCapacity(capacity: Capacity): WireCapacity {
  return {
    cpuMillicores: writeUint32(capacity.cpuMillicores, 'Capacity.cpu_millicores'),
    memoryMib: writeUint32(capacity.memoryMib, 'Capacity.memory_mib'),
    gpus: capacity.gpus.map(writeGpu),
  };
}

export function readDemand(wire: Maybe<WireDemand>, field: string): Demand {
  const demand = readRequired(wire, field);
  const base = {
    cpuMillicores: demand.cpuMillicores ?? 0,
    memoryMib: demand.memoryMib ?? 0,
    threads: demand.threads ?? 0,
  };
  return demand.gpu ? { ...base, gpu: readGpuDemand(demand.gpu) } : base;
}

function readGpuDemand(wire: NonNullable<WireDemand['gpu']>): GpuDemand {
  const base = { shareMillis: wire.shareMillis ?? 0, vramMib: wire.vramMib ?? 0 };
  return isGiven(wire.model) ? { ...base, model: wire.model } : base;
}

export function writeDemand(demand: Demand): WireDemand {
  return {
    cpuMillicores: writeUint32(demand.cpuMillicores, 'Demand.cpu_millicores'),
    memoryMib: writeUint32(demand.memoryMib, 'Demand.memory_mib'),
    threads: writeUint32(demand.threads, 'Demand.threads'),
    gpu: demand.gpu === undefined ? null : writeGpuDemand(demand.gpu),
  };
}

function writeGpuDemand(gpu: GpuDemand): NonNullable<WireDemand['gpu']> {
  return {
    shareMillis: writeUint32(gpu.shareMillis, 'GpuDemand.share_millis'),
    vramMib: writeUint32(gpu.vramMib, 'GpuDemand.vram_mib'),
    model: gpu.model === undefined ? null : writeText(gpu.model),
  };
}

export function readUsed(wire: Maybe<WireUsed>, field: string): Used {
  const used = readRequired(wire, field);
  return {
    cpuMs: readInteger(used.cpuMs),
    wallMs: readInteger(used.wallMs),
    memoryPeakMib: used.memoryPeakMib ?? 0,
    gpuMs: readInteger(used.gpuMs),
    ...(isPresent(used.energyMwh) ? { energyMwh: readInteger(used.energyMwh) } : {}),
  };
}

export function writeUsed(used: Used): WireUsed {
  return {
    cpuMs: writeInteger(used.cpuMs, 'Used.cpu_ms'),
    wallMs: writeInteger(used.wallMs, 'Used.wall_ms'),
    memoryPeakMib: writeUint32(used.memoryPeakMib, 'Used.memory_peak_mib'),
    gpuMs: writeInteger(used.gpuMs, 'Used.gpu_ms'),
    energyMwh: used.energyMwh === undefined ? null : writeInteger(used.energyMwh, 'Used.energy_mwh'),
  };
}

export function readRunLimits(wire: Maybe<WireRunLimits>, field: string): RunLimits {
  const limits = readRequired(wire, field);
  return {
    cpuMs: readInteger(limits.cpuMs),
    wallMs: readInteger(limits.wallMs),
    memoryMib: limits.memoryMib ?? 0,
    outputBytes: readInteger(limits.outputBytes),
    ...(isPresent(limits.inlineBytes) ? { inlineBytes: limits.inlineBytes } : {}),
  };
}

export function writeRunLimits(limits: RunLimits): WireRunLimits {
  const { inlineBytes } = limits;
  return {
    cpuMs: writeInteger(limits.cpuMs, 'RunLimits.cpu_ms'),
    wallMs: writeInteger(limits.wallMs, 'RunLimits.wall_ms'),
    memoryMib: writeUint32(limits.memoryMib, 'RunLimits.memory_mib'),
    outputBytes: writeInteger(limits.outputBytes, 'RunLimits.output_bytes'),
    inlineBytes: inlineBytes === undefined ? null : writeUint32(inlineBytes, 'RunLimits.inline_bytes'),
  };
}

/** A failure as a donor reports it, with a code of the closed list. */
export function readFailure(wire: WireFailure): Failure {
  return { ...readToldFailure(wire), code: readListed(wire.code, FAILURE_CODES, 'Failure.code') };
}

/** A failure as a pile tells it: it has codes of its own, and they may grow. */
export function readToldFailure(wire: WireFailure): { code: string; detail: string; stderrTail: string } {
  return {
    code: readCode(wire.code, 'Failure.code'),
    detail: wire.detail ?? '',
    stderrTail: wire.stderrTail ?? '',
  };
}

export function writeFailure(failure: { code: string; detail: string; stderrTail: string }): WireFailure {
  return {
    code: failure.code,
    detail: writeText(failure.detail),
    stderrTail: writeTail(failure.stderrTail, STDERR_TAIL_BYTES_MAX),
  };
}

export function readReason(wire: WireReason): Reason {
  return {
    code: readListed(wire.code, REFUSAL_CODES, 'Reason.code'),
    detail: wire.detail ?? '',
    hint: wire.hint ?? '',
  };
}

/** Reasons are for a person, who reads the first ones. */
export function writeReasons(reasons: readonly Reason[]): WireReason[] {
  return reasons.slice(0, REASONS_MAX).map(({ code, detail, hint }) => ({
    code,
    detail: writeText(detail),
    hint: writeText(hint),
  }));
}
