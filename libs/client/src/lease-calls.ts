// The requests of a lease's life: granted, renewed, released.

import type { Grant, Release, Renewal } from './api-types.js';
import type { CallOptions, RepeatableOptions } from './call-options.js';
import type { Attempts, Calls, Timed } from './calls.js';
import { limited } from './limited.js';
import { TokenPoolError } from './token-pool-error.js';

export interface AllocateRequest {
  /** A UUID: who will hold the token. Default: a new one. */
  readonly user_id?: string;
  /** Length of the lease, capped to the pool's. Default: the pool's. */
  readonly ttl_seconds?: number;
  /** Kept with the `activated` event; at most 4096 bytes of JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Which lease is meant: what is given of it must be that of the token's open one. A `Grant` will do as it is. */
export interface LeaseRef {
  readonly token_id: string;
  readonly lease_id?: string;
  readonly user_id?: string;
  readonly fence?: number;
}

export interface ReleaseRequest {
  /** With the scope `operate`: also where the pool asks for `lease_id` and none is given. What is given must match all the same. */
  readonly force?: boolean;
}

/** How long giving back may take in all, in milliseconds: what is not given back expires. */
export const FAREWELL_MS = 10_000;

/** A proxy gave up: what the service did is unknown. */
const GATEWAY_STATUSES: readonly number[] = [502, 504];

/** Nobody got the request. */
const NOT_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** A lease that may have been granted without its caller hearing of it is given back in the background. */
export async function allocate(
  calls: Calls,
  pool: string,
  { user_id, ttl_seconds, metadata }: AllocateRequest,
  { idempotencyKey = newKey(), ...options }: RepeatableOptions,
): Promise<Timed<Grant>> {
  const body = { pool, user_id, ttl_seconds, metadata };
  /** Requests that may have been granted a lease, for all that is known. */
  const unheard = new Set<AbortController>();
  let last: Promise<Grant | undefined> = Promise.resolve(undefined);
  const ask = (limits: Attempts): Promise<Timed<Grant>> =>
    calls.timed(
      (http, init) => {
        for (const earlier of unheard) earlier.abort();
        // The request outlives its caller: an answer that is on its way can still be heard.
        const request = new AbortController();
        unheard.add(request);
        const answer = http.POST('/api/tokens/allocate', { body, ...init, signal: request.signal });
        last = answer.then(
          ({ data, response }) => {
            if (!GATEWAY_STATUSES.includes(response.status)) unheard.delete(request);
            return data;
          },
          (error: unknown) => {
            const { code } = ((error as Error).cause ?? {}) as { code?: string };
            if (error instanceof SyntaxError || NOT_SENT.test(code ?? '')) unheard.delete(request);
            return undefined;
          },
        );
        return answer;
      },
      { idempotencyKey, ...limits },
    );
  try {
    return await ask(options);
  } catch (error) {
    const isKnown = error instanceof TokenPoolError && error.status !== 503;
    if (unheard.size > 0 && !isKnown) void giveBack();
    throw error;
  }

  /** Best effort: hears the answer that is on its way, or asks once more with the same key, and releases. */
  async function giveBack(): Promise<void> {
    try {
      await limited(FAREWELL_MS, undefined, async (signal) => {
        const heard = await limited(FAREWELL_MS / 2, signal, () => last).catch(() => undefined);
        if (!heard && unheard.size === 0) return;
        const grant = heard ?? (await ask({ signal, isRepeatable: false })).answer;
        await release(calls, grant, { signal });
      });
    } catch {
      // If there is a lease, it expires.
    } finally {
      for (const request of unheard) request.abort();
    }
  }
}

/** Without an idempotency key: to renew twice does no harm, and a repeated answer would tell of time that has passed. */
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
  { idempotencyKey = newKey(), force, ...options }: RepeatableOptions & ReleaseRequest,
): Promise<Release> {
  const params = { path: { id: lease.token_id } };
  const body = { ...claimOf(lease), force };
  return calls.answer((http, init) => http.POST('/api/tokens/{id}/release', { params, body, ...init }), {
    idempotencyKey,
    ...options,
  });
}

const claimOf = ({ lease_id, user_id, fence }: LeaseRef) => ({ lease_id, user_id, fence });

/** Not `randomUUID`, which browsers have only on pages that came by TLS. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
