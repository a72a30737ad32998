/** Stands where the CSMS would, for a pile that its operator runs without one. */
import type { FirmwareClock } from '../../clock.ts';
import type { OcppSubprotocol } from '../tap.ts';
import { localAnswer, type LocalDesk } from './local-answers.ts';
import type { Peer, PeerListener } from './peer.ts';

export class LocalCsms implements Peer {
  readonly #subprotocol: OcppSubprotocol;
  readonly #desk: LocalDesk;
  readonly #clock: FirmwareClock;
  #listener: PeerListener | undefined;

  constructor(subprotocol: OcppSubprotocol, desk: LocalDesk, clock: FirmwareClock) {
    this.#subprotocol = subprotocol;
    this.#desk = desk;
    this.#clock = clock;
  }

  listen(listener: PeerListener): void {
    this.#listener = listener;
  }

  send(text: string): void {
    const answer = localAnswer(text, this.#subprotocol, this.#desk, this.#clock.nowWallMs());
    // An answer never overtakes the question that is being relayed.
    if (answer !== undefined) queueMicrotask(() => this.#listener?.onText(answer));
  }

  close(code: number, reason: string): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onGone({ by: 'us', code, reason });
  }

  cut(): void {
    this.close(1006, '');
  }

  /** It says nothing by itself: a pile that takes no more answers must ask no more, as where a CSMS reads no further. */
  pause(): void {
    this.#listener?.onFull(true);
  }

  resume(): void {
    this.#listener?.onFull(false);
  }
}
