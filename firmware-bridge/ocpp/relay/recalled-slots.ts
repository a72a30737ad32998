/**
 * Which frames make up a pile's present state: each has its slots, and a later frame takes the slot of an earlier one.
 * Only names and ids are looked at; what a frame means is for the adapter to say.
 */

export interface Remembered {
  /** Where it is kept; none: it is not. */
  readonly slots: readonly string[];
  /** What it belongs to, so that it goes when that goes. */
  readonly tags: readonly string[];
  /** What is over with it. */
  readonly ends: readonly string[];
  /** Only worth keeping once the answer says `Accepted`. */
  readonly ifAccepted?: true;
}

/** Tags that begin so name a transaction, which is over when the stay at its connector is. */
export const TRANSACTION = 'transaction ';

type Fields = Readonly<Record<string, unknown>>;

const NOTHING: Remembered = { slots: [], tags: [], ends: [] };

/** By action of a call from the pile, in any version of OCPP. */
const FROM_PILE: Readonly<Record<string, (fields: Fields) => Remembered>> = {
  BootNotification: () => ({ ...NOTHING, slots: ['boot'], ifAccepted: true }),
  Authorize: () => ({ ...NOTHING, slots: ['authorize'], ifAccepted: true }),
  StatusNotification: status,
  StartTransaction(fields) {
    const connector = connectorTag(fields);
    return { ...NOTHING, slots: [`start ${connector}`], tags: [connector] };
  },
  StopTransaction: ({ transactionId }) => ({ ...NOTHING, ends: transactionTags(transactionId) }),
  MeterValues(fields) {
    const connector = connectorTag(fields);
    const tags = [connector, ...transactionTags(fields['transactionId'])];
    return { ...NOTHING, slots: [`meter ${connector}`], tags };
  },
  TransactionEvent: transactionEvent,
  NotifyEVChargingNeeds(fields) {
    const connector = connectorTag(fields);
    return { ...NOTHING, slots: [`needs ${connector}`], tags: [connector] };
  },
};

/** Of a call from the CSMS: what it allows at the pile, which a cap of the agent must not raise. */
const FROM_CSMS: Readonly<Record<string, (fields: Fields) => Remembered>> = {
  SetChargingProfile(fields) {
    const profile = asFields(fields['chargingProfile'] ?? fields['csChargingProfiles']);
    const about = [profile['chargingProfilePurpose'], profile['stackLevel']].map(word).join(' ');
    return { ...NOTHING, slots: [`profile ${connectorTag(fields)} ${about}`] };
  },
  // What it clears is not worked out here: both are told, in their order.
  ClearChargingProfile: (fields) => ({
    ...NOTHING,
    slots: [`clear ${JSON.stringify(fields).slice(0, 512)}`],
  }),
};

const RULES = { pile: FROM_PILE, csms: FROM_CSMS } as const;

/** Whether frames of this action are worth parsing: most of the traffic is not. */
export function isRemembered(from: 'pile' | 'csms', action: string): boolean {
  return Object.hasOwn(RULES[from], action);
}

export function rememberedOf(from: 'pile' | 'csms', action: string, payload: unknown): Remembered {
  return RULES[from][action]?.(asFields(payload)) ?? NOTHING;
}

/** What the answer to a StartTransaction adds to its tags. */
export function transactionTagsOf(answer: unknown): readonly string[] {
  return transactionTags(asFields(answer)['transactionId']);
}

export function isAccepted(answer: unknown): boolean {
  const { status, idTagInfo, idTokenInfo } = asFields(answer);
  return [status, asFields(idTagInfo)['status'], asFields(idTokenInfo)['status']].includes('Accepted');
}

/** A free connector has no stay: what belonged to the last one is over. */
function status(fields: Fields): Remembered {
  const connector = connectorTag(fields);
  const isFree = fields['status'] === 'Available' || fields['connectorStatus'] === 'Available';
  return { slots: [`status ${connector}`], tags: [], ends: isFree ? [connector] : [] };
}

/** The facts come in different events: the last that told each is kept. */
function transactionEvent(fields: Fields): Remembered {
  const info = asFields(fields['transactionInfo']);
  const transactions = transactionTags(info['transactionId']);
  if (fields['eventType'] === 'Ended') return { ...NOTHING, ends: transactions };
  const facts = [
    ...(fields['eventType'] === 'Started' ? ['started'] : []),
    ...(info['chargingState'] === undefined ? [] : ['state']),
    ...['meterValue', 'idToken', 'evse'].filter((name) => fields[name] !== undefined),
  ];
  const evse = asFields(fields['evse']);
  const tags =
    evse['id'] === undefined ? [] : [`connector ${word(evse['id'])}/${word(evse['connectorId'] ?? 1)}`];
  const slots = transactions.flatMap((transaction) => facts.map((fact) => `${transaction} ${fact}`));
  return { ...NOTHING, slots, tags: [...transactions, ...tags] };
}

/** 1.6 counts connectors of the pile; 2.0.1 EVSEs, and connectors of each. */
function connectorTag({ evseId, connectorId }: Fields): string {
  if (evseId === undefined) return `connector ${word(connectorId ?? 0)}/1`;
  return `connector ${word(evseId)}/${word(connectorId ?? 1)}`;
}

function transactionTags(id: unknown): readonly string[] {
  return id === undefined ? [] : [`${TRANSACTION}${word(id)}`];
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 64) : '?';
}

function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
