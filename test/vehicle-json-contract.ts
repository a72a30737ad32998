/** The JSON of `plugpool-vehicle`, command by command, as docs/cli-json.md promises it. */
import { z } from 'zod';
import { capacity, count, id } from './cli-json/words.ts';

const hint = z.strictObject({ detail: id, hint: id });
const earningsSum = z.strictObject({ unit: id, credited: count, debited: count });

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
    results: z.strictObject({ accepted: count, refused: count }),
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
