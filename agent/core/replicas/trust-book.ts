/**
 * Whose results of which algorithm are believed without a second one, after D. P. Anderson, "BOINC: A Platform for Volunteer
 * Computing", Journal of Grid Computing 18, 2020 (adaptive replication): who agreed with others often enough is believed,
 * and checked the rarer the longer that lasts; one result that was outvoted takes all of it back.
 *
 *   unknown ──► agreed `trustAfter` times ──► believed ──► suspended, while a result of its is disputed
 *      ▲                                         │              │
 *      └───────── outvoted, for every algorithm ─┴──────────────┘   and needs twice as many the next time
 *
 * What agreed fades with a half-life: another may drive the vehicle by then. A run that ended at a limit is nobody's lie and takes
 * nothing back; so many of them in a row, and what agreed is forgotten: whoever ends whatever might find him out is `unknown` again.
 */
import type { Now, VehicleId } from '@plugpool/proto';
import { INCONCLUSIVE_MAX, TRUST_ALGORITHMS_MAX, TRUST_VEHICLES_MAX } from '../limits.ts';
import type { Settings } from '../settings.ts';

export type TrustSettings = Pick<Settings, 'trustAfter' | 'trustHalfLifeMs' | 'auditFloorMillis'>;

interface Agreed {
  /** Results that agreed since the last that was outvoted, each half after a half-life. */
  weight: number;
  atWallMs: number;
  /** Ended in a row without telling anything, those of each trial for themselves. */
  readonly inconclusive: Record<Trial, number>;
}

/** What its result was held against: that of other owners, or what the pile knew. */
export type Trial = 'replica' | 'check';

interface VehicleTrust {
  /** How often it was outvoted, fading alike. */
  outvoted: number;
  outvotedWallMs: number;
  /** The one heard of longest ago first. */
  readonly agreed: Map<string, Agreed>;
}

/** As `plugpool trust` shows it. */
export interface TrustView {
  readonly algorithm: string;
  readonly agreed: number;
  readonly needed: number;
  readonly state: 'believed' | 'suspended' | 'untried';
  /** Of its runs, so many thousandths are run twice. */
  readonly checkedMillis: number;
}

/** Who lied comes back to the same trust with so many times the agreement, at most. */
const NEEDED_FACTOR_MAX = 16;
const NONE: Readonly<Record<Trial, number>> = { replica: 0, check: 0 };

export class TrustBook {
  readonly #settings: TrustSettings;
  readonly #vehicles = new Map<VehicleId, VehicleTrust>();
  /** Parts in which a result of the vehicle is disputed. */
  readonly #disputes = new Map<VehicleId, Set<string>>();

  constructor(settings: TrustSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#vehicles.size;
  }

  isBelieved(vehicleId: VehicleId, algorithmKey: string, now: Now): boolean {
    if (this.#settings.trustAfter <= 0) return true;
    if (this.#disputes.has(vehicleId)) return false;
    const weight = this.agreed(vehicleId, algorithmKey, now);
    return weight > 0 && weight >= this.#needed(vehicleId, now);
  }

  /** Of the runs of one that is believed: the rarer the longer it agrees, never less than the floor. */
  checkedMillis(vehicleId: VehicleId, algorithmKey: string, now: Now): number {
    if (this.#settings.trustAfter <= 0) return 0;
    if (!this.isBelieved(vehicleId, algorithmKey, now)) return 1000;
    const weight = this.agreed(vehicleId, algorithmKey, now);
    return Math.min(1000, Math.max(this.#settings.auditFloorMillis, Math.round(1000 / weight)));
  }

  /** How many of its results agreed, of late. */
  agreed(vehicleId: VehicleId, algorithmKey: string, now: Now): number {
    const agreed = this.#vehicles.get(vehicleId)?.agreed.get(algorithmKey);
    return agreed === undefined ? 0 : agreed.weight * this.#kept(agreed.atWallMs, now);
  }

  learnAgreed(vehicleId: VehicleId, algorithmKey: string, now: Now, trial: Trial): VehicleId | undefined {
    const forgotten = this.#makeRoom(vehicleId);
    const trust = this.#trustOf(vehicleId);
    const weight = this.agreed(vehicleId, algorithmKey, now) + 1;
    const inconclusive = { ...(trust.agreed.get(algorithmKey)?.inconclusive ?? NONE), [trial]: 0 };
    trust.agreed.delete(algorithmKey);
    trust.agreed.set(algorithmKey, { weight, atWallMs: now.wallMs, inconclusive });
    const [oldest] = trust.agreed.keys();
    if (trust.agreed.size > TRUST_ALGORITHMS_MAX && oldest !== undefined) trust.agreed.delete(oldest);
    return forgotten;
  }

  /**
   * It ended at a limit where its result would have told something. Who does so in each check is found out however well it agrees
   * with others meanwhile, and the other way round. False: nothing of it was known.
   */
  learnInconclusive(vehicleId: VehicleId, algorithmKey: string, trial: Trial): boolean {
    const { agreed } = this.#vehicles.get(vehicleId) ?? {};
    const known = agreed?.get(algorithmKey);
    if (agreed === undefined || known === undefined) return false;
    known.inconclusive[trial] += 1;
    if (known.inconclusive[trial] >= INCONCLUSIVE_MAX) agreed.delete(algorithmKey);
    return true;
  }

  /** Its result was outvoted: nothing of it is believed any more, of whatever algorithm. */
  learnOutvoted(vehicleId: VehicleId, now: Now): VehicleId | undefined {
    const forgotten = this.#makeRoom(vehicleId);
    const trust = this.#trustOf(vehicleId);
    trust.outvoted = this.#outvoted(trust, now) + 1;
    trust.outvotedWallMs = now.wallMs;
    trust.agreed.clear();
    return forgotten;
  }

  /** Until it is decided who of them is right, none of them is believed. */
  dispute(vehicleId: VehicleId, part: string): void {
    const disputes = this.#disputes.get(vehicleId) ?? new Set();
    this.#disputes.set(vehicleId, disputes.add(part));
  }

  decided(vehicleId: VehicleId, part: string): void {
    const disputes = this.#disputes.get(vehicleId);
    if (disputes?.delete(part) === true && disputes.size === 0) this.#disputes.delete(vehicleId);
  }

  /** True: something was known of it. */
  forget(vehicleId: VehicleId): boolean {
    return this.#vehicles.delete(vehicleId);
  }

  /** After a failed commit what is disputed is found again in what is on disk. */
  forgetDisputes(): void {
    this.#disputes.clear();
  }

  view(vehicleId: VehicleId, now: Now): TrustView[] {
    const needed = this.#needed(vehicleId, now);
    return [...(this.#vehicles.get(vehicleId)?.agreed.keys() ?? [])].map((algorithm) => ({
      algorithm,
      agreed: Math.floor(this.agreed(vehicleId, algorithm, now) * 10) / 10,
      needed: Math.ceil(needed * 10) / 10,
      state: this.#stateOf(vehicleId, algorithm, now),
      checkedMillis: this.checkedMillis(vehicleId, algorithm, now),
    }));
  }

  /** How often it was outvoted, of late. */
  outvoted(vehicleId: VehicleId, now: Now): number {
    const trust = this.#vehicles.get(vehicleId);
    return trust === undefined ? 0 : this.#outvoted(trust, now);
  }

  vehicles(): IterableIterator<VehicleId> {
    return this.#vehicles.keys();
  }

  toJson(vehicleId: VehicleId): unknown {
    const trust = this.#vehicles.get(vehicleId);
    if (trust === undefined) return null;
    const { outvoted, outvotedWallMs } = trust;
    const agreed = [...trust.agreed].map(([key, { weight, atWallMs, inconclusive }]) => [
      key,
      weight,
      atWallMs,
      inconclusive.replica,
      inconclusive.check,
    ]);
    return { outvoted, outvotedWallMs, agreed };
  }

  /** What is damaged is dropped: who is not believed is only checked more. False: nothing was. */
  readJson(vehicleId: VehicleId, json: unknown): boolean {
    const read = trustIn(json);
    if (read === undefined || this.size >= TRUST_VEHICLES_MAX) return false;
    this.#vehicles.set(vehicleId, read);
    return true;
  }

  #stateOf(vehicleId: VehicleId, algorithmKey: string, now: Now): TrustView['state'] {
    if (this.#disputes.has(vehicleId)) return 'suspended';
    return this.isBelieved(vehicleId, algorithmKey, now) ? 'believed' : 'untried';
  }

  #needed(vehicleId: VehicleId, now: Now): number {
    const factor = 2 ** this.outvoted(vehicleId, now);
    return this.#settings.trustAfter * Math.min(NEEDED_FACTOR_MAX, factor);
  }

  #outvoted({ outvoted, outvotedWallMs }: VehicleTrust, now: Now): number {
    return outvoted * this.#kept(outvotedWallMs, now);
  }

  #kept(sinceWallMs: number, now: Now): number {
    return 0.5 ** (Math.max(0, now.wallMs - sinceWallMs) / this.#settings.trustHalfLifeMs);
  }

  /** The last in the order of forgetting. */
  #trustOf(vehicleId: VehicleId): VehicleTrust {
    const trust = this.#vehicles.get(vehicleId) ?? { outvoted: 0, outvotedWallMs: 0, agreed: new Map() };
    this.#vehicles.delete(vehicleId);
    this.#vehicles.set(vehicleId, trust);
    return trust;
  }

  /** Whom it forgot for that. */
  #makeRoom(vehicleId: VehicleId): VehicleId | undefined {
    if (this.size < TRUST_VEHICLES_MAX || this.#vehicles.has(vehicleId)) return undefined;
    const [oldest] = this.#vehicles.keys();
    if (oldest !== undefined) this.#vehicles.delete(oldest);
    return oldest;
  }
}

function trustIn(json: unknown): VehicleTrust | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { outvoted, outvotedWallMs, agreed } = json as Record<string, unknown>;
  if (!isAmount(outvoted) || !isAmount(outvotedWallMs) || !Array.isArray(agreed)) return undefined;
  const known = new Map<string, Agreed>();
  for (const entry of agreed as unknown[]) {
    // An older version kept the first three.
    const [key, weight, atWallMs, replica = 0, check = 0] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof key !== 'string' || !isAmount(weight) || !isAmount(atWallMs)) return undefined;
    if (!isAmount(replica) || !isAmount(check)) return undefined;
    if (known.size < TRUST_ALGORITHMS_MAX)
      known.set(key, { weight, atWallMs, inconclusive: { replica, check } });
  }
  return { outvoted, outvotedWallMs, agreed: known };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
