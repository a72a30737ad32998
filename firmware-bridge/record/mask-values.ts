/**
 * Takes out of a message whatever may name a person or a car, and leaves what tells the story: numbers, times and the words of the
 * protocol stay; any other text becomes a stand-in, the same for the same text in one recording, so that who charged twice is still
 * one. What is not known to be harmless is masked: a text is kept for a reason, never for lack of one.
 */
import { createHmac, randomBytes } from 'node:crypto';

export type MaskValue = (value: unknown) => unknown;

/** Beyond any message of a protocol; deeper is masked whole. */
const DEPTH_MAX = 32;
/** As long as the shortest field for an identity: 20 characters in OCPP 1.6. */
const STAND_IN_HEX_CHARS = 12;
const STAND_IN = 'masked-';

/** Keys of identities, in small letters without underscores: masked even where the value looks like a word or a number. */
const IDENTITY_KEY =
  /^(id|parentid)tag$|token$|^(evcc|vehicle|driver|user|customer|contract|account|card)|vin$|emaid|mac(addr|$)|certificate|^exi|serial|iccid|imsi|licen|plate|phone|password|secret|^key|ocsp|hash/;
/** Free texts: a person may have written anything. */
const FREE_KEY =
  /^(info|data|customdata|description|message|content|techinfo|vendorerrorcode|additionalinfo)$/;
/** All that stands in these may be an identity, but what kind it is. */
const HOLDER_KEY = /^(id|groupid|parentid)token$|^(additionalinfo|customdata|data)$/;
/** Words of a protocol with digits in them. */
const WORD_KEY = /^(type|phase|phases|unit|measurand|connectortype|authorizationtype|protocol)$/;

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)?$/;
const DECIMAL = /^-?\d{1,24}(\.\d{1,24})?(e[+-]?\d{1,3})?$/i;
const WORD = /^[A-Za-z][A-Za-z_.-]{0,60}$/;
const WORD_WITH_DIGITS = /^[A-Za-z][A-Za-z0-9_.-]{0,40}$/;

/** `secret` is forgotten with the recording. */
export function createMask(secret: Uint8Array = randomBytes(32)): MaskValue {
  const standIn = (text: string): string => {
    if (text === '') return text;
    const hex = createHmac('sha256', secret).update(text).digest('hex').slice(0, STAND_IN_HEX_CHARS);
    return MAC.test(text) ? macOf(hex) : STAND_IN + hex;
  };
  return (value) => masked(value, { key: '', inHolder: false, depth: 0, standIn });
}

/** Of those that anybody may give out: the second bit of the first byte is set. */
function macOf(hex: string): string {
  return `02:${hex.slice(2).match(/../g)?.join(':')}`;
}

interface Place {
  /** The nearest name above the value, in small letters without underscores. */
  readonly key: string;
  readonly inHolder: boolean;
  readonly depth: number;
  readonly standIn: (text: string) => string;
}

function masked(value: unknown, place: Place): unknown {
  if (typeof value === 'string') return maskedText(value, place);
  if (typeof value === 'number') return isIdentity(place) ? place.standIn(String(value)) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (place.depth >= DEPTH_MAX) return null;
  const depth = place.depth + 1;
  if (Array.isArray(value)) return value.map((one) => masked(one, { ...place, depth }));
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      const key = name.toLowerCase().replaceAll('_', '');
      const inHolder = place.inHolder || HOLDER_KEY.test(place.key) || HOLDER_KEY.test(key);
      return [
        WORD_WITH_DIGITS.test(name) ? name : place.standIn(name),
        masked(one, { ...place, key, inHolder, depth }),
      ];
    }),
  );
}

function maskedText(text: string, place: Place): string {
  if (isIdentity(place) || FREE_KEY.test(place.key)) return place.standIn(text);
  if (TIME.test(text) || DECIMAL.test(text) || WORD.test(text)) return text;
  return WORD_KEY.test(place.key) && WORD_WITH_DIGITS.test(text) ? text : place.standIn(text);
}

function isIdentity({ key, inHolder }: Place): boolean {
  return (inHolder && key !== 'type') || IDENTITY_KEY.test(key);
}
