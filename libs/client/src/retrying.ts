// Asking again where that can help: after lost connections, and when the service says that it is not able just now.

import { now } from './clock.js';
import { limited } from './limited.js';
import { pause } from './pause.js';
import { TokenPoolConnectionError } from './token-pool-connection-error.js';
import { TokenPoolError } from './token-pool-error.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/** Of these the service, or a proxy before it, says that nobody could serve the request at the time. */
const TRANSIENT_STATUSES: readonly number[] = [408, 502, 503, 504];

export interface Limits {
  readonly signal?: AbortSignal;
  /** For all attempts and the pauses between them, in milliseconds. */
  readonly timeoutMs: number;
  /** For one attempt, in milliseconds. */
  readonly attemptMs: number;
  /** False: there is one attempt. */
  readonly isRepeatable?: boolean;
}

/** @throws what the last attempt threw; the signal's reason once that is aborted */
export async function retrying<T>(limits: Limits, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal, timeoutMs, attemptMs, isRepeatable = true } = limits;
  const end = now() + timeoutMs;
  for (let failures = 0; ; failures++) {
    try {
      return await limited(Math.min(attemptMs, end - now()), signal, attempt);
    } catch (error) {
      signal?.throwIfAborted();
      const ms = isRepeatable ? pauseAfter(error, failures, attemptMs / 2) : null;
      if (ms === null || now() + ms >= end) throw error;
      await pause(ms, signal);
    }
  }
}

/** How long to wait, in milliseconds, before trying again after the n-th failure in a row (from 0); null: trying again is no use. */
export function pauseAfter(error: unknown, failures: number, longestMs = LONGEST_PAUSE_MS): number | null {
  if (!isTransient(error)) return null;
  // Half of it by chance, so that those who failed together do not come back together.
  const backoff = Math.min(FIRST_PAUSE_MS * 2 ** failures, longestMs, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
  const asked = error instanceof TokenPoolError ? (error.retryAfter ?? 0) * 1000 : 0;
  return asked + backoff;
}

function isTransient(error: unknown): boolean {
  if (error instanceof TokenPoolError) return TRANSIENT_STATUSES.includes(error.status);
  if (!(error instanceof TokenPoolConnectionError) || error.isPermanent) return false;
  return error.foreignStatus === undefined || TRANSIENT_STATUSES.includes(error.foreignStatus);
}
