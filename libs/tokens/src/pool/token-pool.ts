// The aggregate: a pool, the tokens that a transaction loaded of it, and every rule about them.
// Pure: (state, command, now) → (state', events, result). No clock, no I/O; a refused command changes nothing.

import { randomUUID } from 'node:crypto';
import { AnswerBook } from './answer-book.js';
import { ANYBODY, OPEN, SYSTEM, type Caller } from '../kernel/caller.js';
import { DomainError } from '../kernel/domain-error.js';
import { Holdings, type Holding } from './holdings.js';
import { fromSeconds, secondsUntil, type Instant } from '../kernel/instant.js';
import { newLeaseId } from './lease-id.js';
import { openLease, type LeaseClaim } from './lease-claim.js';
import {
  changedPolicy,
  evictsOverShare,
  firstDeadline,
  protectedUntil,
  renewedDeadline,
  type PolicyChange,
  type PoolPolicy,
} from './pool-policy.js';
import type { PoolSlice, PoolState } from './pool-slice.js';
import { PoolTokens } from './pool-tokens.js';
import { Shares } from './shares.js';
import type { EndReason, DeleteReason, GrantReason, Metadata, TokenEvent, TokenEventKind } from './token-event.js';
import type { Lease, Token } from './token.js';
import { Turns } from './turns.js';

export interface AllocateRequest {
  readonly userId: string;
  /** Capped to the pool's. */
  readonly ttlSeconds?: number;
  readonly metadata?: Metadata;
}

export interface Grant extends Lease {
  readonly tokenId: string;
  /** The lease that had to go; null when a token was free. */
  readonly evicted: Lease | null;
}

export interface Renewal extends Lease {
  /** From when the new time counts. */
  readonly renewedAt: Instant;
}

export class TokenPool {
  readonly now: Instant;
  readonly events: TokenEvent[] = [];
  readonly answers: AnswerBook;
  /** Who asks for what is done next; null: the service itself. */
  caller: Caller | null = null;

  #state: PoolState;
  readonly #tokens: PoolTokens;
  readonly #turns: Turns;
  readonly #users: Holdings;
  readonly #keys: Holdings;
  #shares: Shares;
  #nextExpiryAt: Instant;

  private constructor(slice: PoolSlice) {
    this.now = slice.now;
    this.#state = slice.state;
    this.answers = new AnswerBook(slice.answers);
    this.#nextExpiryAt = slice.nextExpiryAt ?? Infinity;
    this.#tokens = new PoolTokens(slice.tokens);
    this.#turns = new Turns(this.#tokens.all(), this.now, (token) => this.#tokens.has(token));
    this.#users = new Holdings(slice.users ?? [], (lease) => lease.userId);
    this.#keys = new Holdings(slice.keys ?? [], (lease) => lease.keyId);
    this.#shares = new Shares(this.#users, this.#tokens);
  }

  /** From stored rows: runs no rules and writes nothing. */
  static restore(slice: PoolSlice): TokenPool {
    return new TokenPool(slice);
  }

  get state(): PoolState {
    return this.#state;
  }

  get policy(): PoolPolicy {
    return this.#state.policy;
  }

  get changed(): ReadonlySet<Token> {
    return this.#tokens.changed;
  }

  get generated(): ReadonlySet<Token> {
    return this.#tokens.generated;
  }

  get deleted(): ReadonlySet<Token> {
    return this.#tokens.deleted;
  }

  /**
   * All steps of `work` or none: when it throws, the pool is as it was before, but for the leases that were overdue, which
   * the clock ended.
   */
  atomically<T>(work: () => T): T {
    this.settle();
    const goBack = this.#savepoint();
    try {
      return work();
    } catch (error) {
      goBack();
      throw error;
    }
  }

  /**
   * Writes down what the clock has decided: overdue leases expire. Every command starts with it, so that no
   * answer needs the sweep.
   */
  settle(): void {
    for (const { token, lease } of this.#turns.takeDue()) this.#end(token, 'expired', 'ttl_expired', lease.expiresAt);
  }

  /**
   * Deletes tokens of an elastic pool that were free for too long. That is the sweep's to do, and of whoever
   * wants their place: until then they are as available as they are shown.
   */
  deleteIdle(most = Infinity): void {
    this.settle();
    if (this.policy.idleTtlSeconds === null) return;
    const idleSince = this.now - fromSeconds(this.policy.idleTtlSeconds);
    for (let next = this.#turns.longestFree(); next && next.since <= idleSince; next = this.#turns.longestFree()) {
      if (most-- <= 0) return;
      this.#remove(next.token, 'idle_ttl');
    }
  }

  /**
   * Grants the token that is free for the longest; in a full pool that evicts, the one of the smallest fence, or of
   * whoever holds the most.
   */
  allocate(request: AllocateRequest): Grant {
    this.settle();
    this.#mustBeWithinQuota(request.userId, this.#asker.keyId);
    const free = this.#turns.longestFree()?.token;
    if (free) return this.#activate(free, request, 'allocated', null);
    const isOverShare = evictsOverShare(this.policy);
    const victim = isOverShare ? this.#shares.first() : this.#turns.oldestLease();
    const evicted = victim?.lease;
    if (!evicted || this.policy.onExhausted === 'reject') throw this.#exhausted();
    const mayBeEvictedAt = protectedUntil(this.policy, evicted.activatedAt);
    if (mayBeEvictedAt > this.now) throw this.#exhausted(mayBeEvictedAt);
    this.#end(victim, 'released', isOverShare ? 'over_share_eviction' : 'lru_eviction');
    return this.#activate(victim, request, 'allocated_after_eviction', evicted);
  }

  release(tokenId: string, claim: LeaseClaim): void {
    this.settle();
    const token = this.#existing(tokenId);
    openLease(token, claim, this.policy, this.#asker);
    this.#end(token, 'released', 'released_by_client');
  }

  /** The new deadline counts from now, within the pool's TTL and the maximum lifetime, and is never earlier than the old one. */
  keepAlive(tokenId: string, claim: LeaseClaim, ttlSeconds?: number): Renewal {
    this.settle();
    const token = this.#existing(tokenId);
    const lease = openLease(token, claim, this.policy, this.#asker);
    if (claim.leaseId === undefined && claim.userId === undefined) {
      throw new DomainError('invalid_request', 'lease_id or user_id must be given to say whose lease to keep alive');
    }
    const renewed = { ...lease, expiresAt: renewedDeadline(this.policy, lease, this.now, ttlSeconds) };
    this.#tokens.change(token, { lease: renewed });
    this.#nextExpiryAt = Math.min(this.#nextExpiryAt, renewed.expiresAt);
    this.#record(token.id, 'renewed', null, this.now, renewed);
    return { ...renewed, renewedAt: this.now };
  }

  generate(): Token {
    this.settle();
    this.#mustBeElastic('generated');
    if (this.#state.tokenCount >= this.policy.size) this.deleteIdle(1);
    if (this.#state.tokenCount >= this.policy.size) {
      throw new DomainError('pool_limit_reached', `pool ${this.policy.name} has its ${this.policy.size} tokens`);
    }
    return this.#generate();
  }

  /** Makes up to `most` of the tokens that a fixed pool still lacks; says how many it lacks after that. */
  fill(most: number): number {
    if (this.policy.kind === 'elastic') return 0;
    for (let made = 0; made < most && this.#state.tokenCount < this.policy.size; made++) this.#generate();
    return this.policy.size - this.#state.tokenCount;
  }

  delete(tokenId: string, force: boolean): void {
    this.settle();
    this.#mustBeElastic('deleted');
    const token = this.#existing(tokenId);
    if (token.lease !== null) {
      if (!force) throw new DomainError('token_in_use', `token ${tokenId} is held; force=true ends its lease first`);
      this.#end(token, 'released', 'deleted_by_client');
    }
    this.#remove(token, 'deleted_by_client');
  }

  /** Ends the oldest active leases, at most `most`, of those granted up to `lastFence`; says how many. */
  releaseOldest(most: number, lastFence: number): number {
    this.settle();
    let released = 0;
    for (; released < most; released++) {
      const token = this.#turns.oldestLease();
      if (!token?.lease || token.lease.fence > lastFence) break;
      this.#end(token, 'released', 'cleanup');
    }
    return released;
  }

  changePolicy(change: PolicyChange): void {
    this.#state = { ...this.#state, policy: changedPolicy(this.policy, change) };
  }

  /** Returns the function that takes back everything done since; to be made when nothing is overdue. */
  #savepoint(): () => void {
    const [state, nextExpiryAt, events] = [this.#state, this.#nextExpiryAt, this.events.length];
    const tokens = this.#tokens.savepoint();
    const parts = [this.#turns, this.#users, this.#keys, this.answers].map((part) => part.savepoint());
    return () => {
      this.#state = state;
      this.#nextExpiryAt = nextExpiryAt;
      this.events.length = events;
      for (const goBack of parts) goBack();
      if (tokens()) this.#shares = new Shares(this.#users, this.#tokens);
    };
  }

  #activate(token: Token, request: AllocateRequest, reason: GrantReason, evicted: Lease | null): Grant {
    const fence = this.#state.lastFence + 1;
    const expiresAt = firstDeadline(this.policy, this.now, request.ttlSeconds);
    const lease = {
      leaseId: newLeaseId(fence),
      userId: request.userId,
      keyId: this.#asker.keyId,
      fence,
      activatedAt: this.now,
      expiresAt,
    };
    this.#tokens.change(token, { lease, lastActivatedAt: this.now });
    this.#state = { ...this.#state, lastFence: fence, leaseCount: this.#state.leaseCount + 1 };
    this.#nextExpiryAt = Math.min(this.#nextExpiryAt, expiresAt);
    this.#turns.granted(token, lease);
    this.#users.granted(lease);
    this.#keys.granted(lease);
    this.#shares.granted(token, lease);
    this.#record(token.id, 'activated', reason, this.now, lease, request.metadata);
    return { ...lease, tokenId: token.id, evicted };
  }

  #end(token: Token, event: 'released' | 'expired', reason: EndReason, at: Instant = this.now): void {
    const lease = token.lease as Lease;
    this.#tokens.change(token, { lease: null, freeSince: at });
    this.#state = { ...this.#state, leaseCount: this.#state.leaseCount - 1 };
    // An expired lease's place in the line was taken when the pool was restored: by its deadline.
    if (event === 'released') {
      this.#turns.freed(token, at);
      this.#users.released(lease);
      this.#keys.released(lease);
    }
    this.#record(token.id, event, reason, at, lease);
  }

  #generate(): Token {
    const token: Token = { id: randomUUID(), lease: null, freeSince: this.now, lastActivatedAt: null };
    this.#tokens.add(token);
    this.#state = { ...this.#state, tokenCount: this.#state.tokenCount + 1 };
    this.#turns.freed(token, this.now);
    this.#record(token.id, 'generated', null, this.now, null);
    return token;
  }

  #remove(token: Token, reason: DeleteReason): void {
    this.#tokens.remove(token);
    this.#state = { ...this.#state, tokenCount: this.#state.tokenCount - 1 };
    this.#record(token.id, 'deleted', reason, this.now, null);
  }

  #record(
    tokenId: string,
    event: TokenEventKind,
    reason: TokenEvent['reason'],
    occurredAt: Instant,
    lease: Lease | null,
    metadata: Metadata | null = null,
  ): void {
    const seq = this.#state.lastSeq + 1;
    this.#state = { ...this.#state, lastSeq: seq };
    const decidedByClock = reason === 'ttl_expired' || reason === 'idle_ttl';
    const caller = decidedByClock ? null : this.caller;
    const actor = caller === null ? SYSTEM : (caller.keyId ?? OPEN);
    const requestId = caller && caller.requestId;
    const { tokenCount: tokensAfter, leaseCount: leasesAfter } = this.#state;
    this.events.push({
      seq,
      tokenId,
      event,
      reason,
      occurredAt,
      lease,
      actor,
      requestId,
      tokensAfter,
      leasesAfter,
      metadata,
    });
  }

  get #asker(): Caller {
    return this.caller ?? ANYBODY;
  }

  /** Callers name only tokens that are or were in this pool: one that is not there any more was deleted. */
  #existing(tokenId: string): Token {
    const token = this.#tokens.get(tokenId);
    if (!token) throw new DomainError('token_deleted', `token ${tokenId} was deleted`);
    return token;
  }

  #mustBeElastic(done: string): void {
    if (this.policy.kind === 'fixed') {
      throw new DomainError('pool_is_fixed', `tokens of the fixed pool ${this.policy.name} cannot be ${done}`);
    }
  }

  #mustBeWithinQuota(userId: string, keyId: string | null): void {
    const { maxPerUser, maxPerKey } = this.policy;
    if (maxPerUser !== null) this.#mustHoldLess(this.#users.of(userId), maxPerUser, `user ${userId} holds`);
    if (maxPerKey !== null && keyId !== null) {
      this.#mustHoldLess(this.#keys.of(keyId), maxPerKey, 'the leases taken with this key are');
    }
  }

  #mustHoldLess({ leases, nextExpiryAt }: Holding, most: number, who: string): void {
    if (leases < most) return;
    const detail = `${who} as many leases as pool ${this.policy.name} allows, ${most}`;
    throw new DomainError('quota_exceeded', detail, { retryAfterSeconds: this.#secondsUntil(nextExpiryAt) });
  }

  /** @param mayBeEvictedAt when the protection ends of the lease whose turn it is; without one the pool evicts none */
  #exhausted(mayBeEvictedAt = Infinity): DomainError {
    const why = mayBeEvictedAt === Infinity ? 'the pool does not evict' : 'the lease whose turn it is is protected';
    return new DomainError('pool_exhausted', `no token of pool ${this.policy.name} is free, and ${why}`, {
      retryAfterSeconds: this.#secondsUntil(Math.min(this.#nextExpiryAt, mayBeEvictedAt)),
    });
  }

  #secondsUntil(instant: Instant | null): number | undefined {
    return instant === null || instant === Infinity ? undefined : secondsUntil(this.now, instant);
  }
}
