// Work with an end: by the clock, or because the caller says so.

import { TokenPoolConnectionError } from './token-pool-connection-error.js';

/** Timers cannot wait for longer. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Gives `work` a signal that aborts with `signal`, or after `ms`, and waits no longer, whether or not `work` heeds it.
 * Leaves neither timer nor listener behind.
 */
export async function limited<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const isOver = new Promise<never>((_, reject) =>
    limit.signal.addEventListener('abort', () => reject(limit.signal.reason as Error)),
  );
  const follow = (): void => limit.abort(signal?.reason);
  signal?.addEventListener('abort', follow);
  const timer = setTimeout(
    () => limit.abort(new TokenPoolConnectionError(`no answer within ${Math.round(ms)} ms`)),
    Math.min(ms, LONGEST_TIMER_MS),
  );
  try {
    return await Promise.race([work(limit.signal), isOver]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', follow);
  }
}
