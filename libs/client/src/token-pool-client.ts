// The client of one service.

import type {
  ChangePoolBody,
  CreatePoolBody,
  OpenLease,
  OpenLeaseList,
  Pool,
  PoolDeletion,
  ReleasedCount,
  Verification,
} from './api-types.js';
import type { CallOptions } from './call-options.js';
import { Calls, type ClientOptions } from './calls.js';
import type { LeaseRequest } from './lease-request.js';
import type { Lease } from './lease-keeper.js';
import { Listing } from './listing.js';
import { PoolHandle } from './pool-handle.js';
import { TokenPoolError } from './token-pool-error.js';
import type { LeaseOptions, LeasesOptions } from './with-lease.js';

/** Who holds leases: a name, or a user. */
export type Whose = { readonly holder: string } | { readonly user_id: string };

export class TokenPoolClient {
  readonly #calls: Calls;

  /**
   * @param url the service's URL up to `/api`, such as `https://tokens.example.org`
   * @throws TypeError if the URL or a header can never work
   */
  constructor(url: string | URL, options: ClientOptions = {}) {
    this.#calls = new Calls(String(url), options);
  }

  /** A handle for a pool. It sends no request; only the first call shows whether the pool exists. */
  pool(name = 'default'): PoolHandle {
    return new PoolHandle(this.#calls, name);
  }

  /**
   * Runs `work` under a lease, as `withLease` of the pool's handle does:
   * `client.withLease('phones', { select: { country: 'de' }, wait: '10m' }, async ({ name, secret, signal }) => …)`.
   */
  withLease<T>(
    pool: string,
    { wait, onPlace, ...request }: LeaseRequest & Pick<LeaseOptions, 'wait' | 'onPlace'>,
    work: (lease: Lease) => Promise<T> | T,
    options: Omit<LeaseOptions, 'request'> = {},
  ): Promise<T> {
    return this.pool(pool).withLease((lease) => work(lease), { wait, onPlace, ...options, request });
  }

  /**
   * Runs `work` under several leases, granted all at once or not at all:
   * `client.withLeases('phones', { count: 2, wait: 90 }, async ([from, to]) => …)`.
   */
  withLeases<T>(
    pool: string,
    { count, wait, onPlace, ...request }: LeaseRequest & Pick<LeasesOptions, 'count' | 'wait' | 'onPlace'>,
    work: (leases: readonly Lease[]) => Promise<T> | T,
    options: Omit<LeaseOptions, 'request'> = {},
  ): Promise<T> {
    return this.pool(pool).withLeases((leases) => work(leases), { wait, onPlace, ...options, request, count });
  }

  /** Lists all pools with their policies and counts. */
  async pools(options: CallOptions = {}): Promise<Pool[]> {
    return (await this.#calls.answer((http, init) => http.GET('/api/pools', { ...init }), options)).pools;
  }

  /**
   * Creates a pool, or opens a deleted one of that name again. The client never retries this, because it takes no
   * idempotency key. Codes: `pool_exists`.
   */
  createPool(body: CreatePoolBody, options: CallOptions = {}): Promise<Pool> {
    return this.#calls.answer((http, init) => http.POST('/api/pools', { body, ...init }), {
      ...options,
      isRepeatable: false,
    });
  }

  /**
   * Changes a pool's policy or size, or pauses it. Running leases keep their ends. Codes: `pool_not_found`,
   * `pool_deleted`.
   */
  changePool(name: string, body: ChangePoolBody, options: CallOptions = {}): Promise<Pool> {
    const params = { path: { name } };
    return this.#calls.answer((http, init) => http.PATCH('/api/pools/{name}', { params, body, ...init }), options);
  }

  /**
   * Deletes a pool with its tokens; with `force`, also one with open leases. Its events stay readable. Codes:
   * `pool_not_found`, `pool_deleted`, `token_in_use`.
   */
  async deletePool(
    name: string,
    request: { readonly force?: boolean } = {},
    options: CallOptions = {},
  ): Promise<PoolDeletion> {
    const params = { path: { name }, query: request };
    let attempts = 0;
    try {
      return await this.#calls.answer((http, init) => {
        attempts++;
        return http.DELETE('/api/pools/{name}', { params, ...init });
      }, options);
    } catch (error) {
      // The pool existed at the first attempt, whose response was lost.
      if (attempts > 1 && TokenPoolError.is(error, 'pool_deleted')) return { deleted: true, pool: name };
      throw error;
    }
  }

  /** Lists what somebody holds over all pools. A page may have fewer leases than `limit`, even none. */
  leases(
    request: Whose & { readonly limit?: number },
    options: CallOptions = {},
  ): Listing<OpenLease, OpenLeaseList, string> {
    const load = (cursor?: string): Promise<OpenLeaseList> => {
      const params = { query: { ...request, cursor } };
      return this.#calls.answer((http, init) => http.GET('/api/leases', { params, ...init }), options);
    };
    return new Listing(
      load,
      ({ leases }) => leases,
      ({ next_cursor }) => next_cursor,
    );
  }

  /** Ends everything that somebody holds, over all pools or in one. Codes: `pool_not_found`, `insufficient_scope`. */
  releaseAll(
    body: Whose & { readonly pool?: string; readonly note?: string },
    options: CallOptions = {},
  ): Promise<ReleasedCount> {
    return this.#calls.answer((http, init) => http.POST('/api/leases/release', { body, ...init }), options);
  }

  /**
   * Asks whether a lease is open. A lease that is over is no error: `valid` is false. By `lease_id` the answer has the
   * secret of the thing, too.
   */
  verify(
    body: { readonly lease_id: string } | { readonly token_id: string; readonly fence: number },
    options: CallOptions = {},
  ): Promise<Verification> {
    return this.#calls.answer((http, init) => http.POST('/api/leases/verify', { body, ...init }), options);
  }
}
