// The calls for one pool: leases, tokens, and events of the past and the present.

import type {
  CleanBody,
  CleaningGrant,
  Deletion,
  Grant,
  ImportedThings,
  Pool,
  PoolEventFeed,
  Release,
  ReleasedCount,
  Renewal,
  Ticket,
  TicketCancellation,
  TicketList,
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
import type { Lease } from './lease-keeper.js';
import { allocateInTurn, type WaitOptions } from './line.js';
import { Listing } from './listing.js';
import { inRequests, type AttributeValue, type GivenThing } from './things-file.js';
import { claim, leave, showTicket, takePlace, type LeaveRequest, type PlaceRequest } from './ticket-calls.js';
import { TokenPoolError } from './token-pool-error.js';
import { watch, type WatchOptions, type WatchRequest } from './watch.js';
import { withLeases, type LeasedWork, type LeaseOptions, type LeasesOptions, type LeasesWork } from './with-lease.js';

export interface TokensRequest {
  /** Default: `all`. */
  readonly status?: 'all' | Token['status'];
  /** Only tokens that this user holds. */
  readonly user_id?: string;
  /** Only tokens that are held under this name. */
  readonly holder?: string;
  /** Only the thing of this name. */
  readonly name?: string;
  /** Only things with all of these attributes. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
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

export interface ImportRequest {
  /** What becomes of things that the list leaves out. Default: `keep`. */
  readonly missing?: 'keep' | 'delete_when_free';
}

export interface DeleteRequest {
  /** Default: `now`. */
  readonly when?: 'now' | 'when_free';
  /** Ends the lease of a token that is held. */
  readonly force?: boolean;
}

export interface DisableRequest {
  /** At most 200 characters. */
  readonly reason: string;
  /** Default: `now`. */
  readonly when?: 'now' | 'when_free';
}

const COUNTS = ['added', 'changed', 'unchanged', 'deleted', 'draining'] as const;

/**
 * One pool. Every call throws TokenPoolError if the service refuses it, TokenPoolConnectionError if there is no
 * response in time, and the reason of its `signal`. The docstrings name the usual codes of TokenPoolError.
 */
export class PoolHandle {
  readonly #calls: Calls;

  /** Use `TokenPoolClient.pool` to get a handle. */
  constructor(
    calls: Calls,
    readonly name: string,
  ) {
    this.#calls = calls;
  }

  /**
   * Allocates the token that has been free longest, of those that the request admits. Codes: `pool_not_found`,
   * `pool_exhausted`, `quota_exceeded`; with `name` or `token_id` `token_in_use`, `token_not_found`; with `select`
   * `unsatisfiable`. With `wait_seconds` the answer may be a place in the line, which `isTicket` tells, and
   * `allocateInTurn` does the waiting by itself.
   */
  allocate(request?: AllocateRequest & { wait_seconds?: undefined }, options?: RepeatableOptions): Promise<Grant>;
  allocate(request: AllocateRequest, options?: RepeatableOptions): Promise<Grant | Ticket>;
  async allocate(request: AllocateRequest = {}, options: RepeatableOptions = {}): Promise<Grant | Ticket> {
    return (await allocate(this.#calls, this.name, request, options)).answer;
  }

  /**
   * Allocates, and waits in the line for up to `wait` if no token is free. The place survives restarts of the service.
   * It is given back when the wait is over or `signal` aborts, and so is a lease that was granted meanwhile. Codes:
   * `line_full`, and those of `allocate`; `pool_exhausted` means that the pool has no line.
   * @throws WaitEndedError if the wait ends without a token
   */
  async allocateInTurn(request: PlaceRequest, options: WaitOptions): Promise<Grant> {
    return (await allocateInTurn(this.#calls, this.name, request, options)).answer;
  }

  /**
   * Releases a lease. Codes: `lease_ended`, `stale_lease`, `token_not_active`, `lease_handle_required`,
   * `insufficient_scope`, and those of `show`.
   */
  release(lease: LeaseRef, options: RepeatableOptions & ReleaseRequest = {}): Promise<Release> {
    return release(this.#calls, lease, options);
  }

  /**
   * Renews a lease. Its new length counts from now, and its end never moves to an earlier instant. Codes:
   * `not_renewable`, and those of `release`.
   */
  async keepAlive(
    lease: LeaseRef,
    request: { readonly ttl_seconds?: number } = {},
    options: CallOptions = {},
  ): Promise<Renewal> {
    return (await keepAlive(this.#calls, lease, request.ttl_seconds, options)).answer;
  }

  /**
   * Runs `work` under a lease and returns its result. The client renews the lease after a third of its length if the
   * pool allows renewals, and releases it at the end. If the lease is lost, `signal` aborts; if time is up, it aborts
   * before the service ends the lease. After `work` has ended, the call throws the loss, even if it shows only then: a
   * result means that the lease lasted from the beginning of `work` to its end. There is never a second lease.
   * With `wait` the call waits in the line if no token is free, as `allocateInTurn` does.
   * @throws what `work` throws; LeaseLostError; what `allocate` throws; WaitEndedError
   */
  withLease<T>(work: LeasedWork<T>, options: LeaseOptions = {}): Promise<T> {
    return this.withLeases(([lease], signal) => work(lease as Lease, signal), { ...options, count: 1 });
  }

  /**
   * As `withLease`, under `count` leases, which are granted all at once or not at all. `signal` aborts when one of them
   * is lost.
   */
  withLeases<T>(work: LeasesWork<T>, options: LeasesOptions): Promise<T> {
    const source = {
      pool: (options: CallOptions) => this.details(options),
      token: (tokenId: string, options: CallOptions) => this.show(tokenId, options),
      history: (tokenId: string, options: CallOptions) => this.history(tokenId, {}, options),
    };
    return withLeases(this.#calls, this.name, source, work, options);
  }

  /**
   * Takes a place in the line of the pool, and does not wait. Claim it before `patience_until`, and again and again
   * until the answer is a lease. Codes: `line_full`, `quota_exceeded`, `unsatisfiable`, `pool_paused`.
   */
  takePlace(
    request: PlaceRequest = {},
    { idempotencyKey = newKey(), ...options }: RepeatableOptions = {},
  ): Promise<Ticket> {
    return takePlace(this.#calls, this.name, request, { idempotencyKey, ...options });
  }

  /**
   * Claims what a place is offered, or waits for that for up to `wait_seconds`, at most 60. A place that still waits
   * answers with its ticket. Codes: `ticket_ended`, `ticket_not_found`.
   */
  async claim(
    ticketId: string,
    { wait_seconds = 0 }: { readonly wait_seconds?: number } = {},
    options: CallOptions = {},
  ): Promise<Grant | Ticket> {
    return (await claim(this.#calls, ticketId, wait_seconds, options)).answer;
  }

  /** Reads a place; no sign of life. Codes: `ticket_not_found`. */
  ticket(ticketId: string, options: CallOptions = {}): Promise<Ticket> {
    return showTicket(this.#calls, ticketId, options);
  }

  /** Gives a place back, and what it is offered. Codes: `ticket_ended`, `ticket_not_found`. */
  leave(ticketId: string, options: LeaveRequest & CallOptions = {}): Promise<TicketCancellation> {
    return leave(this.#calls, ticketId, options);
  }

  /** Lists the places in the line, in order. Only keys that may operate see who has them. */
  line(request: PageRequest = {}, options: CallOptions = {}): Listing<Ticket, TicketList, string> {
    const load = (cursor?: string): Promise<TicketList> => {
      const params = { path: { name: this.name }, query: { ...request, cursor } };
      return this.#calls.answer((http, init) => http.GET('/api/pools/{name}/tickets', { params, ...init }), options);
    };
    return new Listing(load, ({ tickets }) => tickets, nextCursor);
  }

  /** Lists tokens. `active`: oldest lease first; `available`: in the order of their allocation; `all`: by id. */
  list(
    { attributes = {}, ...request }: TokensRequest = {},
    options: CallOptions = {},
  ): Listing<Token, TokenList, string> {
    const selected = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [`attribute.${key}`, value]));
    const load = (cursor?: string): Promise<TokenList> => {
      const params = { query: { pool: this.name, ...request, ...selected, cursor } };
      return this.#calls.answer((http, init) => http.GET('/api/tokens', { params, ...init }), options);
    };
    return new Listing(load, ({ tokens }) => tokens, nextCursor);
  }

  /** Reads a token, its holder, and its latest uses. Codes: `token_not_found`, `token_deleted`. */
  show(tokenId: string, options: CallOptions = {}): Promise<TokenDetails> {
    const params = { path: { id: tokenId } };
    return this.#calls.answer((http, init) => http.GET('/api/tokens/{id}', { params, ...init }), options);
  }

  /** Lists the events of a token, newest first; a deleted token has them, too. Codes: `token_not_found`. */
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

  /** Lists the uses of a token, newest first; a deleted token has them, too. Codes: `token_not_found`. */
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
   * Lists the events of the pool, oldest first and without gaps. Folding all of them gives the state of the tokens.
   * Codes: `history_dropped` if the service no longer has the events after `after`; `position_unknown` if the service
   * has never reached `after`, because its database was restored or replaced. `problem.begins_after` tells where to
   * begin then.
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
   * Yields the events of the pool as they happen: every event once and in order, across lost connections. It starts
   * with the first `next`, and goes on until the loop ends, or until `signal` aborts and the loop rejects with its
   * reason. If the service's history was replaced, it calls `onOtherHistory` and starts from the beginning of the new
   * history. Codes: `history_dropped`, as for `feed`.
   */
  watch(request: WatchRequest = {}, options: WatchOptions = {}): AsyncGenerator<TokenEvent, void, void> {
    return watch(this.#calls, (options) => this.details(options), request, options);
  }

  /** Reads the pool's policy, and its present counts. */
  details(options: CallOptions = {}): Promise<Pool> {
    const params = { path: { name: this.name } };
    return this.#calls.answer((http, init) => http.GET('/api/pools/{name}', { params, ...init }), options);
  }

  /**
   * Leases the token that is dirty for the longest, to clean it. Waits for one for up to `wait_seconds`, at most 60.
   * Release it with a `condition`. Codes: `nothing_dirty`, `quota_exceeded`.
   */
  clean(
    body: CleanBody = {},
    { idempotencyKey = newKey(), ...options }: RepeatableOptions = {},
  ): Promise<CleaningGrant> {
    const params = { path: { name: this.name } };
    const waitMs = (body.wait_seconds ?? 0) * 1000;
    return this.#calls.answer((http, init) => http.POST('/api/pools/{name}/clean', { params, body, ...init }), {
      idempotencyKey,
      waitMs,
      ...options,
    });
  }

  /** Takes a token out of service; a held one at once, or at the end of its lease. Codes: those of `show`. */
  disable(tokenId: string, body: DisableRequest, options: CallOptions = {}): Promise<Token> {
    const params = { path: { id: tokenId } };
    return this.#calls.answer(
      (http, init) => http.POST('/api/tokens/{id}/disable', { params, body, ...init }),
      options,
    );
  }

  /** Puts a token into service again. Codes: those of `show`. */
  enable(tokenId: string, body: { readonly note?: string } = {}, options: CallOptions = {}): Promise<Token> {
    const params = { path: { id: tokenId } };
    return this.#calls.answer((http, init) => http.POST('/api/tokens/{id}/enable', { params, body, ...init }), options);
  }

  /** Generates a token in an elastic pool. Codes: `pool_is_fixed`, `pool_limit_reached`. */
  generate({ idempotencyKey = newKey(), ...options }: RepeatableOptions = {}): Promise<Token> {
    const body = { pool: this.name };
    return this.#calls.answer((http, init) => http.POST('/api/tokens', { body, ...init }), {
      idempotencyKey,
      ...options,
    });
  }

  /**
   * Puts things into a listed pool, and changes those whose names it has. Attributes and secrets that are left out stay
   * as they are. One request carries at most 1,000 things and 1 MB, so a longer list takes several, each of them all or
   * nothing. After an error, import the whole list again: what is there counts as unchanged. Codes: `pool_not_listed`,
   * `pool_limit_reached`, `secrets_off`.
   * @throws RangeError if a list that is to be the whole pool (`delete_when_free`) does not fit into one request
   */
  async importThings(
    things: readonly GivenThing[],
    { missing }: ImportRequest = {},
    options: CallOptions = {},
  ): Promise<ImportedThings> {
    const requests = things.length === 0 ? [[]] : inRequests(things);
    if (missing === 'delete_when_free' && requests.length > 1) {
      throw new RangeError(
        `${things.length} things do not fit into one request, which delete_when_free needs: it deletes what the ` +
          'request leaves out, and a request carries at most 1,000 things and 1 MB',
      );
    }
    const params = { path: { name: this.name } };
    const sum = { added: 0, changed: 0, unchanged: 0, deleted: 0, draining: 0 };
    for (const tokens of requests) {
      const body = { tokens, missing };
      const imported = await this.#calls.answer(
        (http, init) => http.PUT('/api/pools/{name}/tokens', { params, body, ...init }),
        options,
      );
      for (const count of COUNTS) sum[count] += imported[count];
    }
    return sum;
  }

  /** Adds a thing to a listed pool. Codes: `token_exists`, and those of `importThings`. */
  addThing(thing: GivenThing, { idempotencyKey = newKey(), ...options }: RepeatableOptions = {}): Promise<Token> {
    const body = { pool: this.name, ...thing };
    return this.#calls.answer((http, init) => http.POST('/api/tokens', { body, ...init }), {
      idempotencyKey,
      ...options,
    });
  }

  /**
   * Changes a thing, also while it is held. Attributes replace all that there were, and null removes a secret. Codes:
   * `token_exists` if another thing has the new name, `secrets_off`, and those of `show`.
   */
  changeThing(tokenId: string, body: Partial<GivenThing>, options: CallOptions = {}): Promise<Token> {
    const params = { path: { id: tokenId } };
    return this.#calls.answer((http, init) => http.PATCH('/api/tokens/{id}', { params, body, ...init }), options);
  }

  /**
   * Deletes a token of an elastic or listed pool; with `force`, also one that a user holds. With `when: 'when_free'` a
   * held one goes at the end of its lease. Codes: `pool_is_fixed`, `token_in_use`, and those of `show`.
   */
  async delete(tokenId: string, request: DeleteRequest = {}, options: CallOptions = {}): Promise<Deletion> {
    const params = { path: { id: tokenId }, query: request };
    let attempts = 0;
    try {
      return await this.#calls.answer((http, init) => {
        attempts++;
        return http.DELETE('/api/tokens/{id}', { params, ...init });
      }, options);
    } catch (error) {
      // The token existed at the first attempt, whose response was lost.
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
