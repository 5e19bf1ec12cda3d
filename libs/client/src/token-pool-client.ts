// The way in: a service by its URL, and its pools.

import type { ChangePoolBody, CreatePoolBody, Pool } from './api-types.js';
import type { CallOptions } from './call-options.js';
import { Calls, type ClientOptions } from './calls.js';
import { PoolHandle } from './pool-handle.js';

export class TokenPoolClient {
  readonly #calls: Calls;

  /** @param url of the service, such as `https://tokens.example.org`; what comes before `/api`. @throws TypeError when it, or a header, can never work */
  constructor(url: string | URL, options: ClientOptions = {}) {
    this.#calls = new Calls(String(url), options);
  }

  /** Asks nothing yet: whether there is such a pool shows with the first call. */
  pool(name = 'default'): PoolHandle {
    return new PoolHandle(this.#calls, name);
  }

  /** All pools with their policies and counts. */
  async pools(options: CallOptions = {}): Promise<Pool[]> {
    return (await this.#calls.answer((http, init) => http.GET('/api/pools', { ...init }), options)).pools;
  }

  /** Sent once only, since it takes no idempotency key. Codes: `pool_exists`. */
  createPool(body: CreatePoolBody, options: CallOptions = {}): Promise<Pool> {
    return this.#calls.answer((http, init) => http.POST('/api/pools', { body, ...init }), {
      ...options,
      isRepeatable: false,
    });
  }

  /** Changes the policy, or makes the pool larger. Running leases keep what they were promised. Codes: `pool_not_found`. */
  changePool(name: string, body: ChangePoolBody, options: CallOptions = {}): Promise<Pool> {
    const params = { path: { name } };
    return this.#calls.answer((http, init) => http.PATCH('/api/pools/{name}', { params, body, ...init }), options);
  }
}
