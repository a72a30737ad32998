/** What is told of connectors and vehicles: who is plugged in, how sure that is, what is done there, what is recorded and replayed of it. */
import { z } from 'zod';
import {
  assurance,
  capacity,
  count,
  credentialKind,
  draining,
  id,
  ineligible,
  phase,
  sessionState,
  wallMs,
} from './words.ts';

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

export const STAYS_JSON = {
  vehicles: z.strictObject({ ok: z.literal(true), vehicles: z.array(vehicle) }),
  connectors: z.strictObject({ ok: z.literal(true), connectors: z.array(connector) }),
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
};
