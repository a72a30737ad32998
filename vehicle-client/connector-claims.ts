/** Says to the pile at which connector this vehicle is plugged in, and hears whether that is believed. */
import type { ConnectorBound, Refused } from '@plugpool/proto';
import { CONNECTOR_PATTERN, PLUG_CODE_PATTERN } from '@plugpool/proto';
import type { Conversation } from './conversation.ts';
import { PlugpoolError, refusalError } from './errors.ts';
import type { Clock } from './ports.ts';

/** As the pile said it last, in this connection. */
export interface BoundConnector {
  readonly connectorId: string;
  readonly assurance: string;
}

interface Pending {
  readonly resolve: (bound: BoundConnector) => void;
  readonly reject: (error: PlugpoolError) => void;
  readonly cancelTimeout: () => void;
}

/** A claim by its word alone is made again so long after it was refused: the firmware may not have heard of it yet. */
const CLAIM_AGAIN_MS = 60_000;
/** Below that of the owner's command, which waits for it. */
const ANSWER_WITHIN_MS = 4_000;
/** An owner gives one code after the other. */
const PENDING_MAX = 8;

export class ConnectorClaims {
  readonly #conversation: Pick<Conversation, 'post' | 'welcome' | 'nextCorrelationId'>;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  readonly #connector: string | undefined;
  #bound: BoundConnector | undefined;
  #bareClaim = 0;
  #cancelAgain: (() => void) | undefined;

  constructor({
    conversation,
    clock,
    connector,
  }: {
    readonly conversation: Pick<Conversation, 'post' | 'welcome' | 'nextCorrelationId'>;
    readonly clock: Clock;
    /** Where the vehicle stands whenever it is here, by its owner's word. */
    readonly connector?: string | undefined;
  }) {
    this.#conversation = conversation;
    this.#clock = clock;
    this.#connector = connector;
  }

  /** The pile may have the word of its owner proven. */
  welcomed(): void {
    if (this.#connector === undefined) return;
    this.#bareClaim = this.#conversation.nextCorrelationId();
    this.#conversation.post({ kind: 'connectorClaim', connector: this.#connector }, this.#bareClaim);
  }

  get bound(): BoundConnector | undefined {
    return this.#bound;
  }

  /** Rejects with what the pile said, and what to do. `connector` absent: the code says which one it is. */
  plugCode(code: string, connector?: string): Promise<BoundConnector> {
    const problem = problemOf(code, connector) ?? this.#whyNotNow();
    if (problem !== undefined) return Promise.reject(problem);
    const correlationId = this.#conversation.nextCorrelationId();
    const answered = new Promise<BoundConnector>((resolve, reject) => {
      const cancelTimeout = this.#clock.setTimer(ANSWER_WITHIN_MS, () => {
        this.#pending.delete(correlationId);
        reject(noAnswer('the pile did not answer'));
      });
      this.#pending.set(correlationId, { resolve, reject, cancelTimeout });
    });
    const about = connector === undefined ? {} : { connector };
    this.#conversation.post({ kind: 'connectorClaim', code, ...about }, correlationId);
    return answered;
  }

  #whyNotNow(): PlugpoolError | undefined {
    if (this.#conversation.welcome === undefined) return noAnswer('there is no connection to a pile');
    return this.#pending.size < PENDING_MAX
      ? undefined
      : noAnswer('the pile has not answered the codes before');
  }

  heard({ connectorId, assurance }: ConnectorBound, correlationId: number): void {
    this.#bound = { connectorId, assurance };
    this.#take(correlationId)?.resolve(this.#bound);
  }

  /** False: it was no answer to a claim. */
  refused({ reasons, retryable }: Refused, correlationId: number): boolean {
    if (correlationId !== 0 && correlationId === this.#bareClaim) {
      this.#claimLater(reasons);
      return true;
    }
    const pending = this.#take(correlationId);
    pending?.reject(refusalError('the claim of the connector', reasons, retryable));
    return pending !== undefined;
  }

  /** A pile that takes no vehicle's word takes it no better later. */
  #claimLater(reasons: Refused['reasons']): void {
    if (reasons.some(({ code }) => code === 'not_supported')) return;
    this.#cancelAgain?.();
    this.#cancelAgain = this.#clock.setTimer(CLAIM_AGAIN_MS, () => this.welcomed());
  }

  /** The connection is lost: whether the pile heard is not known. */
  lost(): void {
    this.#bound = undefined;
    this.#bareClaim = 0;
    this.#cancelAgain?.();
    for (const correlationId of [...this.#pending.keys()])
      this.#take(correlationId)?.reject(noAnswer('the connection to the pile was lost'));
  }

  #take(correlationId: number): Pending | undefined {
    const pending = this.#pending.get(correlationId);
    this.#pending.delete(correlationId);
    pending?.cancelTimeout();
    return pending;
  }
}

function problemOf(code: string, connector: string | undefined): PlugpoolError | undefined {
  if (!PLUG_CODE_PATTERN.test(code))
    return invalid('a code has six digits', 'read it from the display of the pile');
  if (connector === undefined || CONNECTOR_PATTERN.test(connector)) return undefined;
  return invalid(
    `"${connector}" is no connector`,
    'give its number, or EVSE/connector; or leave it out: the code says which one it is',
  );
}

function invalid(message: string, hint: string): PlugpoolError {
  return new PlugpoolError({ code: 'invalid_argument', message, hint, retryable: false });
}

function noAnswer(message: string): PlugpoolError {
  const hint = 'look at "plugpool-vehicle status", and give the code again';
  return new PlugpoolError({ code: 'no_answer', message, hint, retryable: true });
}
