/** What is remembered of telling donors which images to keep (deploy.ts). */
import type { Epoch, HardwareProfile, RuntimeKind, VehicleId } from '@plugpool/proto';
import type { AlgorithmRecord } from '../records.ts';

/** What a donor's list was made from: while it is the same, so is the list. */
export interface Basis {
  readonly epoch: Epoch;
  readonly version: number;
  readonly hardware: HardwareProfile | undefined;
  readonly runtimes: readonly RuntimeKind[];
  readonly allowed: string;
}

export interface Told {
  readonly basis: Basis;
  /** The digests, in their order. */
  readonly list: string;
  readonly atMs: number;
}

/** Active algorithms, the most asked for first, with how much each list counts. */
export type Line = readonly { readonly weight: number; readonly algorithms: readonly AlgorithmRecord[] }[];

export interface Deployments {
  /** Grows when lists may have changed for everybody. */
  version: number;
  /** As of `version`. */
  line: Line | undefined;
  readonly told: Map<VehicleId, Told>;
  /** Donors to be looked at. */
  readonly pending: Set<VehicleId>;
}

export function noDeployments(): Deployments {
  return { version: 0, line: undefined, told: new Map(), pending: new Set() };
}
