/**
 * Takes single fields out of a payload that may deviate from its schema: a field that is right is read whatever stands beside it,
 * and one that is wrong is as if it were absent.
 */

export type Fields = Readonly<Record<string, unknown>>;

const NO_FIELDS: Fields = {};
/** What longer lists hold beyond this is not read. */
const LIST_MAX = 512;
const TEXT_CHARS_MAX = 8192;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : NO_FIELDS;
}

/** Each entry as fields; a single one that stands where a list belongs counts as a list of one. */
export function listOf(value: unknown): readonly Fields[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value.slice(0, LIST_MAX) : [value]).map(fieldsOf);
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= TEXT_CHARS_MAX ? value : undefined;
}

/** A number, or text that is one: 1.6 sends measured values as text, some piles send ids as text. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.trim() === '' || value.length > 64) return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

export function integerOf(value: unknown): number | undefined {
  const number = numberOf(value);
  return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
}

/** What a word of the protocol stands for; one that is not in the table is as if it were absent. */
export function lookUp<Value>(table: Readonly<Record<string, Value>>, word: unknown): Value | undefined {
  return typeof word === 'string' && Object.hasOwn(table, word) ? table[word] : undefined;
}

/** BootNotification's answer has it in s, in every version; 0 leaves it to the pile. */
export function heartbeatMsOf(fields: Fields): number | undefined {
  const intervalS = numberOf(fields['interval']);
  return intervalS !== undefined && intervalS > 0 ? intervalS * 1000 : undefined;
}

/** 2.0.1 has text, 1.6 has integers; both as text, at most as long as the port takes. */
export function transactionIdOf(value: unknown): string | undefined {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : textOf(value);
  return text === undefined || text.length > 64 ? undefined : text;
}

/** ms since 1970; one without zone is taken for UTC, as OCPP means all times. */
export function wallMsOf(value: unknown): number | undefined {
  const text = textOf(value);
  if (text === undefined || !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text);
  const wallMs = Date.parse(hasZone ? text : `${text}Z`);
  return Number.isFinite(wallMs) ? wallMs : undefined;
}
