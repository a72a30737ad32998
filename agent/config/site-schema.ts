/** What the operator knows of the site: whose the vehicles are, and which service areas lie around the pile. */
import { z } from 'zod';
import type { Zone } from '../core/tasks/zones.ts';

const VEHICLE_PATTERN = /^[A-Za-z0-9_-]{1,64}$|^[A-Za-z0-9_-]{0,63}\*$/;
const KIND_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$|^$/;
const kindName = z
  .string()
  .regex(KIND_PATTERN, 'must be up to 64 letters, digits, spaces, . _ and -')
  .default('');

const vehicleSchema = z.strictObject({
  id: z
    .string()
    .regex(VEHICLE_PATTERN, 'must be a vehicle id, or how ids begin with a * after it')
    .describe('A vehicle id, or how ids begin with a `*` after it; the nearest rule holds.'),
  make: kindName.describe('Who built it.'),
  fleet: kindName.describe('Whom it belongs to: requests may be paid by its fleet, and trust it.'),
});

export const vehiclesSchema = z
  .array(vehicleSchema)
  .max(10_000)
  .default([])
  .refine(
    (list) => new Set(list.map(({ id }) => id)).size === list.length,
    'names a vehicle twice; keep one entry for each id',
  )
  .describe('What the operator knows of vehicles: a list of id, make and fleet.');

const latitude = z.number().min(-90).max(90);
const longitude = z.number().min(-180).max(180);

const circleSchema = z.strictObject({
  latitude: latitude.describe('Of its centre, in degrees (WGS 84).'),
  longitude: longitude.describe('Of its centre, in degrees.'),
  radiusM: z.number().positive().max(1_000_000).describe('From the centre along the ground, in m.'),
});

const zoneSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, _ and -')
      .describe('What requests call it.'),
    served: z.boolean().default(true).describe('This pile takes requests from there.'),
    polygon: z
      .array(z.tuple([latitude, longitude]))
      .min(3)
      .max(1_000)
      .optional()
      .describe('Its corners in order, each `[latitude, longitude]` in degrees.'),
    circle: circleSchema.optional().describe('Or all that is near a point.'),
  })
  .refine(
    ({ polygon, circle }) => polygon === undefined || circle === undefined,
    'is both a polygon and a circle; make it two zones',
  );

export const zonesSchema = z
  .array(zoneSchema)
  .max(100)
  .default([])
  .refine(
    (list) => new Set(list.map(({ name }) => name)).size === list.length,
    'has two zones of one name; keep one',
  )
  .refine(
    (list) => list.filter(({ polygon, circle }) => polygon === undefined && circle === undefined).length <= 1,
    'has several zones without polygon or circle; only one can hold what the others do not',
  )
  .refine(
    (list) => list.length === 0 || list.some(({ served }) => served),
    'has no zone that is served; nobody could ask here',
  )
  .describe(
    'The service areas that are known here: a list; empty: one, named after the station, that holds everything.',
  );

export function toZone({ name, served, polygon, circle }: z.output<typeof zoneSchema>): Zone {
  const isServed = served;
  if (circle !== undefined) {
    const { radiusM, ...centre } = circle;
    return { name, isServed, shape: { kind: 'circle', centre, radiusM } };
  }
  if (polygon === undefined) return { name, isServed, shape: { kind: 'rest' } };
  const corners = polygon.map(([north, east]) => ({ latitude: north, longitude: east }));
  return { name, isServed, shape: { kind: 'polygon', corners } };
}
