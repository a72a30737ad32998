/**
 * Who is let in: the sockets that are not admitted yet, the connections of each client and vehicle, and how many there may be.
 * A vehicle id costs nothing to make up, so those of whom nothing is known leave a part of the connections to those of whom
 * something is: to who is owed something, and of that again a part to who is plugged in here.
 */
import type { ClientId, ClientName, VehicleId } from '@plugpool/proto';
import type { Standing } from '../../core/clients/standing.ts';
import { shareOf } from '../../core/clients/share.ts';
import type { Connection } from './connection.ts';

/** A stranger that plugged in since is one no more; all are looked at again no more often than this. */
const LOOK_AGAIN_MS = 1_000;

export interface AdmissionLimits {
  readonly connectionsMax: number;
  readonly connectionsPerVehicleMax: number;
  readonly greetingsMax: number;
  standing(vehicleId: VehicleId): Standing;
  monoMs(): number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  /** In the order they came. */
  readonly #greetings = new Set<Connection>();
  readonly #admitted = new Map<ClientId, Connection>();
  readonly #perVehicle = new Map<VehicleId, number>();
  readonly #byStanding: Record<Standing, number> = { resident: 0, guest: 0, stranger: 0 };
  #lookedAtMs = -Infinity;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Returns the greeting that must make room for it, the oldest. */
  greet(connection: Connection): Connection | undefined {
    this.#greetings.add(connection);
    if (this.#greetings.size <= this.#limits.greetingsMax) return undefined;
    const [oldest] = this.#greetings;
    return oldest;
  }

  of(clientId: ClientId): Connection | undefined {
    return this.#admitted.get(clientId);
  }

  /** Undefined: there is room for one more of that vehicle. */
  whyFull({ vehicleId }: ClientName): string | undefined {
    if ((this.#perVehicle.get(vehicleId) ?? 0) >= this.#limits.connectionsPerVehicleMax)
      return 'the vehicle has too many connections';
    const standing = this.#limits.standing(vehicleId);
    if (this.#hasRoom(standing)) return undefined;
    this.#lookAgain();
    return this.#hasRoom(standing) ? undefined : 'the pile has too many connections';
  }

  #hasRoom(standing: Standing): boolean {
    const { stranger, guest } = this.#byStanding;
    const max = this.#limits.connectionsMax;
    if (this.#admitted.size >= max) return false;
    if (standing === 'stranger' && stranger >= shareOf('stranger', max)) return false;
    return standing === 'resident' || stranger + guest < shareOf('guest', max);
  }

  #lookAgain(): void {
    const nowMs = this.#limits.monoMs();
    if (nowMs - this.#lookedAtMs < LOOK_AGAIN_MS) return;
    this.#lookedAtMs = nowMs;
    for (const connection of this.#admitted.values()) {
      if (connection.peer === undefined) continue;
      this.#byStanding[connection.standing] -= 1;
      connection.standing = this.#limits.standing(connection.peer.name.vehicleId);
      this.#byStanding[connection.standing] += 1;
    }
  }

  admit(connection: Connection, { clientId, vehicleId }: ClientName): void {
    this.#greetings.delete(connection);
    this.#perVehicle.set(vehicleId, (this.#perVehicle.get(vehicleId) ?? 0) + 1);
    this.#admitted.set(clientId, connection);
    connection.standing = this.#limits.standing(vehicleId);
    this.#byStanding[connection.standing] += 1;
  }

  /** Admitted or not. */
  leave(connection: Connection): void {
    this.#greetings.delete(connection);
    if (connection.peer === undefined) return;
    const { clientId, vehicleId } = connection.peer.name;
    this.#admitted.delete(clientId);
    this.#byStanding[connection.standing] -= 1;
    const left = (this.#perVehicle.get(vehicleId) ?? 0) - 1;
    if (left > 0) this.#perVehicle.set(vehicleId, left);
    else this.#perVehicle.delete(vehicleId);
  }

  counts(): { readonly greeting: number; readonly admitted: number; readonly vehicles: number } {
    return {
      greeting: this.#greetings.size,
      admitted: this.#admitted.size,
      vehicles: this.#perVehicle.size,
    };
  }
}
