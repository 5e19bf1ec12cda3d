// The requests of a lease's life: granted, renewed, released.

import type { Grant, Release, Renewal } from './api-types.js';
import type { CallOptions, RepeatableOptions } from './call-options.js';
import type { Calls, Timed } from './calls.js';

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

export function allocate(
  calls: Calls,
  pool: string,
  { user_id, ttl_seconds, metadata }: AllocateRequest,
  { idempotencyKey = newKey(), ...options }: RepeatableOptions,
): Promise<Timed<Grant>> {
  const body = { pool, user_id, ttl_seconds, metadata };
  return calls.timed((http, init) => http.POST('/api/tokens/allocate', { body, ...init }), {
    idempotencyKey,
    ...options,
  });
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
  { idempotencyKey = newKey(), ...options }: RepeatableOptions,
): Promise<Release> {
  const params = { path: { id: lease.token_id } };
  const body = claimOf(lease);
  return calls.answer((http, init) => http.POST('/api/tokens/{id}/release', { params, body, ...init }), {
    idempotencyKey,
    ...options,
  });
}

const claimOf = ({ lease_id, user_id, fence }: LeaseRef) => ({ lease_id, user_id, fence });

/** Not `randomUUID`, which browsers have only on pages that came by TLS. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
