// Limits work by time and by the caller's signal.

import { TokenPoolConnectionError } from './token-pool-connection-error.js';

/** The longest time for which a timer can wait. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs `work` with a signal that aborts with `signal`, or after `ms`. It stops waiting then, whether or not `work`
 * reacts. It leaves neither a timer nor a listener behind.
 * @throws what `work` throws; the signal's reason; TokenPoolConnectionError after `ms`
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
