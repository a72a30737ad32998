/**
 * What the OCPP relay and the agent say to each other over a local socket, one JSON a line; types only.
 *
 * The relay is a process of its own, so that charging goes on whatever the agent does: it never waits for the agent, keeps no
 * more for it than `recalled` frames, and drops an agent that does not read.
 */

export type OcppSubprotocol = 'ocpp1.6' | 'ocpp2.0.1' | 'ocpp2.1';

/** `pile` is the identity at the end of the URL under which the pile's controller connected. */
export type TapLine =
  /** First line of each connection; the state of every pile follows as `pile` lines and recalled frames. */
  | {
      readonly t: 'hello';
      readonly version: 1;
      readonly relayBootId: string;
      /** What the operator switched on in the relay; a call for anything else is answered `not_enabled`. */
      readonly allow: readonly TapAbility[];
    }
  /** Said again whenever `link` or `upstream` changed; `link` is `down` before another connection of the same pile is `up`. */
  | {
      readonly t: 'pile';
      readonly pile: string;
      readonly atWallMs: number;
      readonly link: 'up' | 'down';
      /** Since when this connection of the pile stands, while `link` is `up`: recalled frames from before are of an earlier one. */
      readonly upSinceWallMs?: number;
      readonly subprotocol: OcppSubprotocol;
      /** Whether the CSMS is reached for this pile; absent for a pile that is run without one. */
      readonly upstream?: 'up' | 'down';
    }
  | {
      readonly t: 'frame';
      readonly pile: string;
      readonly from: 'pile' | 'csms';
      /** When the relay had read it. */
      readonly atWallMs: number;
      /** The text of the WebSocket message, unchanged. */
      readonly text: string;
      /** Told again to an agent that was not there: the frames that make up the pile's present state, oldest first. */
      readonly recalled?: true;
    }
  /** What was said so far is all that the relay remembers; what follows is live. */
  | { readonly t: 'recalledAll' }
  | { readonly t: 'answer'; readonly call: string; readonly outcome: TapOutcome };

/** `cap`: charging profiles; `text`: display messages, of a 1.6 pile DataTransfer; `credit`: DataTransfer to the CSMS. */
export type TapAbility = 'cap' | 'text' | 'credit';

export type TapOutcome =
  | { readonly ok: true; readonly payload: unknown }
  | {
      readonly ok: false;
      readonly code: 'not_enabled' | 'no_answer' | 'link_lost' | 'call_error' | 'too_many' | 'unknown_pile';
      readonly message: string;
    };

/** From the agent: a call of our own to the pile (`csms → pile`) or to the CSMS in the pile's name (`pile → csms`). */
export interface TapCall {
  readonly t: 'call';
  readonly call: string;
  readonly pile: string;
  readonly to: 'pile' | 'csms';
  readonly action:
    | 'SetChargingProfile'
    | 'ClearChargingProfile'
    | 'DataTransfer'
    | 'SetDisplayMessage'
    | 'ClearDisplayMessage';
  readonly payload: unknown;
  readonly withinMs: number;
}
