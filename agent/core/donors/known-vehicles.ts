/** What the operator says of vehicles: make and fleet, by the whole id or by how it begins; never by a vehicle's own word. */

export interface VehicleKind {
  /** Empty: the operator does not say. */
  readonly make: string;
  readonly fleet: string;
}

/** As data: the whole ids, and the beginnings with the longest first, so that the nearest rule is the one that holds. */
export interface KnownVehicles {
  readonly byId: ReadonlyMap<string, VehicleKind>;
  readonly byPrefix: readonly (VehicleKind & { readonly prefix: string })[];
}

/** `id` is a vehicle id, or a beginning of ids with a `*` after it. */
export interface VehicleRule extends VehicleKind {
  readonly id: string;
}

export function knownVehicles(rules: readonly VehicleRule[]): KnownVehicles {
  const byId = new Map<string, VehicleKind>();
  const byPrefix: (VehicleKind & { prefix: string })[] = [];
  for (const { id, make, fleet } of rules) {
    if (id.endsWith('*')) byPrefix.push({ prefix: id.slice(0, -1), make, fleet });
    else byId.set(id, { make, fleet });
  }
  byPrefix.sort((a, b) => b.prefix.length - a.prefix.length);
  return { byId, byPrefix };
}

export function kindOf({ byId, byPrefix }: KnownVehicles, vehicleId: string): VehicleKind {
  const rule = byId.get(vehicleId) ?? byPrefix.find(({ prefix }) => vehicleId.startsWith(prefix));
  return { make: rule?.make ?? '', fleet: rule?.fleet ?? '' };
}

/** Every make that the operator names, in the order of the rules. */
export function makesOf({ byId, byPrefix }: KnownVehicles): ReadonlySet<string> {
  const makes = new Set([...byId.values(), ...byPrefix].map(({ make }) => make));
  makes.delete('');
  return makes;
}
