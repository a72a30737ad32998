/** What is sent to EVerest's modules, in the forms of its API. */
import type { CreditAddress, PowerCap, SignedRecord } from '../port.ts';

/** By this EVerest's logs tell who limited. */
const SOURCE = 'plugpool';
/** Ids of messages that a back office shows are small numbers. */
const DISPLAY_ID_FROM = 900_000_000;

/**
 * A cap that EVerest lifts by itself: the last entry of a schedule holds for all time after it, and it limits nothing. Times are
 * of EVerest's own clock.
 */
export function externalLimits({ powerMw, forMs }: PowerCap, everestWallMs: number): object {
  const capped = { total_power_W: { value: powerMw / 1000, source: SOURCE } };
  return schedule([
    { timestamp: iso(everestWallMs), limits_to_root: {}, limits_to_leaves: capped },
    { timestamp: iso(everestWallMs + forMs), limits_to_root: {}, limits_to_leaves: {} },
  ]);
}

/** Nothing is limited any more, but by the node's own configuration. */
export const NO_EXTERNAL_LIMITS: object = schedule([]);

/** Nothing is said of export, and no power is set that must be drawn. */
function schedule(entries: readonly object[]): object {
  return { schedule_import: entries, schedule_export: [], schedule_setpoints: [] };
}

/** The record as it was signed, beside its id and its signature. */
export function creditTransfer({ vendorId, messageId }: CreditAddress, record: SignedRecord): object {
  return { vendor_id: vendorId, message_id: messageId, data: JSON.stringify(record) };
}

/** One text for each EVSE: the next replaces it, and it goes away by itself. */
export function displayMessages(
  evse: number,
  content: string,
  untilEverestWallMs: number,
): readonly object[] {
  return [
    {
      id: DISPLAY_ID_FROM + evse,
      priority: 'InFront',
      timestamp_to: iso(untilEverestWallMs),
      message: { format: 'UTF8', content },
    },
  ];
}

function iso(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
