// The requests that grant, renew and release a lease.

import type { Grant, Release, Renewal, Ticket } from './api-types.js';
import type { CallOptions, RepeatableOptions } from './call-options.js';
import type { Attempts, Calls, Timed } from './calls.js';
import type { LeaseRequest } from './lease-request.js';
import { limited } from './limited.js';
import { claim, isTicket, leave } from './ticket-calls.js';
import { TokenPoolError } from './token-pool-error.js';

export interface AllocateRequest extends LeaseRequest {
  /** How many tokens, 1 to 100: all at once or none. The answer has all grants as `grants`. Default: 1. */
  readonly count?: number;
  /**
   * In a pool with a line: how long the request may wait there, 0 to 60, on top of `timeoutMs`. When the time is over,
   * the answer is a place, which is kept while its owner claims.
   */
  readonly wait_seconds?: number;
}

/** Names a lease. Every field must match the token's open lease. A `Grant` is a valid reference. */
export interface LeaseRef {
  readonly token_id: string;
  readonly lease_id?: string;
  readonly user_id?: string;
  readonly fence?: number;
}

export interface ReleaseRequest {
  /**
   * Releases without `lease_id` even if the pool requires one, for the reason `revoked`; takes the scope `operate`.
   * Other fields must match.
   */
  readonly force?: boolean;
  /** How the token is: `dirty` must be cleaned, `broken` is disabled. A cleaning without it has made it clean. */
  readonly condition?: 'ok' | 'dirty' | 'broken';
  /** Why the lease ends, at most 200 characters; the service stores it with the `released` event. */
  readonly note?: string;
}

/** How long a release at the end may take. A lease that is not released expires. */
export const RELEASE_TIMEOUT_MS = 10_000;

/** A proxy got no response from the service, so what the service did is unknown. */
const GATEWAY_STATUSES: readonly number[] = [502, 504];

/** The request never left this machine, or never reached a server. */
const NOT_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/**
 * Allocates tokens, or takes a place in the line. If the call fails although the service may have done that, gives back
 * what there is in the background.
 */
export async function allocate(
  calls: Calls,
  pool: string,
  request: AllocateRequest,
  { idempotencyKey = newKey(), ...options }: RepeatableOptions,
): Promise<Timed<Grant | Ticket>> {
  const { user_id, holder, ttl_seconds, token_id, name, select, metadata, count, wait_seconds } = request;
  const body = { pool, user_id, holder, ttl_seconds, token_id, name, select, metadata, count, wait_seconds };
  /** Requests for which the service may have granted a lease without our knowledge. */
  const pending = new Set<AbortController>();
  let last: Promise<Grant | Ticket | undefined> = Promise.resolve(undefined);
  const ask = (limits: Attempts): Promise<Timed<Grant | Ticket>> =>
    calls.timed(
      (http, init) => {
        for (const earlier of pending) earlier.abort();
        // The request outlives the call, so that a late response can still be read.
        const request = new AbortController();
        pending.add(request);
        const answer = http.POST('/api/tokens/allocate', { body, ...init, signal: request.signal });
        last = answer.then(
          ({ data, response }) => {
            if (!GATEWAY_STATUSES.includes(response.status)) pending.delete(request);
            return data;
          },
          (error: unknown) => {
            const { code } = ((error as Error).cause ?? {}) as { code?: string };
            if (error instanceof SyntaxError || NOT_SENT.test(code ?? '')) pending.delete(request);
            return undefined;
          },
        );
        return answer;
      },
      { idempotencyKey, waitMs: (wait_seconds ?? 0) * 1000, ...limits },
    );
  try {
    return await ask(options);
  } catch (error) {
    const isKnown = error instanceof TokenPoolError && error.status !== 503;
    if (pending.size > 0 && !isKnown) void giveBackUnknown();
    throw error;
  }

  /** Waits for the late response, or sends the request once more with the same key, and gives back. Best effort. */
  async function giveBackUnknown(): Promise<void> {
    try {
      await limited(RELEASE_TIMEOUT_MS, undefined, async (signal) => {
        const received = await limited(RELEASE_TIMEOUT_MS / 2, signal, () => last).catch(() => undefined);
        if (!received && pending.size === 0) return;
        await giveBack(calls, received ?? (await ask({ signal, isRepeatable: false })).answer, { signal });
      });
    } catch {
      // A lease expires, and a place is lost without a sign of life.
    } finally {
      for (const request of pending) request.abort();
    }
  }
}

/**
 * Renews a lease. It takes no idempotency key: a second renewal does no harm, and a repeated answer would name an end
 * that counts from the first attempt.
 */
export function keepAlive(
  calls: Calls,
  lease: LeaseRef,
  ttl_seconds: number | undefined,
  options: CallOptions & { readonly attemptMs?: number },
): Promise<Timed<Renewal>> {
  const params = { path: { id: lease.token_id } };
  const body = { ...claimOf(lease), ttl_seconds };
  return calls.timed((http, init) => http.POST('/api/tokens/{id}/keep-alive', { params, body, ...init }), options);
}

export function release(
  calls: Calls,
  lease: LeaseRef,
  { idempotencyKey = newKey(), force, note, condition, ...options }: RepeatableOptions & ReleaseRequest,
): Promise<Release> {
  const params = { path: { id: lease.token_id } };
  const body = { ...claimOf(lease), force, note, condition };
  return calls.answer((http, init) => http.POST('/api/tokens/{id}/release', { params, body, ...init }), {
    idempotencyKey,
    ...options,
  });
}

/** Ends the leases, or gives the place back, that an allocation has answered with. */
export async function giveBack(calls: Calls, had: Grant | Ticket, options: CallOptions): Promise<void> {
  if (!isTicket(had)) {
    await Promise.allSettled(grantsOf(had).map((grant) => release(calls, grant, options)));
    return;
  }
  try {
    await leave(calls, had.id, options);
  } catch (error) {
    const wasClaimed = TokenPoolError.is(error, 'ticket_ended') && error.problem.end_reason === 'granted';
    if (!wasClaimed) throw error;
    // The response to a claim was lost. Claiming again answers the same leases.
    const { answer } = await claim(calls, had.id, 0, options);
    if (!isTicket(answer)) await giveBack(calls, answer, options);
  }
}

/** All grants of an answer, each by itself. */
export const grantsOf = ({ grants, ...first }: Grant): readonly Grant[] => grants ?? [first];

const claimOf = ({ lease_id, user_id, fence }: LeaseRef) => ({ lease_id, user_id, fence });

/** A new idempotency key. Browsers have `randomUUID` only on pages that came over TLS, so this does not use it. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
