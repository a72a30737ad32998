/** Reads what a person or a file calls a connector into a `ConnectorId`, `<station>/<evse>/<connector>`. */
import type { ConnectorId } from '@plugpool/proto';
import { FirmwareError } from './firmware-error.ts';

/** The characters that OCPP 2.0.1 allows in an `identifierString`, of which station ids and EVSE ids are made. */
export const PART_OF_CONNECTOR_PATTERN = /^[A-Za-z0-9*_=:+|@.-]{1,48}$/;
const PARTS_MAX = 3;

/**
 * `N` is connector 1 of EVSE `N` at the default station, `N/M` connector `M` of EVSE `N`, `S/N/M` the whole id.
 * A part may be a name as well as a number.
 */
export function parseConnectorId(text: string, defaultStation: string): ConnectorId {
  const parts = text.split('/', PARTS_MAX + 1);
  if (
    parts.length > PARTS_MAX ||
    !parts.every((part) => PART_OF_CONNECTOR_PATTERN.test(part)) ||
    parts.some(isNoCount)
  ) {
    throw new FirmwareError(
      'invalid_argument',
      `${quoted(text)} does not name a connector`,
      'Write a number from 1 on, evse/connector such as 1/2, or station/evse/connector; ' +
        'each part has 1 to 48 of the characters A-Z a-z 0-9 * - _ = : + | @ .',
    );
  }
  if (parts.length === PARTS_MAX) return text as ConnectorId;
  const [evse, connector = '1'] = parts;
  return `${parseStationId(defaultStation)}/${evse}/${connector}` as ConnectorId;
}

/** Connectors and EVSEs count from 1: OCPP's connector 0 is the whole station, and -1 is a slip of the hand. */
function isNoCount(part: string): boolean {
  return /^-?\d+$/.test(part) && !(Number(part) >= 1);
}

/** A station's id, checked. */
export function parseStationId(text: string): string {
  if (PART_OF_CONNECTOR_PATTERN.test(text)) return text;
  throw new FirmwareError(
    'invalid_argument',
    `${quoted(text)} is not a station id`,
    'Use 1 to 48 of the characters A-Z a-z 0-9 * - _ = : + | @ .',
  );
}

/** Whether this is a whole, well-formed id. */
export function isConnectorId(text: string): text is ConnectorId {
  const parts = text.split('/', PARTS_MAX + 1);
  return parts.length === PARTS_MAX && parts.every((part) => PART_OF_CONNECTOR_PATTERN.test(part));
}

/** Foreign text in a message: short, and with nothing that a terminal obeys. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
