/** Waits on an adapter's clock, and no longer than its signal lets it. */
import { TIMER_MS_MAX } from './clock.ts';
import type { FirmwareClock } from './clock.ts';

/** Resolves after `delayMs`, or as soon as the signal is aborted. */
export function pause(clock: FirmwareClock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.setTimer(Math.min(delayMs, TIMER_MS_MAX), resolve);
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  return promise.finally(() => {
    cancel();
    signal.removeEventListener('abort', onAbort);
  });
}
