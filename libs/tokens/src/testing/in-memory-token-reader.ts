// The reading port in memory, as far as the use cases read: where a token is, how a lease ended, what a pool is.

import { DomainError, seqUnknown } from '../kernel/domain-error.js';
import { toIso, type Instant } from '../kernel/instant.js';
import type { EndReason } from '../pool/token-event.js';
import { TokenReader, type Whereabouts } from '../reading/token-reader.js';
import { isOverdue } from '../pool/token.js';
import type { FeedPage, NewsView, OwnedEvent, PoolView } from '../reading/views.js';
import type { InMemoryTokenPoolRepository } from './in-memory-token-pool-repository.js';
import { eventView } from './views.js';

export class InMemoryTokenReader extends TokenReader {
  /** How often it was asked where a token is. */
  located = 0;

  /** @param poolNames the pools that there may be: those not made yet are passed over */
  constructor(
    private readonly repository: InMemoryTokenPoolRepository,
    private readonly clock: () => Instant,
    private readonly poolNames: readonly string[],
  ) {
    super();
  }

  /** Each answer is there at once. */
  until(): this {
    return this;
  }

  locate(tokenId: string): Promise<Whereabouts> {
    this.located++;
    for (const pool of this.#existing()) {
      const { tokens, events } = this.repository.look(pool);
      const isDeleted = !tokens.has(tokenId);
      if (!isDeleted || events.some((event) => event.tokenId === tokenId)) return Promise.resolve({ pool, isDeleted });
    }
    return refuse('token_not_found', `there is no token ${tokenId}`);
  }

  search = notRead;

  endOf(
    tokenId: string,
    leaseId: string,
    keyId: string | null = null,
  ): Promise<{ end_reason: EndReason; ended_at: string } | null> {
    const end = this.#existing()
      .flatMap((pool) => this.repository.look(pool).events)
      .find((event) => ['released', 'expired'].includes(event.event) && event.lease?.leaseId === leaseId);
    if (!end || end.tokenId !== tokenId || (keyId !== null && end.lease?.keyId !== keyId)) return Promise.resolve(null);
    return Promise.resolve({ end_reason: end.reason as EndReason, ended_at: toIso(end.occurredAt) });
  }

  pools(names: ReadonlySet<string> | null = null): Promise<PoolView[]> {
    const wanted = this.#existing().filter((poolName) => names === null || names.has(poolName));
    return Promise.resolve(wanted.map((poolName) => this.#view(poolName)));
  }

  pool(poolName: string): Promise<PoolView> {
    if (!this.#existing().includes(poolName)) return refuse('pool_not_found', `there is no pool ${poolName}`);
    return Promise.resolve(this.#view(poolName));
  }

  feed(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>> {
    const { events, state } = this.repository.look(poolName);
    if (after > state.lastSeq) return Promise.reject(seqUnknown(poolName, after, state.lastSeq, 0));
    const page = events.slice(after, after + limit).map((event) => eventView(poolName, event));
    return Promise.resolve({ pool: poolName, events: page, last_seq: state.lastSeq, restores: [] });
  }

  news(after: ReadonlyMap<string, number>, limit: number): Promise<NewsView[]> {
    const news = [...after].map(([pool, seq]) => {
      const events = this.repository.look(pool).events.slice(seq, seq + limit);
      const delay = events[0] ? this.clock() - events[0].recordedAt : 0;
      return { pool, events: events.map((event) => eventView(pool, event)), delay_seconds: delay / 1_000_000 };
    });
    return Promise.resolve(news.filter(({ events }) => events.length > 0));
  }

  leaseAges = notRead;
  stored = notRead;
  storedEvents = notRead;

  seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const existing = this.#existing().filter((name) => poolNames.includes(name));
    return Promise.resolve(new Map(existing.map((name) => [name, this.repository.look(name).state.lastSeq])));
  }

  feedBegins(): Promise<number> {
    return Promise.resolve(0);
  }
  tokenAsOf = notRead;
  poolAsOf = notRead;
  token = notRead;
  tokens = notRead;
  events = notRead;
  history = notRead;

  #existing(): string[] {
    return this.poolNames.filter((name) => this.repository.look(name) !== undefined);
  }

  #view(poolName: string): PoolView {
    const { state, tokens } = this.repository.look(poolName);
    const { policy } = state;
    const now = this.clock();
    const active = [...tokens.values()].filter(({ lease }) => lease && !isOverdue(lease, now)).length;
    return {
      name: policy.name,
      kind: policy.kind,
      size: policy.size,
      ttl_seconds: policy.ttlSeconds,
      renewable: policy.renewable,
      max_lifetime_seconds: policy.maxLifetimeSeconds,
      idle_ttl_seconds: policy.idleTtlSeconds,
      on_exhausted: policy.onExhausted,
      release_authority: policy.releaseAuthority,
      max_per_user: policy.maxPerUser,
      max_per_key: policy.maxPerKey,
      protect_seconds: policy.protectSeconds,
      evict: policy.evict,
      counts: { total: tokens.size, available: tokens.size - active, active },
      last_seq: state.lastSeq,
    };
  }
}

const refuse = (code: 'token_not_found' | 'token_deleted' | 'pool_not_found', detail: string): Promise<never> =>
  Promise.reject(new DomainError(code, detail));

const notRead = (): Promise<never> => Promise.reject(new Error('no use case reads this'));
