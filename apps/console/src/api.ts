// The API as the console uses it: what it reads of the answers, and one function a route.

import { serverClock } from './server-clock.js';

export interface Policy {
  readonly size: number;
  readonly ttl_seconds: number;
  readonly renewable: boolean;
  readonly max_lifetime_seconds: number | null;
  readonly idle_ttl_seconds: number | null;
  readonly on_exhausted: 'evict_oldest' | 'reject';
  readonly release_authority: 'anyone' | 'holder';
}

export interface Pool extends Policy {
  readonly name: string;
  readonly kind: 'fixed' | 'elastic';
  readonly counts: { readonly total: number; readonly available: number; readonly active: number };
  readonly last_seq: number;
}

export interface Token {
  readonly id: string;
  readonly pool: string;
  readonly status: 'available' | 'active';
  readonly active_user_id: string | null;
  readonly last_activated_at: string | null;
  readonly expires_at: string | null;
  readonly fence: number | null;
}

export type EndReason = 'released_by_client' | 'lru_eviction' | 'cleanup' | 'ttl_expired' | 'deleted_by_client';

export interface PoolEvent {
  readonly id: string;
  readonly seq: number;
  readonly token_id: string;
  readonly event: 'activated' | 'renewed' | 'released' | 'expired' | 'generated' | 'deleted';
  readonly user_id: string | null;
  readonly fence: number | null;
  readonly reason: EndReason | 'allocated' | 'allocated_after_eviction' | 'idle_ttl' | null;
  readonly occurred_at: string;
  readonly recorded_at: string;
  readonly expires_at: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A token as one of its events tells it, whether or not it still exists. */
export interface TokenEvent extends PoolEvent {
  readonly pool: string;
}

export interface Use {
  readonly user_id: string;
  readonly fence: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly end_reason: EndReason | null;
}

export interface Grant {
  readonly token_id: string;
  readonly user_id: string;
  readonly pool: string;
  readonly lease_id: string;
  readonly fence: number;
  readonly activated_at: string;
  readonly expires_at: string;
  readonly evicted: { readonly user_id: string; readonly fence: number; readonly activated_at: string } | null;
}

export interface AllocateRequest {
  readonly pool: string;
  readonly user_id?: string;
  readonly ttl_seconds?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What must be true of the lease that is meant. */
export interface Claim {
  readonly lease_id?: string;
  readonly user_id?: string;
  readonly fence?: number;
}

/** A refusal of the service, or that it could not be asked. Its message is for people. */
export class ApiError extends Error {
  /** @param code the stable word of the refusal; `unreachable` when there was no answer */
  constructor(
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

export const UNREACHABLE = 'unreachable';

/** Beyond it a request counts as lost. */
const PATIENCE_MS = 15_000;

const inPool = (name: string): string => `/api/pools/${encodeURIComponent(name)}`;
const ofToken = (id: string): string => `/api/tokens/${encodeURIComponent(id)}`;

export const api = {
  pools: () => get<{ pools: Pool[] }>('/api/pools').then(({ pools }) => pools),
  pool: (name: string) => get<Pool>(inPool(name)),
  createPool: (pool: Partial<Policy> & { name: string; kind: Pool['kind'] }) => ask<Pool>('POST', '/api/pools', pool),
  changePool: (name: string, change: Partial<Policy>) => ask<Pool>('PATCH', inPool(name), change),
  feed: (name: string, after: number, limit: number) =>
    get<{ events: PoolEvent[]; last_seq: number }>(`${inPool(name)}/events?after=${after}&limit=${limit}`),
  /** Where the events of a pool are streamed, from the one after this `seq` on. */
  streamOf: (name: string, after: number) => `${inPool(name)}/events/stream?after=${after}`,

  tokens: (query: { pool: string; cursor?: string; user_id?: string; limit?: number }) =>
    get<{ tokens: Token[]; next_cursor: string | null }>(`/api/tokens?${search(query)}`),
  token: (id: string) => get<Token>(ofToken(id)),
  uses: (id: string, cursor?: string) =>
    get<{ history: Use[]; next_cursor: string | null }>(`${ofToken(id)}/history?${search({ limit: 50, cursor })}`),
  tokenEvents: (id: string, cursor?: string) =>
    get<{ events: TokenEvent[]; next_cursor: string | null }>(`${ofToken(id)}/events?${search({ limit: 50, cursor })}`),

  allocate: (request: AllocateRequest) =>
    ask<Grant>('POST', '/api/tokens/allocate', request, ({ activated_at }) => activated_at),
  release: (id: string, claim: Claim) => ask<unknown>('POST', `${ofToken(id)}/release`, claim),
  keepAlive: (id: string, claim: Claim & { ttl_seconds?: number }) =>
    ask<{ expires_at: string }>('POST', `${ofToken(id)}/keep-alive`, claim),
  generate: (pool: string) => ask<Token>('POST', '/api/tokens', { pool }),
  delete: (id: string, force: boolean) => ask<unknown>('DELETE', `${ofToken(id)}?force=${force}`),
  cleanup: (pool: string) => ask<{ released: number }>('POST', '/api/tokens/cleanup', { pool }),
};

const get = <T>(path: string): Promise<T> => ask<T>('GET', path);

/**
 * @param madeAt of answers that say when, by the database's clock, they were made
 * @throws ApiError
 */
async function ask<T>(method: string, path: string, body?: object, madeAt?: (answer: T) => string): Promise<T> {
  const sent = performance.now();
  const response = await fetch(path, {
    method,
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  }).catch(() => null);
  if (response === null) throw new ApiError(UNREACHABLE, 'the service cannot be reached');
  const received = performance.now();
  serverClock.readDateHeader(response.headers.get('date'), sent, received);
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response, answer);
  if (madeAt) serverClock.readAnswer(madeAt(answer as T), sent, received);
  return answer as T;
}

function refusal({ status, statusText }: Response, answer: unknown): ApiError {
  const { error, detail } = (answer ?? {}) as { error?: unknown; detail?: unknown };
  if (typeof error === 'string' && typeof detail === 'string') return new ApiError(error, detail);
  return new ApiError(UNREACHABLE, `the service answered ${status} ${statusText}`);
}

function search(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
}
