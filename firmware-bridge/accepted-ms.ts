/** How long a token that was accepted may wait for its vehicle. */

/** Between a card at the reader and the start lies a cable that is looked for. */
export const ACCEPTED_MS = 600_000;
