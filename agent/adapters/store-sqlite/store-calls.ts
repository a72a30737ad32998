/** What the store's thread and its caller say to each other; errors travel as data and become their own class again. */
import { AssertionError } from 'node:assert';
import type { StoreErrorCode } from '../../ports.ts';
import { StoreError } from '../../store-error.ts';
import type { SynchronousStore } from './synchronous-store.ts';

export type StoreCall = {
  [Name in keyof SynchronousStore]: SynchronousStore[Name] extends (...args: never[]) => unknown
    ? Name
    : never;
}[keyof SynchronousStore];

export type CallArgs<Call extends StoreCall> = Parameters<SynchronousStore[Call]>;
export type CallResult<Call extends StoreCall> = ReturnType<SynchronousStore[Call]>;

/** Makes calls, on this thread or another one. */
export interface StoreCaller {
  readonly state: 'idle' | 'running' | 'failed';
  start(): Promise<void>;
  call<Call extends StoreCall>(call: Call, ...args: CallArgs<Call>): Promise<CallResult<Call>>;
  stop(): Promise<void>;
}

export interface CallMessage {
  readonly id: number;
  readonly call: StoreCall;
  readonly args: readonly unknown[];
}

export type AnswerMessage =
  | { readonly kind: 'returned'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'threw'; readonly id: number; readonly error: ErrorData }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn';
      readonly fields: object;
      readonly message: string;
    };

export type ErrorData =
  | {
      readonly kind: 'store';
      readonly code: StoreErrorCode;
      readonly message: string;
      readonly hint: string;
      readonly retryable: boolean;
      readonly cause: string;
    }
  | { readonly kind: 'broken'; readonly message: string; readonly stack: string };

export function errorData(error: unknown): ErrorData {
  if (error instanceof StoreError) {
    const { code, message, hint, retryable } = error;
    const cause = error.cause instanceof Error ? error.cause.message : '';
    return { kind: 'store', code, message, hint, retryable, cause };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: 'broken', message, stack: stack ?? message };
}

export function errorFromData(data: ErrorData): Error {
  if (data.kind === 'store') {
    const { hint, retryable, cause } = data;
    return new StoreError(data.code, data.message, { hint, retryable, ...(cause !== '' && { cause }) });
  }
  const error = new AssertionError({ message: data.message });
  error.cause = data.stack;
  return error;
}
