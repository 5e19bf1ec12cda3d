// Retries requests after failures that may pass: lost connections, and a service that is unavailable for a while.

import { now } from './clock.js';
import { limited } from './limited.js';
import { pause } from './pause.js';
import { TokenPoolConnectionError } from './token-pool-connection-error.js';
import { TokenPoolError } from './token-pool-error.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/** Statuses with which the service, or a proxy before it, reports that no process could serve the request. */
const TRANSIENT_STATUSES: readonly number[] = [408, 502, 503, 504];

export interface Limits {
  readonly signal?: AbortSignal;
  /** How long all attempts and the pauses between them may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long one attempt may take, in milliseconds. */
  readonly attemptMs: number;
  /** False: makes only one attempt. */
  readonly isRepeatable?: boolean;
}

/** @throws what the last attempt threw; the signal's reason after it has aborted */
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

/**
 * The pause before the next attempt, in milliseconds; null if another attempt would not help.
 * @param failures in a row before this one
 */
export function pauseAfter(error: unknown, failures: number, longestMs = LONGEST_PAUSE_MS): number | null {
  if (!isTransient(error)) return null;
  // Half of the pause is random, so that clients that failed at the same time do not retry at the same time.
  const backoff = Math.min(FIRST_PAUSE_MS * 2 ** failures, longestMs, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
  const asked = error instanceof TokenPoolError ? (error.retryAfter ?? 0) * 1000 : 0;
  return asked + backoff;
}

function isTransient(error: unknown): boolean {
  if (error instanceof TokenPoolError) return TRANSIENT_STATUSES.includes(error.status);
  if (!(error instanceof TokenPoolConnectionError) || error.isPermanent) return false;
  return error.foreignStatus === undefined || TRANSIENT_STATUSES.includes(error.foreignStatus);
}
