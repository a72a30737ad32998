/** What a request may state beside program, input and deadline, both ways. */
import { CONSTRAINT_BYTES_MAX, LATITUDE_E7_MAX, LONGITUDE_E7_MAX } from '../limits.ts';
import type { DemandOverride, Place, Trust, Wants } from '../messages.ts';
import { BodyRefused } from './refusal.ts';
import {
  isGiven,
  isPresent,
  readInteger,
  readLabel,
  readRequired,
  writeInteger,
  writeSigned,
  writeText,
  writeUint32,
} from './values.ts';
import type {
  WireDemandOverride,
  WireGpuOverride,
  WirePlace,
  WirePoint,
  WireTrust,
  WireWants,
} from './wire.ts';

type Maybe<T> = T | null | undefined;

/** Undefined where nothing is stated: a message that is there and empty says no more than one that is absent. */
export function readWants(wire: Maybe<WireWants>): Wants | undefined {
  if (!isPresent(wire)) return undefined;
  const latencyMs = readInteger(wire.latencyMs);
  const demand = readDemandOverride(wire.demand);
  return unlessEmpty({
    ...(wire.place ? { place: readPlace(wire.place) } : {}),
    ...(latencyMs > 0 ? { latencyMs } : {}),
    ...(isPresent(wire.instances) ? { instances: wire.instances } : {}),
    ...(wire.allAtOnce === true ? { allAtOnce: true } : {}),
    ...(demand === undefined ? {} : { demand }),
    ...(isPresent(wire.budgetMncs) ? { budgetMncs: readInteger(wire.budgetMncs) } : {}),
    ...(isGiven(wire.payer) ? { payer: readLabel(wire.payer, 'Wants.payer') } : {}),
    ...(wire.trust ? { trust: readTrust(wire.trust) } : {}),
    ...(isGiven(wire.constraint) ? { constraint: wire.constraint } : {}),
    ...(isPresent(wire.quorum) ? { quorum: wire.quorum } : {}),
  });
}

function unlessEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

export function writeWants(wants: Maybe<Wants>): WireWants | null {
  if (!isPresent(wants)) return null;
  const { latencyMs, instances, budgetMncs, place, demand, trust } = wants;
  return {
    place: place === undefined ? null : writePlace(place),
    latencyMs: latencyMs === undefined ? null : writeInteger(latencyMs, 'Wants.latency_ms'),
    instances: instances === undefined ? null : writeUint32(instances, 'Wants.instances'),
    allAtOnce: wants.allAtOnce ?? false,
    demand: demand === undefined ? null : writeDemandOverride(demand),
    budgetMncs: budgetMncs === undefined ? null : writeInteger(budgetMncs, 'Wants.budget_mncs'),
    payer: wants.payer ?? null,
    trust: trust === undefined ? null : writeTrust(trust),
    constraint: writeConstraint(wants.constraint, 'Wants.constraint'),
    quorum: writeOptional(wants.quorum, 'Wants.quorum'),
  };
}

/** A place of a sort that is not known here would be taken for no place at all: it is refused. */
function readPlace(wire: WirePlace): Place {
  if (isPresent(wire.zone)) return { by: 'zone', zone: readLabel(wire.zone, 'Place.zone') };
  return { by: 'point', ...readPoint(readRequired(wire.point, 'Place.where')) };
}

/** Both or nothing: a forgotten longitude must not become Greenwich's. */
function readPoint(wire: WirePoint): { latitudeE7: number; longitudeE7: number } {
  return {
    latitudeE7: readRequired(wire.latitudeE7, 'Point.latitude_e7'),
    longitudeE7: readRequired(wire.longitudeE7, 'Point.longitude_e7'),
  };
}

function writePlace(place: Place): WirePlace {
  if (place.by === 'zone') return { zone: place.zone };
  const latitudeE7 = writeSigned(place.latitudeE7, LATITUDE_E7_MAX, 'Point.latitude_e7');
  return {
    point: {
      latitudeE7,
      longitudeE7: writeSigned(place.longitudeE7, LONGITUDE_E7_MAX, 'Point.longitude_e7'),
    },
  };
}

/** Trust of a sort that is not known here reads as none of the two, and must not become trust in anybody. */
function readTrust(wire: WireTrust): Trust {
  const makes = (wire.makes ?? []).map((make) => readLabel(make, 'Trust.makes'));
  const ownFleet = wire.ownFleet ?? false;
  if (ownFleet === makes.length > 0)
    throw new BodyRefused('Trust: one of own_fleet and makes, not both and not neither');
  return ownFleet ? { whom: 'fleet' } : { whom: 'makes', makes };
}

function writeTrust(trust: Trust): WireTrust {
  return trust.whom === 'fleet' ? { ownFleet: true } : { makes: [...trust.makes] };
}

function readDemandOverride(wire: Maybe<WireDemandOverride>): DemandOverride | undefined {
  if (!isPresent(wire)) return undefined;
  return unlessEmpty({
    ...(isPresent(wire.cpuMillicores) ? { cpuMillicores: wire.cpuMillicores } : {}),
    ...(isPresent(wire.memoryMib) ? { memoryMib: wire.memoryMib } : {}),
    ...(isPresent(wire.threads) ? { threads: wire.threads } : {}),
    // Empty, it still says that there must be a GPU.
    ...(wire.gpu ? { gpu: readGpuOverride(wire.gpu) } : {}),
    ...(isPresent(wire.workMncs) ? { workMncs: readInteger(wire.workMncs) } : {}),
  });
}

function readGpuOverride(wire: WireGpuOverride): NonNullable<DemandOverride['gpu']> {
  return {
    ...(isPresent(wire.shareMillis) ? { shareMillis: wire.shareMillis } : {}),
    ...(isPresent(wire.vramMib) ? { vramMib: wire.vramMib } : {}),
    ...(isGiven(wire.model) ? { model: wire.model } : {}),
  };
}

function writeDemandOverride(demand: DemandOverride): WireDemandOverride {
  const { workMncs, gpu } = demand;
  return {
    cpuMillicores: writeOptional(demand.cpuMillicores, 'DemandOverride.cpu_millicores'),
    memoryMib: writeOptional(demand.memoryMib, 'DemandOverride.memory_mib'),
    threads: writeOptional(demand.threads, 'DemandOverride.threads'),
    gpu: gpu === undefined ? null : writeGpuOverride(gpu),
    workMncs: workMncs === undefined ? null : writeInteger(workMncs, 'DemandOverride.work_mncs'),
  };
}

function writeGpuOverride(gpu: NonNullable<DemandOverride['gpu']>): WireGpuOverride {
  return {
    shareMillis: writeOptional(gpu.shareMillis, 'DemandOverride.Gpu.share_millis'),
    vramMib: writeOptional(gpu.vramMib, 'DemandOverride.Gpu.vram_mib'),
    model: gpu.model === undefined ? null : writeText(gpu.model),
  };
}

function writeOptional(value: number | undefined, field: string): number | null {
  return value === undefined ? null : writeUint32(value, field);
}

/** Whole or not at all: cut off, it would be another constraint. */
export function writeConstraint(constraint: string | undefined, field: string): string | null {
  if (constraint === undefined) return null;
  const bytes = Buffer.byteLength(constraint);
  if (bytes > CONSTRAINT_BYTES_MAX)
    throw new RangeError(`${field}: ${bytes} bytes cannot be sent, at most ${CONSTRAINT_BYTES_MAX}`);
  return constraint.toWellFormed();
}
