/** What the adapter does at a pile and at its CSMS, through the relay: only what the operator switched on there. */
import type { ConnectorId } from '@plugpool/proto';
import type { FirmwareClock } from '../clock.ts';
import type {
  ControlOutcome,
  CreditAddress,
  FirmwareAbility,
  FirmwareControl,
  PowerCap,
  SignedRecord,
} from '../port.ts';
import { capProfile, clearProfile, displayMessage } from './control-payloads.ts';
import type { OcppRun } from './ocpp-firmware.ts';
import { fieldsOf, textOf } from './payload-fields.ts';
import type { PowerRoom } from './power-limits.ts';
import type { ConnectorAtPile } from './relay-story.ts';
import type { TapCall, TapOutcome } from './tap.ts';

export interface OcppControlOptions {
  readonly credit: CreditAddress | undefined;
  readonly clock: FirmwareClock;
  /** Absent while the adapter is not running. */
  readonly running: () => OcppRun | undefined;
}

const ABILITIES: readonly FirmwareAbility[] = ['cap', 'text', 'credit'];
const ANSWER_WITHIN_MS = 8_000;
/** The relay gives up first, and says so. */
const RELAY_GRACE_MS = 1_000;
const CALLS_MAX = 64;

/** A cap that may be out: whether the pile took it, it alone knows. */
interface LiveCap {
  readonly pile: string;
  readonly powerW: number;
  readonly untilMonoMs: number;
}

export class OcppControl implements FirmwareControl {
  readonly #options: OcppControlOptions;
  #calls = 0;
  /** One for each connector that a pile has. */
  readonly #live = new Map<ConnectorId, LiveCap>();

  constructor(options: OcppControlOptions) {
    this.#options = options;
  }

  get abilities(): ReadonlySet<FirmwareAbility> {
    const run = this.#options.running();
    return new Set(ABILITIES.filter((ability) => this.#isOn(run, ability)));
  }

  setCap(connectorId: ConnectorId, { powerMw, forMs }: PowerCap): Promise<ControlOutcome> {
    return this.#at(connectorId, 'cap', (run, at) => {
      if (at.transactionId === undefined)
        return refused('no transaction is open there, so that there is nothing to cap');
      const powerW = powerMw / 1000;
      const obstacle = obstacleOf(at.room, powerW);
      if (obstacle !== undefined) return this.#refuseCap(run, at, obstacle);
      const { clock } = this.#options;
      this.#live.set(connectorId, { pile: at.pile, powerW, untilMonoMs: clock.nowMonoMs() + forMs });
      const payload = capProfile(at, powerW, forMs, clock.nowWallMs());
      return this.#ask(run, { pile: at.pile, to: 'pile', action: 'SetChargingProfile', payload });
    });
  }

  clearCap(connectorId: ConnectorId): Promise<ControlOutcome> {
    return this.#at(connectorId, 'cap', (run, at) => {
      this.#live.delete(connectorId);
      return this.#clear(run, at);
    });
  }

  /** The CSMS just set a limit at that pile: a cap of ours that stands above it goes, as the highest profile counts there. */
  async limitsChanged(pile: string): Promise<void> {
    const run = this.#options.running();
    if (run === undefined) return;
    await Promise.all(
      this.#liveAt(pile).map(async ([connectorId, cap]) => {
        const at = run.story.find(connectorId);
        if (at === undefined || obstacleOf(at.room, cap.powerW) === undefined) return;
        const { ok } = await this.#clear(run, at);
        if (ok && this.#live.get(connectorId) === cap) this.#live.delete(connectorId);
      }),
    );
  }

  #liveAt(pile: string): readonly (readonly [ConnectorId, LiveCap])[] {
    const nowMonoMs = this.#options.clock.nowMonoMs();
    for (const [connectorId, { untilMonoMs }] of this.#live)
      if (untilMonoMs < nowMonoMs) this.#live.delete(connectorId);
    return [...this.#live].filter(([, cap]) => cap.pile === pile);
  }

  /** One that is out from before would stand above what the CSMS set since. */
  async #refuseCap(run: OcppRun, at: ConnectorAtPile, obstacle: string): Promise<ControlOutcome> {
    await this.#clear(run, at);
    return refused(obstacle);
  }

  #clear(run: OcppRun, at: ConnectorAtPile): Promise<ControlOutcome> {
    return this.#ask(
      run,
      { pile: at.pile, to: 'pile', action: 'ClearChargingProfile', payload: clearProfile(at) },
      // It expired, or ended with its transaction.
      ['Unknown'],
    );
  }

  showText(connectorId: ConnectorId, text: string, forMs: number): Promise<ControlOutcome> {
    return this.#at(connectorId, 'text', (run, at) => {
      if (at.subprotocol === 'ocpp1.6')
        return { ok: false, code: 'unsupported', message: 'OCPP 1.6 has no message for a display' };
      const payload = displayMessage(at, text, forMs, this.#options.clock.nowWallMs());
      return this.#ask(run, { pile: at.pile, to: 'pile', action: 'SetDisplayMessage', payload });
    });
  }

  sendCredit(connectorId: ConnectorId, record: SignedRecord): Promise<ControlOutcome> {
    return this.#at(connectorId, 'credit', (run, { pile }) => {
      const payload = { ...this.#options.credit, data: JSON.stringify(record) };
      return this.#ask(run, { pile, to: 'csms', action: 'DataTransfer', payload });
    });
  }

  #isOn(run: OcppRun | undefined, ability: FirmwareAbility): boolean {
    if (run?.allow.has(ability) !== true) return false;
    return ability !== 'credit' || this.#options.credit !== undefined;
  }

  async #at(
    connectorId: ConnectorId,
    ability: FirmwareAbility,
    act: (run: OcppRun, at: ConnectorAtPile) => Promise<ControlOutcome> | ControlOutcome,
  ): Promise<ControlOutcome> {
    const run = this.#options.running();
    if (run === undefined) return linkLost('the OCPP firmware is not running');
    if (!this.#isOn(run, ability))
      return { ok: false, code: 'not_enabled', message: `${ability} is not switched on in the OCPP relay` };
    const at = run.story.find(connectorId);
    if (at === undefined)
      return {
        ok: false,
        code: 'unknown_connector',
        message: `no pile has spoken of ${connectorId} yet`,
      };
    if (at.link === 'down') return linkLost('the pile is not connected');
    return act(run, at);
  }

  async #ask(
    run: OcppRun,
    asked: Pick<TapCall, 'pile' | 'to' | 'action' | 'payload'>,
    alsoGood: readonly string[] = [],
  ): Promise<ControlOutcome> {
    if (run.answers.size >= CALLS_MAX)
      return { ok: false, code: 'no_answer', message: 'too many calls wait for an answer' };
    const call = `c${++this.#calls}`;
    const outcome = await this.#answerTo(run, { t: 'call', call, withinMs: ANSWER_WITHIN_MS, ...asked });
    return outcomeOf(outcome, asked.action, alsoGood);
  }

  #answerTo(run: OcppRun, call: TapCall): Promise<TapOutcome> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const settle = (outcome: TapOutcome): void => {
        cancel();
        run.answers.delete(call.call);
        resolve(outcome);
      };
      const cancel = clock.setTimer(ANSWER_WITHIN_MS + RELAY_GRACE_MS, () =>
        settle({ ok: false, code: 'no_answer', message: 'the relay does not answer' }),
      );
      run.answers.set(call.call, (line) =>
        settle(line?.outcome ?? { ok: false, code: 'link_lost', message: 'the relay was lost' }),
      );
      if (!run.link.send(call))
        settle({ ok: false, code: 'link_lost', message: 'the relay cannot be reached' });
    });
  }
}

function outcomeOf(outcome: TapOutcome, action: string, alsoGood: readonly string[]): ControlOutcome {
  if (!outcome.ok) return { ok: false, code: CODE[outcome.code], message: outcome.message };
  const status = textOf(fieldsOf(outcome.payload)['status']) ?? 'nothing';
  if (status === 'Accepted' || alsoGood.includes(status)) return { ok: true };
  const code = UNSUPPORTED.has(status) ? 'unsupported' : 'refused';
  return { ok: false, code, message: `${action} was answered ${status}` };
}

const CODE: Readonly<
  Record<(TapOutcome & { readonly ok: false })['code'], (ControlOutcome & { readonly ok: false })['code']>
> = {
  not_enabled: 'not_enabled',
  no_answer: 'no_answer',
  link_lost: 'link_lost',
  call_error: 'refused',
  too_many: 'no_answer',
  unknown_pile: 'unknown_connector',
};

/** Asking again will not help. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  'UnknownVendorId',
  'UnknownMessageId',
  'NotSupported',
  'NotSupportedMessageFormat',
  'NotSupportedPriority',
  'NotSupportedState',
]);

/**
 * Why a cap cannot stand there: it would count instead of what the CSMS set, now or later. It is never sent in lesser words of the
 * CSMS's: those may be of another time, or end before ours.
 */
function obstacleOf({ isUnknown, limitW = Infinity }: PowerRoom, powerW: number): string | undefined {
  if (isUnknown)
    return 'the CSMS limits this connector in A: a cap in W could raise what it set. Let the CSMS limit in W';
  if (limitW >= powerW) return undefined;
  return `the CSMS limits this connector to ${limitW} W, now or later: a cap of ${powerW} W could raise that. Ask for less`;
}

function refused(message: string): ControlOutcome {
  return { ok: false, code: 'refused', message };
}

function linkLost(message: string): ControlOutcome {
  return { ok: false, code: 'link_lost', message };
}
