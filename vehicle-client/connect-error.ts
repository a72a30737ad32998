/** Why there is no conversation with the pile, and what to do about it. */
import { PlugpoolError, usageError } from './errors.ts';
import type { LinkDown } from './ports.ts';

export function closedError(): PlugpoolError {
  return usageError(
    'closed',
    'this client was closed',
    'connect a new one; accepted tasks go on and can be asked for by id',
  );
}

export function connectError(down: LinkDown | undefined, timeoutMs: number): PlugpoolError {
  const code = down?.code ?? 'not_welcomed';
  return new PlugpoolError({
    code,
    message: `no conversation with the pile: ${down?.detail ?? `no answer within ${timeoutMs / 1000} s`}`,
    hint: CONNECT_HINTS[code],
    retryable: code === 'unreachable' || code === 'not_welcomed',
  });
}

const CONNECT_HINTS: Readonly<Record<LinkDown['code'], string>> = {
  unreachable: 'check the address, and that the agent runs there',
  token_refused:
    "use this vehicle's token file; if it is lost, the pile's operator must first forget it: plugpool tokens unbind VEHICLE",
  id_refused: 'use a vehicle id of 1 to 64 letters, digits, "_" and "-"',
  not_welcomed: 'check that it is a Plugpool agent that listens there, and of this version',
};
