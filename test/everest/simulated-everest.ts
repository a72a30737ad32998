/** An EVSE of EVerest as it looks on its API: what its modules publish while a vehicle comes, charges and leaves. */

export interface PublishedMessage {
  readonly topic: string;
  readonly payload: unknown;
}

export interface SimulatedEverestOptions {
  readonly module?: string;
  readonly authModule?: string;
  /** EVerest's number of the EVSE. */
  readonly evseId?: number;
  /** EVerest's own clock. */
  readonly nowWallMs: () => number;
  readonly publish: (message: PublishedMessage) => void;
}

export const RFID_TOKEN = {
  id_token: { value: '04E2F1A2B3C4D5', type: 'ISO14443' },
  authorization_type: 'RFID',
  connectors: [1],
} as const;

export const CONTRACT_TOKEN = {
  id_token: { value: 'DE8AACA2B3C4D5', type: 'eMAID' },
  authorization_type: 'PlugAndCharge',
  connectors: [1],
  certificate: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
} as const;

export const EVCCID = '02:00:5E:10:20:30';

export interface VehicleInfo {
  readonly soc?: number;
  readonly fullInMs?: number;
  readonly departsInMs?: number;
  readonly evccid?: string;
}

interface Token {
  readonly id_token: { readonly value: string; readonly type: string };
  readonly authorization_type: string;
}

export class SimulatedEverest {
  readonly #options: Required<SimulatedEverestOptions>;
  #sessions = 0;
  #beats = 0;
  #startedWallMs = 0;
  #transactionWallMs: number | undefined;
  energyWh = 12_000;
  state = 'Unplugged';

  constructor(options: SimulatedEverestOptions) {
    this.#options = { module: 'evse_1_api', authModule: 'auth_api', evseId: 1, ...options };
  }

  get uuid(): string {
    return `6f2c0000-0000-4000-8000-${String(this.#sessions).padStart(12, '0')}`;
  }

  heartbeat(): void {
    this.#say('heartbeat', this.#beats++);
  }

  restart(): void {
    this.#beats = 0;
  }

  plugIn(): void {
    this.#sessions += 1;
    this.#startedWallMs = this.#options.nowWallMs();
    this.#event('SessionStarted', { session_started: { reason: 'EVConnected', meter_value: this.#meter() } });
    this.#event('AuthRequired');
    this.#become('AuthRequired');
  }

  /** What the authorisation module tells all. */
  showToken(token: Token, status: string): void {
    const { authModule, publish } = this.#options;
    const topic = `everest_api/1/auth_consumer/${authModule}/e2m/token_validation_status`;
    publish({ topic, payload: { token, status } });
  }

  authorise(token: Token = RFID_TOKEN): void {
    this.#event('Authorized', { authorization_event: { meter_value: this.#meter() } });
    this.#transactionWallMs = this.#options.nowWallMs();
    this.#event('TransactionStarted', {
      transaction_started: { id_tag: token, meter_value: this.#meter() },
    });
    this.#event('PrepareCharging');
    this.#become('Preparing');
  }

  charge(): void {
    this.#stateEvent('ChargingStarted');
    this.#become('Charging');
  }

  pauseByVehicle(): void {
    this.#stateEvent('ChargingPausedEV');
    this.#become('ChargingPausedEV');
  }

  pauseByStation(): void {
    this.#stateEvent('ChargingPausedEVSE');
    this.#become('ChargingPausedEVSE');
  }

  stopCharging(reason = 'Local', signed?: string): void {
    this.#finishTransaction(reason, signed);
    this.#event('StoppingCharging');
    this.#event('ChargingFinished');
    this.#become('Finished');
  }

  unplug(): void {
    if (this.#transactionWallMs !== undefined) this.#finishTransaction('EVDisconnected');
    this.#event('SessionFinished', { session_finished: { meter_value: this.#meter() } });
    this.#become('Unplugged');
  }

  /** What is published about once a second while a session runs. */
  everySecond(): void {
    this.heartbeat();
    this.#say('powermeter', this.#meter());
    this.sayInfo();
  }

  sayInfo(): void {
    const inSession = this.state !== 'Unplugged';
    this.#say('session_info', {
      state: this.state,
      charged_energy_wh: 0,
      discharged_energy_wh: 0,
      latest_total_w: this.#powerW(),
      session_duration_s: 0,
      timestamp: this.#timestamp(),
      ...(inSession ? { session_start_time: iso(this.#startedWallMs) } : {}),
      ...(this.#transactionWallMs === undefined
        ? {}
        : { transaction_duration_s: 1, transaction_start_time: iso(this.#transactionWallMs) }),
    });
  }

  sayVehicle(about: VehicleInfo): void {
    const inMs = (ms: number): string => iso(this.#options.nowWallMs() + ms);
    this.#say('ev_info', {
      ...(about.evccid === undefined ? {} : { evcc_id: about.evccid }),
      ...(about.soc === undefined ? {} : { soc: about.soc }),
      ...(about.fullInMs === undefined ? {} : { estimated_time_full: inMs(about.fullInMs) }),
      ...(about.departsInMs === undefined ? {} : { departure_time: inMs(about.departsInMs) }),
    });
  }

  sayHardware(): void {
    this.#say('hw_capabilities', {
      max_current_A_import: 32,
      min_current_A_import: 6,
      max_phase_count_import: 3,
      min_phase_count_import: 1,
      max_current_A_export: 0,
      min_current_A_export: 0,
      max_phase_count_export: 3,
      min_phase_count_export: 1,
      supports_changing_phases_during_charging: false,
      connector_type: 'IEC62196Type2Cable',
    });
  }

  sayName(evse: string): void {
    this.#say('evse_id', evse);
  }

  /** Answers `get_evse`. */
  answerEvse(replyTo: string): void {
    this.#options.publish({ topic: replyTo, payload: { id: this.#options.evseId, connectors: [{ id: 1 }] } });
  }

  #finishTransaction(reason: string, signed?: string): void {
    this.#transactionWallMs = undefined;
    const signedValue = {
      signed_meter_data: signed,
      signing_method: 'ECDSA-secp256r1-SHA256',
      encoding_method: 'OCMF',
    };
    this.#event('TransactionFinished', {
      transaction_finished: {
        reason,
        meter_value: this.#meter(),
        ...(signed === undefined ? {} : { signed_meter_value: signedValue }),
      },
    });
  }

  #stateEvent(event: string): void {
    this.#event(event, { charging_state_changed_event: { meter_value: this.#meter() } });
  }

  #become(state: string): void {
    this.state = state;
    this.sayInfo();
  }

  #event(event: string, more: object = {}): void {
    const payload = { uuid: this.uuid, timestamp: this.#timestamp(), connector_id: 1, event, ...more };
    this.#say('session_event', payload);
  }

  #powerW(): number {
    return this.state === 'Charging' ? 11_000 : 0;
  }

  #meter(): object {
    return {
      timestamp: this.#timestamp(),
      energy_Wh_import: { total: this.energyWh },
      power_W: { total: this.#powerW() },
    };
  }

  #timestamp(): string {
    return iso(this.#options.nowWallMs());
  }

  #say(name: string, payload: unknown): void {
    const { module, publish } = this.#options;
    publish({ topic: `everest_api/1/evse_manager_consumer/${module}/e2m/${name}`, payload });
  }
}

function iso(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
