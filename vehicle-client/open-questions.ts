/** What the pile was asked and has not answered: each question has its own correlation id, and an end. */
import type { EarningsQuery, EarningsReport, Refused, StatusQuery, StatusReport } from '@plugpool/proto';
import type { Conversation } from './conversation.ts';
import { refusalError } from './errors.ts';
import type { Clock } from './ports.ts';

export const QUERY_TIMEOUT_MS = 10_000;

export type Question = StatusQuery | EarningsQuery;
export type Report = StatusReport | EarningsReport;

interface OpenQuestion {
  readonly answer: PromiseWithResolvers<Report>;
  readonly cancelTimeout: () => void;
}

export interface OpenQuestionsOptions {
  readonly conversation: Conversation;
  readonly clock: Clock;
  /** Why nobody answered in time. */
  readonly unanswered: () => Error;
}

export class OpenQuestions {
  readonly #options: OpenQuestionsOptions;
  readonly #open = new Map<number, OpenQuestion>();

  constructor(options: OpenQuestionsOptions) {
    this.#options = options;
  }

  /** Answered by the report of that question, under its correlation id. */
  ask(question: Question): Promise<Report> {
    const { conversation, clock, unanswered } = this.#options;
    const correlationId = conversation.nextCorrelationId();
    const answer = Promise.withResolvers<Report>();
    const cancelTimeout = clock.setTimer(QUERY_TIMEOUT_MS, () => {
      this.#open.delete(correlationId);
      answer.reject(unanswered());
    });
    this.#open.set(correlationId, { answer, cancelTimeout });
    conversation.post(question, correlationId);
    return answer.promise;
  }

  has(correlationId: number): boolean {
    return this.#open.has(correlationId);
  }

  reported(report: Report, correlationId: number): void {
    this.#take(correlationId)?.answer.resolve(report);
  }

  /** True where the refusal was meant for one of these. */
  refused({ reasons, retryable }: Refused, correlationId: number): boolean {
    const question = this.#take(correlationId);
    question?.answer.reject(refusalError('the question', reasons, retryable));
    return question !== undefined;
  }

  close(error: Error): void {
    for (const correlationId of [...this.#open.keys()]) this.#take(correlationId)?.answer.reject(error);
  }

  #take(correlationId: number): OpenQuestion | undefined {
    const question = this.#open.get(correlationId);
    this.#open.delete(correlationId);
    question?.cancelTimeout();
    return question;
  }
}
