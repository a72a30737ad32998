/** What the CSMS itself allows at the connectors of one pile, seen as it passes: a cap of ours never raises it. */
import { fieldsOf, integerOf, listOf, numberOf, textOf, type Fields } from './payload-fields.ts';

/** Ids of our own profiles begin here; no CSMS counts so far. */
export const OWN_PROFILE_ID_MIN = 1_900_000_000;

interface SeenProfile {
  readonly evse: number;
  readonly id: number | undefined;
  readonly purpose: string;
  readonly stackLevel: number;
  /** The least of all its periods; absent where it is in A, or cannot be read. */
  readonly limitW: number | undefined;
}

/** What a profile of ours must keep to. */
export interface PowerRoom {
  /** Above whatever the CSMS uses, so that ours replaces none of them and is the one that counts. */
  readonly stackLevel: number;
  /** Absent where the CSMS sets no limit. */
  readonly limitW?: number | undefined;
  /** The CSMS limits in A here: what that is in W, phases and voltage decide, and nobody tells them. */
  readonly isUnknown: boolean;
}

const SEEN_MAX = 64;
/** A transaction's profile beats the default of the same connector, whatever the level. */
const FOR_TRANSACTIONS: ReadonlySet<string> = new Set(['TxProfile', 'TxDefaultProfile']);

export class PowerLimits {
  #seen: readonly SeenProfile[] = [];
  /** Counts what the CSMS set. */
  changes = 0;

  /** A call of the CSMS to the pile, whatever the pile will answer. */
  take(action: string, payload: unknown): void {
    const fields = fieldsOf(payload);
    if (action === 'SetChargingProfile') this.#set(fields);
    else if (action === 'ClearChargingProfile') this.#clear(fields);
  }

  /** The profiles of one transaction end with it. */
  transactionEnded(evse: number): void {
    this.#seen = this.#seen.filter((one) => one.evse !== evse || one.purpose !== 'TxProfile');
  }

  roomAt(evse: number): PowerRoom {
    const here = this.#seen.filter((one) => one.evse === evse || one.evse === 0);
    const limitsW = here.map(({ limitW }) => limitW ?? Infinity);
    const levels = here.filter(({ purpose }) => purpose === 'TxProfile').map(({ stackLevel }) => stackLevel);
    return {
      stackLevel: Math.max(0, ...levels.map((level) => level + 1)),
      limitW: here.length === 0 ? undefined : Math.min(...limitsW),
      isUnknown: here.some(({ limitW }) => limitW === undefined),
    };
  }

  /** 1.6 names the connector and `csChargingProfiles`, 2.0.1 the EVSE and `chargingProfile`. */
  #set(fields: Fields): void {
    const profile = fieldsOf(fields['chargingProfile'] ?? fields['csChargingProfiles']);
    const evse = integerOf(fields['evseId'] ?? fields['connectorId']);
    const purpose = textOf(profile['chargingProfilePurpose']);
    const id = integerOf(profile['id'] ?? profile['chargingProfileId']);
    if (evse === undefined || purpose === undefined || !FOR_TRANSACTIONS.has(purpose)) return;
    if ((id ?? 0) >= OWN_PROFILE_ID_MIN) return;
    const stackLevel = integerOf(profile['stackLevel']) ?? 0;
    this.changes++;
    const seen: SeenProfile = { evse, id, purpose, stackLevel, limitW: leastW(profile['chargingSchedule']) };
    const others = this.#seen.filter((one) => !isReplaced(one, seen));
    this.#seen = [...others, seen].slice(-SEEN_MAX);
  }

  /** By id, or by what it is; what is not named is any. */
  #clear(fields: Fields): void {
    const criteria = fieldsOf(fields['chargingProfileCriteria'] ?? fields);
    const id = integerOf(fields['chargingProfileId'] ?? fields['id']);
    const evse = integerOf(criteria['evseId'] ?? criteria['connectorId']);
    const purpose = textOf(criteria['chargingProfilePurpose']);
    const stackLevel = integerOf(criteria['stackLevel']);
    this.#seen = this.#seen.filter((one) => {
      if (id !== undefined) return one.id !== id;
      const isMeant =
        (evse ?? one.evse) === one.evse &&
        (purpose ?? one.purpose) === one.purpose &&
        (stackLevel ?? one.stackLevel) === one.stackLevel;
      return !isMeant;
    });
  }
}

function isReplaced(one: SeenProfile, by: SeenProfile): boolean {
  if (by.id !== undefined && one.id === by.id) return true;
  return one.evse === by.evse && one.purpose === by.purpose && one.stackLevel === by.stackLevel;
}

function leastW(schedules: unknown): number | undefined {
  const limits = listOf(schedules).flatMap((schedule) =>
    listOf(schedule['chargingSchedulePeriod']).map(({ limit }) =>
      schedule['chargingRateUnit'] === 'W' ? numberOf(limit) : undefined,
    ),
  );
  if (limits.length === 0 || limits.includes(undefined)) return undefined;
  return Math.min(...limits.map((limit) => limit ?? Infinity));
}
