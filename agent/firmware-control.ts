/** Does at connectors what the core wants done there, each by the adapter that spoke of it last and can; one after the other. */
import type {
  ControlOutcome,
  FirmwareAbility,
  FirmwareAdapter,
  FirmwareControl,
  SignedRecord,
} from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { assertNever } from './core/assert-never.ts';
import type { Control } from './core/effects.ts';
import type { CreditId } from './core/records.ts';
import {
  CONNECTORS_MAX,
  CONTROL_WITHIN_MS,
  CONTROLS_MAX,
  CONTROLS_PER_CONNECTOR_MAX,
  SOURCES_PER_CONNECTOR_MAX,
} from './core/limits.ts';
import type { Clock } from './ports.ts';

export interface FirmwareControlsAround {
  readonly clock: Clock;
  /** As it was made, signed; undefined: there is none. */
  creditOf(creditId: CreditId): Promise<SignedRecord | undefined>;
  /** Every control has one outcome. Must not throw. */
  done(control: Control, outcome: ControlOutcome): void;
}

const ABILITY: Readonly<Record<Control['kind'], FirmwareAbility>> = {
  setCap: 'cap',
  clearCap: 'cap',
  showText: 'text',
  sendCredit: 'credit',
};

export class FirmwareControls {
  readonly #around: FirmwareControlsAround;
  /** Who spoke of it last is the last. */
  readonly #speakers = new Map<ConnectorId, readonly FirmwareControl[]>();
  /** Of each connector, the first being under way. */
  readonly #waiting = new Map<ConnectorId, Control[]>();
  #count = 0;

  constructor(around: FirmwareControlsAround) {
    this.#around = around;
  }

  /** Whoever speaks of a connector is asked to do something there. What it can is asked then: it may be told only later. */
  spoke({ control }: FirmwareAdapter, connectorId: ConnectorId): void {
    if (control === undefined) return;
    const speakers = this.#speakers.get(connectorId);
    if (speakers === undefined) {
      if (this.#speakers.size < CONNECTORS_MAX) this.#speakers.set(connectorId, [control]);
      return;
    }
    if (speakers.at(-1) === control) return;
    const others = speakers.filter((each) => each !== control);
    this.#speakers.set(connectorId, [...others, control].slice(-SOURCES_PER_CONNECTOR_MAX));
  }

  push(control: Control): void {
    const waiting = this.#waiting.get(control.connectorId) ?? [];
    if (waiting.length >= CONTROLS_PER_CONNECTOR_MAX || this.#count >= CONTROLS_MAX)
      return this.#around.done(control, TOO_MANY);
    this.#waiting.set(control.connectorId, waiting);
    waiting.push(control);
    this.#count += 1;
    if (waiting.length === 1) void this.#workOff(control.connectorId, waiting);
  }

  async #workOff(connectorId: ConnectorId, waiting: Control[]): Promise<void> {
    for (let control = waiting[0]; control !== undefined; control = waiting[0]) {
      const outcome = await this.#within(control);
      waiting.shift();
      this.#count -= 1;
      this.#around.done(control, outcome);
    }
    this.#waiting.delete(connectorId);
  }

  /** An adapter that never answers must not hold back what comes after. */
  async #within(control: Control): Promise<ControlOutcome> {
    let cancel: (() => void) | undefined;
    const late = new Promise<ControlOutcome>((resolve) => {
      cancel = this.#around.clock.setTimer(CONTROL_WITHIN_MS, () => resolve(NO_ANSWER));
    });
    try {
      return await Promise.race([this.#carryOut(control), late]);
    } catch (error) {
      return {
        ok: false,
        code: 'no_answer',
        message: error instanceof Error ? error.message : String(error),
      };
    } finally {
      cancel?.();
    }
  }

  async #sendCredit(
    adapter: FirmwareControl,
    { connectorId, creditId }: Extract<Control, { kind: 'sendCredit' }>,
  ): Promise<ControlOutcome> {
    const record = await this.#around.creditOf(creditId);
    return record === undefined ? NO_RECORD : adapter.sendCredit(connectorId, record);
  }

  #carryOut(control: Control): Promise<ControlOutcome> | ControlOutcome {
    const { connectorId } = control;
    const speakers = this.#speakers.get(connectorId);
    const adapter = speakers?.findLast(({ abilities }) => abilities.has(ABILITY[control.kind]));
    if (adapter === undefined) return nobody(speakers === undefined, control);
    switch (control.kind) {
      case 'setCap':
        return adapter.setCap(connectorId, { powerMw: control.powerMw, forMs: control.forMs });
      case 'clearCap':
        return adapter.clearCap(connectorId);
      case 'showText':
        return adapter.showText(connectorId, control.text, control.forMs);
      case 'sendCredit':
        return this.#sendCredit(adapter, control);
      default:
        return assertNever(control);
    }
  }
}

const TOO_MANY: ControlOutcome = {
  ok: false,
  code: 'no_answer',
  message: 'too much is to be done there already',
};
const NO_ANSWER: ControlOutcome = {
  ok: false,
  code: 'no_answer',
  message: `no answer within ${CONTROL_WITHIN_MS / 1000} s`,
};

const NO_RECORD: ControlOutcome = {
  ok: false,
  code: 'no_answer',
  message: 'the record is not in the store',
};

function nobody(isUnknown: boolean, { kind, connectorId }: Control): ControlOutcome {
  if (isUnknown)
    return {
      ok: false,
      code: 'unknown_connector',
      message: `no adapter that can write has spoken of ${connectorId} yet`,
    };
  return { ok: false, code: 'not_enabled', message: `no adapter of ${connectorId} has ${kind} switched on` };
}
