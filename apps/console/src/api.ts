// The API as the console uses it: the fields that it reads, and one function for each route.

import type {
  AllocateBody,
  AttributeValue,
  ChangePoolBody,
  Deletion,
  EndReason,
  GivenThing,
  Grant as PlainGrant,
  ImportedThings,
  OpenLease,
  Pool,
  ReleaseBody,
  Ticket,
  Selector,
  Token as PlainToken,
  TokenEvent,
  TokenUse,
  Verification,
} from '../../../libs/client/src/index.js';
import { authorization, keyRefused } from './key.js';
import { serviceUrl } from './location.js';
import { serverClock } from './server-clock.js';

export type { AttributeValue, EndReason, GivenThing, ImportedThings, Pool, Selector, Ticket, TokenEvent };
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** The thing of a listed pool that a token stands for; null where there is none. */
export interface Thing {
  readonly name: string | null;
  readonly attributes: Attributes | null;
}
export type Token = PlainToken & Thing;
export type Grant = PlainGrant & Thing;
export type Secret = NonNullable<PlainGrant['secret']>;
export type ThingChange = Partial<GivenThing>;

export type Use = TokenUse;
export type Policy = Required<ChangePoolBody>;

/** An event without the name of its pool, which the URL of the request contains. */
export type PoolEvent = Omit<TokenEvent, 'pool'>;

export type AllocateRequest = AllocateBody & { readonly pool: string };
/** Conditions on the lease: the service refuses when the token has another one. */
export type Claim = ReleaseBody;

export interface OfferedPlace {
  readonly position: number;
  /** The latest instant at which it is served; null when none is promised. */
  readonly notLaterThan: string | null;
}

/** What somebody may ask for who waits in line. */
export type PlaceRequest = Omit<AllocateRequest, 'token_id' | 'name' | 'wait_seconds'>;

/** The service refused a request, or could not be reached. The message is for people. */
export class ApiError extends Error {
  /** @param code the stable error code; `unreachable` when there was no answer */
  constructor(
    readonly code: string,
    detail: string,
    /** With `history_dropped`: the seq after which the service still has events. */
    readonly beginsAfter?: number,
    /** With `pool_exhausted`, in a pool with a line: the place that the caller would get. */
    readonly place?: OfferedPlace,
  ) {
    super(detail);
  }
}

export const UNREACHABLE = 'unreachable';

const BROKEN_OFF = 'the answer broke off or is not of the service: whether it did what was asked is not known';

/** After this time the console treats a request as lost. */
const PATIENCE_MS = 15_000;

const inPool = (name: string): string => `/api/pools/${encodeURIComponent(name)}`;
const ofTicket = (id: string): string => `/api/tickets/${encodeURIComponent(id)}`;
const ofToken = (id: string): string => `/api/tokens/${encodeURIComponent(id)}`;

export const api = {
  pools: () => get<{ pools: Pool[] }>('/api/pools').then(({ pools }) => pools),
  pool: (name: string) => get<Pool>(inPool(name)),
  createPool: (pool: Partial<Policy> & { name: string; kind: Pool['kind'] }) => ask<Pool>('POST', '/api/pools', pool),
  changePool: (name: string, change: Partial<Policy>) => ask<Pool>('PATCH', inPool(name), change),
  deletePool: (name: string, force: boolean) => ask<unknown>('DELETE', `${inPool(name)}?force=${force}`),
  feed: (name: string, after: number, limit: number) =>
    get<{ events: PoolEvent[]; last_seq: number }>(`${inPool(name)}/events?after=${after}&limit=${limit}`),
  /** The URL of the stream of a pool's events after this `seq`. */
  streamOf: (name: string, after: number) => serviceUrl(`${inPool(name)}/events/stream?after=${after}`),

  tokens: (query: { pool: string; cursor?: string; user_id?: string; name?: string; limit?: number }) =>
    get<{ tokens: Token[]; next_cursor: string | null }>(`/api/tokens?${search(query)}`),
  leases: (query: { holder: string; cursor?: string }) =>
    get<{ leases: OpenLease[]; next_cursor: string | null }>(`/api/leases?${search({ limit: 1000, ...query })}`),
  token: (id: string) => get<Token>(ofToken(id)),
  uses: (id: string, cursor?: string) =>
    get<{ history: Use[]; next_cursor: string | null }>(`${ofToken(id)}/history?${search({ limit: 50, cursor })}`),
  tokenEvents: (id: string, cursor?: string) =>
    get<{ events: TokenEvent[]; next_cursor: string | null }>(`${ofToken(id)}/events?${search({ limit: 50, cursor })}`),

  allocate: (request: AllocateRequest) =>
    ask<Grant>('POST', '/api/tokens/allocate', request, ({ activated_at }) => activated_at),
  /** Several at once, or none. */
  allocateSeveral: (request: AllocateRequest & { count: number }) =>
    ask<Grant>('POST', '/api/tokens/allocate', request, (granted) => grantsOf(granted)[0]!.activated_at).then(grantsOf),
  line: (pool: string, limit: number, cursor?: string) =>
    get<{ tickets: Ticket[]; next_cursor: string | null }>(`${inPool(pool)}/tickets?${search({ limit, cursor })}`),
  queue: (request: PlaceRequest) => ask<Ticket>('POST', '/api/tickets', request),
  /** The grants of an offer; the ticket while it waits. */
  claim: (id: string, wait_seconds: number) => ask<Grant | Ticket>('POST', `${ofTicket(id)}/claim`, { wait_seconds }),
  leave: (id: string, note?: string) => ask<unknown>('DELETE', `${ofTicket(id)}?${search({ note })}`),
  disable: (id: string, reason: string, when: 'now' | 'when_free') =>
    ask<Token>('POST', `${ofToken(id)}/disable`, { reason, when }),
  enable: (id: string, note?: string) => ask<Token>('POST', `${ofToken(id)}/enable`, { ...(note && { note }) }),
  release: (id: string, claim: Claim) => ask<unknown>('POST', `${ofToken(id)}/release`, claim),
  keepAlive: (id: string, claim: Claim & { ttl_seconds?: number }) =>
    ask<{ expires_at: string }>('POST', `${ofToken(id)}/keep-alive`, claim),
  verify: (lease_id: string) => ask<Verification>('POST', '/api/leases/verify', { lease_id }),
  generate: (pool: string) => ask<Token>('POST', '/api/tokens', { pool }),
  importThings: (pool: string, tokens: readonly GivenThing[], missing: 'keep' | 'delete_when_free') =>
    ask<ImportedThings>('PUT', `${inPool(pool)}/tokens`, { tokens, missing }),
  add: (pool: string, thing: GivenThing) => ask<Token>('POST', '/api/tokens', { pool, ...thing }),
  change: (id: string, change: ThingChange) => ask<Token>('PATCH', ofToken(id), change),
  delete: (id: string, force: boolean) => ask<unknown>('DELETE', `${ofToken(id)}?force=${force}`),
  deleteWhenFree: (id: string) => ask<Deletion>('DELETE', `${ofToken(id)}?when=when_free`),
  cleanup: (pool: string) => ask<{ released: number }>('POST', '/api/tokens/cleanup', { pool }),
};

/** A request for several tokens is answered with a list of grants. */
export const grantsOf = (granted: Grant): readonly Grant[] => granted.grants ?? [granted];

const get = <T>(path: string): Promise<T> => ask<T>('GET', path);

/**
 * Sends a request, and reads the server's clock from the answer.
 * @param madeAt extracts the instant of the answer by the database's clock, where the answer has it
 * @throws ApiError
 */
async function ask<T>(method: string, path: string, body?: object, madeAt?: (answer: T) => string): Promise<T> {
  const sent = serverClock.steady();
  const response = await fetch(serviceUrl(path), {
    method,
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { ...authorization(), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  }).catch(() => null);
  if (response === null) throw new ApiError(UNREACHABLE, 'the service cannot be reached');
  const received = serverClock.steady();
  serverClock.readDateHeader(response.headers.get('date'), sent, received);
  const answer: unknown = await response.json().catch(() => null);
  if (response.status === 401) keyRefused();
  if (!response.ok) throw refusal(response, answer);
  // Every answer of the service is an object. Anything else is truncated, or comes from a proxy.
  if (typeof answer !== 'object' || answer === null) throw new ApiError(UNREACHABLE, BROKEN_OFF);
  if (madeAt) serverClock.readAnswer(madeAt(answer as T), sent, received);
  return answer as T;
}

function refusal({ status, statusText }: Response, answer: unknown): ApiError {
  const { error, detail, begins_after, position_if_queued, not_later_than_if_queued } = (answer ?? {}) as {
    error?: unknown;
    detail?: unknown;
    begins_after?: number;
    position_if_queued?: number;
    not_later_than_if_queued?: string | null;
  };
  const place = position_if_queued && { position: position_if_queued, notLaterThan: not_later_than_if_queued ?? null };
  if (typeof error === 'string' && typeof detail === 'string') {
    return new ApiError(error, detail, begins_after, place || undefined);
  }
  return new ApiError(UNREACHABLE, `the service answered ${status} ${statusText}`);
}

function search(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
}
