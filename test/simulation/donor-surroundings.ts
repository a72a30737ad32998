/** What a simulated lending program has around it: its disk, its owner, the car, and the world that looks on. */
import type { Digest, HardwareProfile, Offer, Result } from '@plugpool/proto';
import type { LeaseKey } from '../../vehicle-client/core/lease-clock.ts';
import type {
  OwnerPolicy,
  OwnerState,
  ProbeSample,
  VehicleSignals,
} from '../../vehicle-client/core/policy.ts';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import type { MachineClock } from './machine-clock.ts';

/** What survives the program: the outbox of results, what the owner said, images. */
export interface DonorDisk {
  readonly outbox: Map<LeaseKey, Result>;
  readonly images: Set<Digest>;
  owner: OwnerState;
}

/** What the car tells its program, and what the world sees of it. */
export interface DonorSurroundings {
  readonly vehicleId: string;
  readonly agenda: Agenda;
  readonly chance: Chance;
  readonly clock: MachineClock;
  readonly hardware: HardwareProfile;
  readonly disk: DonorDisk;
  readonly policy: OwnerPolicy;
  /** Whether it returns a wrong result this time. */
  lies(): boolean;
  /** It claims so many times what it did. */
  readonly greed: number;
  /** What a program that computes takes, where the machine counts it. */
  readonly measuresW?: number;
  /** How often the machine is looked at. */
  sampleEveryMs(): number;
  /** No report is rarer; the pile's `capacityStaleMs` must be above it. */
  readonly reportEveryMs: number;
  sample(): ProbeSample | undefined;
  signals(): VehicleSignals;
  /** So many programs compute from now on. */
  loadChanged(running: number): void;
  /** The right to compute, as the world sees it used. */
  began(offer: Offer): void;
  ended(offer: Offer): void;
}
