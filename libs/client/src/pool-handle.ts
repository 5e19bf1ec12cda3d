// One pool: its leases, its tokens, what happened in it, and what happens now.

import type {
  Deletion,
  Grant,
  Pool,
  PoolEventFeed,
  Release,
  ReleasedCount,
  Renewal,
  Token,
  TokenDetails,
  TokenEvent,
  TokenEventList,
  TokenHistory,
  TokenList,
  TokenUse,
} from './api-types.js';
import type { CallOptions, RepeatableOptions } from './call-options.js';
import type { Calls } from './calls.js';
import {
  allocate,
  keepAlive,
  newKey,
  release,
  type AllocateRequest,
  type LeaseRef,
  type ReleaseRequest,
} from './lease-calls.js';
import { Listing } from './listing.js';
import { TokenPoolError } from './token-pool-error.js';
import { watch, type WatchOptions, type WatchRequest } from './watch.js';
import { withLease, type LeasedWork, type LeaseOptions } from './with-lease.js';

export interface TokensRequest {
  /** Default: `all`. */
  readonly status?: 'all' | 'available' | 'active';
  /** Only tokens that this user holds. */
  readonly user_id?: string;
  /** Tokens on a page, at most 1000. Default: 1000. */
  readonly limit?: number;
}

export interface PageRequest {
  /** Entries on a page, at most 1000. Default: 100. */
  readonly limit?: number;
}

export interface FeedRequest extends PageRequest {
  /** The `seq` after which to begin. Default: 0. */
  readonly after?: number;
}

/** Every call @throws TokenPoolError when it is refused, TokenPoolConnectionError when there is no answer in time. */
export class PoolHandle {
  readonly #calls: Calls;

  /** Made by `TokenPoolClient.pool`. */
  constructor(
    calls: Calls,
    readonly name: string,
  ) {
    this.#calls = calls;
  }

  /** Grants the token that is free for the longest. Codes: `pool_not_found`, `pool_exhausted`, `quota_exceeded`. */
  async allocate(request: AllocateRequest = {}, options: RepeatableOptions = {}): Promise<Grant> {
    return (await allocate(this.#calls, this.name, request, options)).answer;
  }

  /**
   * Ends a lease. Codes: `lease_ended`, `stale_lease`, `token_not_active`, `lease_handle_required`, `insufficient_scope`, and
   * of `show`.
   */
  release(lease: LeaseRef, options: RepeatableOptions & ReleaseRequest = {}): Promise<Release> {
    return release(this.#calls, lease, options);
  }

  /** Renews a lease. The new time counts from now; the end is never earlier than it was. Codes: `not_renewable`, and of `release`. */
  async keepAlive(
    lease: LeaseRef,
    request: { readonly ttl_seconds?: number } = {},
    options: CallOptions = {},
  ): Promise<Renewal> {
    return (await keepAlive(this.#calls, lease, request.ttl_seconds, options)).answer;
  }

  /**
   * Does `work` under a lease and answers what it answers. The lease is renewed at a third of its time where the pool
   * allows that, and given back at the end. When it is lost, `signal` aborts, before the service ends the lease if it
   * is a matter of time, and the loss is thrown when `work` has ended: also when it shows only then, so that what is
   * answered was done under the lease from beginning to end. There is never a second lease.
   * @throws what `work` throws; LeaseLostError; what `allocate` throws
   */
  withLease<T>(work: LeasedWork<T>, options: LeaseOptions = {}): Promise<T> {
    const source = {
      pool: (options: CallOptions) => this.details(options),
      token: (tokenId: string, options: CallOptions) => this.show(tokenId, options),
      history: (tokenId: string, options: CallOptions) => this.history(tokenId, {}, options),
    };
    return withLease(this.#calls, this.name, source, work, options);
  }

  /** `active`: oldest lease first; `available`: in the order they will be handed out; `all`: by id. */
  list(request: TokensRequest = {}, options: CallOptions = {}): Listing<Token, TokenList, string> {
    const load = (cursor?: string): Promise<TokenList> => {
      const params = { query: { pool: this.name, ...request, cursor } };
      return this.#calls.answer((http, init) => http.GET('/api/tokens', { params, ...init }), options);
    };
    return new Listing(load, ({ tokens }) => tokens, nextCursor);
  }

  /** A token, who holds it, and its latest uses. Codes: `token_not_found`, `token_deleted`. */
  show(tokenId: string, options: CallOptions = {}): Promise<TokenDetails> {
    const params = { path: { id: tokenId } };
    return this.#calls.answer((http, init) => http.GET('/api/tokens/{id}', { params, ...init }), options);
  }

  /** What happened to a token, newest first; also of a deleted one. Codes: `token_not_found`. */
  events(
    tokenId: string,
    request: PageRequest = {},
    options: CallOptions = {},
  ): Listing<TokenEvent, TokenEventList, string> {
    const load = (cursor?: string): Promise<TokenEventList> => {
      const params = { path: { id: tokenId }, query: { ...request, cursor } };
      return this.#calls.answer((http, init) => http.GET('/api/tokens/{id}/events', { params, ...init }), options);
    };
    return new Listing(load, ({ events }) => events, nextCursor);
  }

  /** Who used a token and when, newest first; also of a deleted one. Codes: `token_not_found`. */
  history(
    tokenId: string,
    request: PageRequest = {},
    options: CallOptions = {},
  ): Listing<TokenUse, TokenHistory, string> {
    const load = (cursor?: string): Promise<TokenHistory> => {
      const params = { path: { id: tokenId }, query: { ...request, cursor } };
      return this.#calls.answer((http, init) => http.GET('/api/tokens/{id}/history', { params, ...init }), options);
    };
    return new Listing(load, ({ history }) => history, nextCursor);
  }

  /**
   * What happened in the pool, oldest first, without gaps; folding all of it gives the state of the tokens. Code:
   * `history_dropped` when events after `after` are not kept any more, `position_unknown` when the service has never given `after`, as its
   * database was restored or replaced; `problem.begins_after` says where to begin.
   */
  feed(
    { after: first = 0, limit }: FeedRequest = {},
    options: CallOptions = {},
  ): Listing<TokenEvent, PoolEventFeed, number> {
    const load = (after = first): Promise<PoolEventFeed> => {
      const params = { path: { name: this.name }, query: { after, limit } };
      return this.#calls.answer((http, init) => http.GET('/api/pools/{name}/events', { params, ...init }), options);
    };
    const next = ({ events, last_seq }: PoolEventFeed): number | null => {
      const last = events.at(-1)?.seq ?? last_seq;
      return last < last_seq ? last : null;
    };
    return new Listing(load, ({ events }) => events, next);
  }

  /**
   * What happens in the pool, as it happens: every event once, in order, over whatever breaks in between. Goes on until
   * the loop is left or `signal` aborts, with which it rejects. Begins when its first event is asked for. Where the service has
   * another history by now, it begins with that anew, and tells `onOtherHistory`. Code: `history_dropped` as of `feed`.
   */
  watch(request: WatchRequest = {}, options: WatchOptions = {}): AsyncGenerator<TokenEvent, void, void> {
    return watch(this.#calls, (options) => this.details(options), request, options);
  }

  /** Its policy, and its counts at this moment. */
  details(options: CallOptions = {}): Promise<Pool> {
    const params = { path: { name: this.name } };
    return this.#calls.answer((http, init) => http.GET('/api/pools/{name}', { params, ...init }), options);
  }

  /** Makes a token in an elastic pool. Codes: `pool_is_fixed`, `pool_limit_reached`. */
  generate({ idempotencyKey = newKey(), ...options }: RepeatableOptions = {}): Promise<Token> {
    const body = { pool: this.name };
    return this.#calls.answer((http, init) => http.POST('/api/tokens', { body, ...init }), {
      idempotencyKey,
      ...options,
    });
  }

  /** Deletes a token of an elastic pool; with `force`, a held one too. Codes: `pool_is_fixed`, `token_in_use`, and of `show`. */
  async delete(
    tokenId: string,
    request: { readonly force?: boolean } = {},
    options: CallOptions = {},
  ): Promise<Deletion> {
    const params = { path: { id: tokenId }, query: request };
    let attempts = 0;
    try {
      return await this.#calls.answer((http, init) => {
        attempts++;
        return http.DELETE('/api/tokens/{id}', { params, ...init });
      }, options);
    } catch (error) {
      // It was there at the first attempt, of which no answer came.
      if (attempts > 1 && TokenPoolError.is(error, 'token_deleted')) return { deleted: true, token_id: tokenId };
      throw error;
    }
  }

  /** Ends every active lease of the pool. */
  cleanup({ idempotencyKey = newKey(), ...options }: RepeatableOptions = {}): Promise<ReleasedCount> {
    const body = { pool: this.name };
    return this.#calls.answer((http, init) => http.POST('/api/tokens/cleanup', { body, ...init }), {
      idempotencyKey,
      ...options,
    });
  }
}

const nextCursor = ({ next_cursor }: { readonly next_cursor: string | null }): string | null => next_cursor;
