/** A signed record of credit as every back office gets it: OCPP's DataTransfer, whoever carries it there. */
import type { SignedRecord } from './port.ts';

/** By this a back office knows whose message it is; one that does not answers `UnknownVendorId`. */
export const CREDIT_VENDOR_ID = 'plugpool';
export const CREDIT_MESSAGE_ID = 'CreditRecord';

/** The `data` of the transfer: the record as it was signed, beside its id and its signature. */
export function creditData({ id, body, signature }: SignedRecord): string {
  return JSON.stringify({ id, body, signature });
}
