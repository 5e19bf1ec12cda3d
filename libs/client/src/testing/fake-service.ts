// A service in memory with one pool of one token and a line, under a clock that the test moves. It implements what a
// lease's keeper and those who wait use, behind a network as slow or as broken as the test needs. The tests in
// test/clients run against the real service.

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

/** The place of somebody who waits for the token. */
export interface FakeTicket {
  readonly id: string;
  readonly body: Body;
  patienceUntil: number;
  status: 'waiting' | 'offered' | 'granted' | 'ended';
  endReason: string | null;
  /** What it is offered. */
  lease: FakeLease | null;
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
  readonly tickets: FakeTicket[] = [];
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
  /** Ends the wait of the requests that are held. */
  readonly #held = new Set<() => void>();

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
    await this.#hold(pathname, body, signal);
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
    if (lease.endedAt !== null) return;
    Object.assign(lease, { endedAt: performance.now(), endReason: reason });
    this.#serve();
  }

  /** Ends as a process does that is asked to: it answers what it holds, and listens no more. */
  stop(): void {
    for (const wake of this.#held) wake();
    setTimeout(() => (this.network = 'refuses'), 100);
  }

  /** Allocates the token for another user, which evicts the present lease. */
  take(userId = '99999999-9999-4999-8999-999999999999'): FakeLease {
    const open = this.leases.find((lease) => lease.endedAt === null);
    if (open) Object.assign(open, { endedAt: performance.now(), endReason: 'lru_eviction' });
    return this.#grant({ user_id: userId });
  }

  /** Waits as long as the claim of a place asks, or until its turn comes. */
  async #hold(path: string, body: Body, signal: AbortSignal): Promise<void> {
    const isWaiting = (): boolean => this.#ticketAt(path)?.status === 'waiting';
    const seconds = Number(body['wait_seconds'] ?? 0);
    this.#settle();
    if (this.network !== 'up' || seconds === 0 || !isWaiting()) return;
    const ticket = this.#ticketAt(path) as FakeTicket;
    ticket.patienceUntil = performance.now() + (seconds + PATIENCE_SECONDS) * 1000;
    let wake: () => void = () => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#held.add(wake);
    await Promise.race([woken, after(seconds * 1000, signal)]);
    this.#held.delete(wake);
  }

  #ticketAt(path: string): FakeTicket | undefined {
    return this.tickets.find(({ id }) => path.includes(id));
  }

  /** Offers the token to the first in line if it is free. */
  #serve(): void {
    const next = this.tickets.find(({ status }) => status === 'waiting');
    if (!next || this.leases.some(({ endedAt }) => endedAt === null)) return;
    const lease = this.#grant({ ...next.body, ttl_seconds: CLAIM_SECONDS });
    Object.assign(next, { status: 'offered', lease });
    for (const wake of this.#held) wake();
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
    if (path === '/api/tokens/allocate') {
      const isBusy = this.leases.some(({ endedAt }) => endedAt === null);
      return isBusy && body['wait_seconds'] !== undefined ? this.#queue(body) : grantView(this.#grant(body));
    }
    if (path.startsWith('/api/tickets/')) return this.#ofTicket(method, this.#ticketAt(path) as FakeTicket, body);
    if (path === '/api/leases/verify') {
      const lease = this.leases.find(({ lease_id }) => lease_id === body['lease_id']);
      const valid = lease?.endedAt === null;
      return { valid, expires_in_ms: valid ? Math.round(lease.to - performance.now()) : null };
    }
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

  #queue(body: Body): object {
    const id = `33333333-3333-4333-8333-${String(this.tickets.length + 1).padStart(12, '0')}`;
    const patienceUntil = performance.now() + PATIENCE_SECONDS * 1000;
    const ticket: FakeTicket = { id, body, patienceUntil, status: 'waiting', endReason: null, lease: null };
    this.tickets.push(ticket);
    return this.#ticketView(ticket);
  }

  #ofTicket(method: string, ticket: FakeTicket, body: Body): object {
    const { status, lease } = ticket;
    const isOver = status === 'ended' || (lease !== null && lease.endedAt !== null);
    if (isOver || (method === 'DELETE' && status === 'granted')) {
      throw new Refusal(410, 'ticket_ended', { end_reason: ticket.endReason ?? 'granted' });
    }
    if (method === 'DELETE') {
      Object.assign(ticket, { status: 'ended', endReason: 'cancelled' });
      if (lease) this.end(lease, 'released_by_client');
      return { cancelled: true, ticket_id: ticket.id };
    }
    if (!lease) {
      const seconds = Number(body['wait_seconds'] ?? 0) + PATIENCE_SECONDS;
      ticket.patienceUntil = Math.max(ticket.patienceUntil, performance.now() + seconds * 1000);
      return this.#ticketView(ticket);
    }
    if (status === 'offered') {
      ticket.status = 'granted';
      lease.to = performance.now() + this.#length(ticket.body);
      this.#expireInTime(lease);
    }
    return grantView(lease);
  }

  #ticketView({ id, status, patienceUntil, endReason }: FakeTicket): object {
    const waiting = this.tickets.filter((ticket) => ticket.status === 'waiting');
    const position = waiting.findIndex((ticket) => ticket.id === id) + 1 || null;
    const queued_at = iso(0);
    const open = this.leases.find(({ endedAt }) => endedAt === null);
    return {
      ...{ id, pool: 'p', status, position, waiting: waiting.length, queued_at, count: 1, end_reason: endReason },
      ...{ not_later_than: open ? iso(open.to) : null, patience_until: iso(patienceUntil), claim_by: null },
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
      const unclaimed = this.tickets.find((ticket) => ticket.lease === lease && ticket.status === 'offered');
      if (unclaimed) Object.assign(unclaimed, { status: 'ended', endReason: 'unclaimed' });
    }
    for (const ticket of this.tickets) {
      if (ticket.status !== 'waiting' || ticket.patienceUntil > performance.now()) continue;
      Object.assign(ticket, { status: 'ended', endReason: 'patience' });
    }
    this.#serve();
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

const PATIENCE_SECONDS = 30;
const CLAIM_SECONDS = 10;
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
