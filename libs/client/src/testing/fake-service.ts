// A service in memory with one pool, under a clock that the test moves. It implements what a lease's keeper uses,
// behind a network as slow or as broken as the test needs. The tests in test/clients run against the real service.

import type { EndReason, ErrorCode, TokenUse } from '../api-types.js';

export interface FakeLease {
  readonly token_id: string;
  readonly user_id: string;
  readonly holder: string | null;
  readonly lease_id: string;
  readonly fence: number;
  /** In milliseconds of `performance.now()`, like all times in this file. */
  readonly from: number;
  to: number;
  endedAt: number | null;
  endReason: EndReason | null;
}

interface Policy {
  ttlSeconds: number;
  renewable: boolean;
  maxLifetimeSeconds: number;
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly error: ErrorCode,
    readonly fields: object = {},
  ) {
    super(error);
  }
}

type Body = Record<string, unknown>;

export class FakeService {
  readonly policy: Policy;
  readonly leases: FakeLease[] = [];
  /** Each request, such as `POST /api/tokens/allocate`, and when it arrived. */
  readonly requests: { readonly what: string; readonly at: number; readonly key: string | null }[] = [];
  /** How long a request and its response travel, in milliseconds. */
  latency: () => readonly [there: number, back: number] = () => [0, 0];
  /**
   * `refuses`: no server listens. `silent`: requests get lost. `mute`: requests have their effect, but
   * responses get lost. `busy`: the service responds 503.
   */
  network: 'up' | 'refuses' | 'silent' | 'mute' | 'busy' = 'up';
  /** Called at the instant when a lease expires. */
  onExpiry: (lease: FakeLease) => void = () => undefined;

  readonly #kept = new Map<string, Response>();

  constructor(policy: Partial<Policy> = {}) {
    this.policy = { ttlSeconds: 60, renewable: true, maxLifetimeSeconds: Infinity, ...policy };
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const { signal } = request;
    const { pathname } = new URL(request.url);
    const body = (request.body === null ? {} : await request.json()) as Body;
    const [there, back] = this.latency();
    await after(there, signal);
    if (this.network === 'refuses') throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
    if (this.network === 'silent') await after(Infinity, signal);
    const key = request.headers.get('idempotency-key');
    this.requests.push({ what: `${request.method} ${pathname}`, at: performance.now(), key });
    const answer = this.#answer(request.method, pathname, body, key);
    if (this.network === 'mute') throw new TypeError('terminated', { cause: { code: 'ECONNRESET' } });
    await after(back, signal);
    return answer;
  };

  /** When the requests of one kind have arrived. */
  asked(what: RegExp): number[] {
    return this.requests.filter((request) => what.test(request.what)).map(({ at }) => at);
  }

  /** Ends a lease, as another client's request does. */
  end(lease: FakeLease, reason: EndReason): void {
    this.#settle();
    if (lease.endedAt === null) Object.assign(lease, { endedAt: performance.now(), endReason: reason });
  }

  /** Allocates the token for another user, which evicts the present lease. */
  take(userId = '99999999-9999-4999-8999-999999999999'): FakeLease {
    const open = this.leases.find((lease) => lease.endedAt === null);
    if (open) this.end(open, 'lru_eviction');
    return this.#grant({ user_id: userId });
  }

  #answer(method: string, path: string, body: Body, key: string | null): Response {
    if (this.network === 'busy') return problem(new Refusal(503, 'unavailable'), { 'retry-after': '1' });
    const kept = key === null ? undefined : this.#kept.get(key);
    if (kept) {
      const headers = { 'content-type': 'application/json', 'idempotency-replayed': 'true' };
      return new Response(kept.clone().body, { status: kept.status, headers });
    }
    try {
      this.#settle();
      const response = Response.json(this.#decide(method, path, body));
      if (key !== null) this.#kept.set(key, response.clone());
      return response;
    } catch (error) {
      if (error instanceof Refusal) return problem(error);
      throw error;
    }
  }

  #decide(method: string, path: string, body: Body): object {
    if (path === '/api/tokens/allocate') return grantView(this.#grant(body));
    if (path === '/api/pools/p') return { name: 'p', renewable: this.policy.renewable, last_seq: 0 };
    const open = this.leases.find(({ endedAt }) => endedAt === null);
    if (method === 'GET' && path.endsWith('/history')) return { history: this.#uses(), next_cursor: null };
    if (method === 'GET') return { id: TOKEN, fence: open?.fence ?? null, history: this.#uses() };
    const meant = this.leases.find(({ lease_id }) => lease_id === body['lease_id']);
    if (!meant) throw new Refusal(409, 'stale_lease');
    if (meant !== open) {
      throw new Refusal(410, 'lease_ended', { end_reason: meant.endReason, ended_at: iso(meant.endedAt ?? 0) });
    }
    if (path.endsWith('/release')) {
      this.end(open, 'released_by_client');
      return { ok: true, token_id: TOKEN, status: 'available' };
    }
    if (!this.policy.renewable) throw new Refusal(409, 'not_renewable');
    const now = performance.now();
    const latest = open.from + this.policy.maxLifetimeSeconds * 1000;
    open.to = Math.max(open.to, Math.min(now + this.#length(body), latest));
    this.#expireInTime(open);
    return {
      token_id: TOKEN,
      user_id: open.user_id,
      holder: open.holder,
      fence: open.fence,
      renewed_at: iso(now),
      expires_at: iso(open.to),
    };
  }

  #grant(body: Body): FakeLease {
    const from = performance.now();
    const fence = this.leases.length + 1;
    const lease: FakeLease = {
      token_id: TOKEN,
      user_id: (body['user_id'] as string | undefined) ?? '11111111-1111-4111-8111-111111111111',
      holder: (body['holder'] as string | undefined) ?? null,
      lease_id: `00000000-0000-4000-8000-${String(fence).padStart(12, '0')}`,
      fence,
      from,
      to: from + this.#length(body),
      endedAt: null,
      endReason: null,
    };
    this.leases.push(lease);
    this.#expireInTime(lease);
    return lease;
  }

  #length(body: Body): number {
    return Math.min(Number(body['ttl_seconds'] ?? Infinity), this.policy.ttlSeconds) * 1000;
  }

  #expireInTime(lease: FakeLease): void {
    const { to } = lease;
    if (to - performance.now() < 2 ** 31) setTimeout(() => lease.to === to && this.#settle(), to - performance.now());
  }

  #settle(): void {
    for (const lease of this.leases) {
      if (lease.endedAt !== null || lease.to > performance.now()) continue;
      Object.assign(lease, { endedAt: lease.to, endReason: 'ttl_expired' });
      this.onExpiry(lease);
    }
  }

  #uses(): TokenUse[] {
    const uses = this.leases.map(({ user_id, holder, fence, from, endedAt, endReason }) => ({
      user_id,
      holder,
      fence,
      started_at: iso(from),
      ended_at: endedAt === null ? null : iso(endedAt),
      end_reason: endReason,
    }));
    return uses.reverse();
  }
}

const TOKEN = '22222222-2222-4222-8222-222222222222';

/** An instant by the service's wall clock, which differs from the client's. */
const iso = (at: number): string => new Date(Date.UTC(2030, 0, 1) + at).toISOString();

const grantView = ({ token_id, user_id, lease_id, fence, from, to }: FakeLease): object => ({
  token_id,
  user_id,
  pool: 'p',
  status: 'active',
  lease_id,
  fence,
  activated_at: iso(from),
  expires_at: iso(to),
  evicted: null,
  name: 'seat-1',
  attributes: { country: 'de' },
  secret: { pin: 'not to be printed' },
});

function problem({ status, error, fields }: Refusal, headers: Record<string, string> = {}): Response {
  const document = { type: `urn:x:${error}`, title: error, detail: error, request_id: 'r', status, error, ...fields };
  return Response.json(document, { status, headers });
}

function after(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    if (ms === 0) resolve();
    else if (ms < Infinity) setTimeout(resolve, ms);
  });
}
