/** What the adapter keeps and reads of EVerest at most. */

/** A powermeter message with every phase signed is about 20 KiB; a token with its certificate 6 KiB. */
export const PAYLOAD_BYTES_MAX = 64 * 1024;
/** One signed record of a meter. */
export const SIGNED_CHARS_MAX = 16 * 1024;
/** EVerest numbers its EVSEs up to 128. */
export const EVSES_MAX = 128;
/** A card, a contract, a MAC address and a VIN; a stay in which more is shown is not learned from any further. */
export const CREDENTIALS_PER_STAY_MAX = 8;
/** Requests that wait for EVerest's answer. */
export const REQUESTS_MAX = 64;
/** One record of a session log: the longest that were seen have 2 KiB. */
export const LOG_RECORD_CHARS_MAX = 256 * 1024;
/** Of one module: ten times what a DC session with everything published says. */
export const MESSAGES_PER_SECOND_MAX = 200;
