/** Who is let in: the sockets that are not admitted yet, the connections of each client and vehicle, and how many there may be. */
import type { ClientId, ClientName, VehicleId } from '@plugpool/proto';
import type { Connection } from './connection.ts';

export interface AdmissionLimits {
  readonly connectionsMax: number;
  readonly connectionsPerVehicleMax: number;
  readonly greetingsMax: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  /** In the order they came. */
  readonly #greetings = new Set<Connection>();
  readonly #admitted = new Map<ClientId, Connection>();
  readonly #perVehicle = new Map<VehicleId, number>();

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
    if (this.#admitted.size >= this.#limits.connectionsMax) return 'the pile has too many connections';
    return undefined;
  }

  admit(connection: Connection, { clientId, vehicleId }: ClientName): void {
    this.#greetings.delete(connection);
    this.#perVehicle.set(vehicleId, (this.#perVehicle.get(vehicleId) ?? 0) + 1);
    this.#admitted.set(clientId, connection);
  }

  /** Admitted or not. */
  leave(connection: Connection): void {
    this.#greetings.delete(connection);
    if (connection.peer === undefined) return;
    const { clientId, vehicleId } = connection.peer.name;
    this.#admitted.delete(clientId);
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
