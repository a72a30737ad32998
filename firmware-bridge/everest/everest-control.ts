/** What is done in EVerest, each of it switched on by the operator: a cap, a text on the display, a record to the back office. */
import type { ConnectorId } from '@plugpool/proto';
import { z } from 'zod';
import type {
  ControlOutcome,
  CreditAddress,
  FirmwareAbility,
  FirmwareControl,
  PowerCap,
  SignedRecord,
} from '../port.ts';
import type { EverestRun } from './everest-run.ts';
import { creditTransfer, displayMessages, externalLimits, NO_EXTERNAL_LIMITS } from './sent.ts';

export interface ControlledEvse {
  readonly connectorId: ConnectorId;
  /** Of the `evse_manager_consumer_API`. */
  readonly module: string;
  readonly evse?: string | undefined;
  /** Of an `external_energy_limits_consumer_API` that limits this EVSE and nothing else. */
  readonly energyLimits?: string | undefined;
}

export interface EverestControlOptions {
  readonly allow: readonly FirmwareAbility[];
  readonly evses: readonly ControlledEvse[];
  /** Of the `ocpp_consumer_API`. */
  readonly ocppModule?: string | undefined;
  readonly credit?: CreditAddress | undefined;
  /** Of the `display_message_API` by which EVerest speaks to the display. */
  readonly displayModule?: string | undefined;
  /** The one that is going on. */
  readonly run: () => EverestRun | undefined;
}

const TEXT_CHARS_MAX = 512;
/** A back office has longer to answer than the pile's own modules. */
const ANSWER_WITHIN_MS = 4_000;

const transferAnswer = z.object({
  status: z.enum(['Accepted', 'Rejected', 'UnknownMessageId', 'UnknownVendorId', 'Offline']),
});
const displayAnswer = z.object({ status: z.string() });

type Refused = Exclude<ControlOutcome, { ok: true }>;

export class EverestControl implements FirmwareControl {
  readonly abilities: ReadonlySet<FirmwareAbility>;
  readonly #options: EverestControlOptions;
  /** Where a cap of ours may hold. */
  readonly #capped = new Set<ConnectorId>();

  constructor(options: EverestControlOptions) {
    this.#options = options;
    this.abilities = new Set(options.allow);
  }

  async setCap(connectorId: ConnectorId, cap: PowerCap): Promise<ControlOutcome> {
    const found = this.#limited(connectorId);
    if ('refused' in found) return found.refused;
    const { run, evse, energyLimits } = found;
    const minimumMw = run.minimumMw(evse.module);
    if (minimumMw !== undefined && cap.powerMw < minimumMw)
      return refuse('refused', `below ${minimumMw / 1000} W the vehicle would stop charging`);
    this.#capped.add(connectorId);
    const limits = externalLimits(cap, run.everestWallMs(evse.module));
    return sentOr(
      await run.publish('external_energy_limits_consumer', energyLimits, 'set_external_limits', limits),
    );
  }

  async clearCap(connectorId: ConnectorId): Promise<ControlOutcome> {
    const found = this.#limited(connectorId);
    if ('refused' in found) return found.refused;
    this.#capped.delete(connectorId);
    const { run, energyLimits } = found;
    const name = 'set_external_limits';
    return sentOr(
      await run.publish('external_energy_limits_consumer', energyLimits, name, NO_EXTERNAL_LIMITS),
    );
  }

  async showText(connectorId: ConnectorId, text: string, forMs: number): Promise<ControlOutcome> {
    const found = this.#ready('text', connectorId);
    if ('refused' in found) return found.refused;
    const { displayModule, evses } = this.#options;
    if (displayModule === undefined)
      return refuse('unsupported', 'no display module is named in the configuration');
    if (text.length > TEXT_CHARS_MAX)
      return refuse('refused', `a display shows at most ${TEXT_CHARS_MAX} characters`);
    const { run, evse } = found;
    const messages = displayMessages(evses.indexOf(evse), text, run.everestWallMs(evse.module) + forMs);
    const answer = await run.askDisplay(displayModule, 'set_display_message', messages, ANSWER_WITHIN_MS);
    const status = displayAnswer.safeParse(answer).data?.status;
    if (status === undefined) return refuse('no_answer', 'the display did not answer');
    return status === 'Accepted' ? { ok: true } : refuse('refused', `the display answered ${status}`);
  }

  async sendCredit(connectorId: ConnectorId, record: SignedRecord): Promise<ControlOutcome> {
    const found = this.#ready('credit', connectorId);
    if ('refused' in found) return found.refused;
    const { ocppModule, credit } = this.#options;
    if (ocppModule === undefined || credit === undefined)
      return refuse('unsupported', 'no OCPP module, or no vendorId, is named in the configuration');
    const transfer = creditTransfer(credit, record);
    const answer = await found.run.ask(
      'ocpp_consumer',
      ocppModule,
      'data_transfer_outgoing',
      transfer,
      ANSWER_WITHIN_MS,
    );
    return transferOutcome(answer);
  }

  /** A cap expires by itself; at a stop that we plan it is lifted at once. */
  async liftCaps(): Promise<void> {
    await Promise.all([...this.#capped].map((connectorId) => this.clearCap(connectorId)));
  }

  #limited(connectorId: ConnectorId) {
    const found = this.#ready('cap', connectorId);
    if ('refused' in found) return found;
    const { energyLimits } = found.evse;
    if (energyLimits === undefined)
      return {
        refused: refuse('unsupported', `no module that limits ${connectorId} is named in the configuration`),
      };
    return { ...found, energyLimits };
  }

  #ready(
    ability: FirmwareAbility,
    connectorId: ConnectorId,
  ): { readonly run: EverestRun; readonly evse: ControlledEvse } | { readonly refused: Refused } {
    if (!this.abilities.has(ability))
      return { refused: refuse('not_enabled', `${ability} is not switched on`) };
    const evse = this.#options.evses.find((one) => one.connectorId === connectorId);
    if (evse === undefined) return { refused: refuse('unknown_connector', `EVerest has no ${connectorId}`) };
    const run = this.#options.run();
    if (run?.isUp !== true) return { refused: refuse('link_lost', 'EVerest’s broker is not reached') };
    return { run, evse };
  }
}

function transferOutcome(answer: unknown): ControlOutcome {
  const status = transferAnswer.safeParse(answer).data?.status;
  switch (status) {
    case 'Accepted':
      return { ok: true };
    case 'UnknownVendorId':
    case 'UnknownMessageId':
      return refuse('unsupported', `the back office does not know our records (${status})`);
    case 'Rejected':
      return refuse('refused', 'the back office refused the record');
    case 'Offline':
      return refuse('link_lost', 'the station is not connected to its back office');
    case undefined:
      return refuse('no_answer', 'EVerest did not answer');
  }
}

function sentOr(isAcknowledged: boolean): ControlOutcome {
  return isAcknowledged ? { ok: true } : refuse('no_answer', 'EVerest’s broker did not acknowledge it');
}

function refuse(code: Refused['code'], message: string): Refused {
  return { ok: false, code, message };
}
