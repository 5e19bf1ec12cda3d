// The aggregate: a pool, those of its tokens that a transaction loaded, and every rule about them. It is pure:
// (state, command, now) → (state', events, result), without a clock or I/O. A refused command changes nothing.

import { randomUUID } from 'node:crypto';
import { IdempotencyRecords } from './idempotency-records.js';
import { ANYBODY, OPEN, SYSTEM, type Caller } from '../kernel/caller.js';
import { DomainError, poolDeleted, tokenDeleted, tokenNotFound } from '../kernel/domain-error.js';
import { LeaseCounts, type LeaseCount } from './lease-counts.js';
import { fromSeconds, secondsUntil, type Instant } from '../kernel/instant.js';
import { newLeaseId } from './lease-id.js';
import { openLease, type LeaseClaim, type ReleaseRequest } from './lease-claim.js';
import { differenceOf, toWire } from './policy-fields.js';
import * as refusals from './refusals.js';
import type { AllocateRequest, Grant, ImportResult, OpenLeaseName, Renewal } from './requests.js';
import * as things from './thing.js';
import type { GivenThing, Selector, Thing, ThingChange } from './thing.js';
import {
  changedPolicy,
  evictsOverShare,
  firstDeadline,
  protectedUntil,
  renewedDeadline,
  type PolicyChange,
  type PoolPolicy,
} from './pool-policy.js';
import { isDraining, type PoolSlice, type PoolState } from './pool-slice.js';
import { PoolTokens } from './pool-tokens.js';
import { FairShareOrder } from './fair-share-order.js';
import type {
  EndReason,
  DeleteReason,
  Eviction,
  GrantReason,
  Metadata,
  TokenEvent,
  TokenEventKind,
} from './token-event.js';
import type { Lease, Token } from './token.js';
import { Candidates } from './candidates.js';

/**
 * The only leases that a selection could evict are those of the same transaction: its command must wait for the next
 * one, so that no grant is evicted by its own batch.
 */
export class LeaseOfBatch extends Error {}

export class TokenPool {
  readonly now: Instant;
  readonly events: TokenEvent[] = [];
  readonly idempotencyRecords: IdempotencyRecords;
  /** The caller of the next command; null stands for the service itself. */
  caller: Caller | null = null;

  #state: PoolState;
  readonly #tokens: PoolTokens;
  readonly #candidates: Candidates;
  readonly #users: LeaseCounts;
  readonly #keys: LeaseCounts;
  #fairShares: FairShareOrder;
  /** Of the leases that the slice does not have. */
  readonly #nextExpiryAt: Instant;
  /** The fence of the last grant before this transaction. */
  readonly #fenceBefore: number;

  private constructor(slice: PoolSlice) {
    this.now = slice.now;
    this.#state = slice.state;
    this.idempotencyRecords = new IdempotencyRecords(slice.idempotencyRecords);
    this.#nextExpiryAt = slice.nextExpiryAt ?? Infinity;
    this.#fenceBefore = slice.state.lastFence;
    this.#tokens = new PoolTokens(slice.tokens);
    this.#candidates = new Candidates(this.#tokens.all(), this.now, (token) => this.#tokens.has(token));
    this.#users = new LeaseCounts(slice.users ?? [], (lease) => lease.userId);
    this.#keys = new LeaseCounts(slice.keys ?? [], (lease) => lease.keyId);
    this.#fairShares = new FairShareOrder(this.#users, this.#tokens);
  }

  /** Restores a pool from stored rows. Checks no rules and records no events. */
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

  /** The tokens whose thing has changed. */
  get described(): ReadonlySet<Token> {
    return this.#tokens.described;
  }

  get generated(): ReadonlySet<Token> {
    return this.#tokens.generated;
  }

  get deleted(): ReadonlySet<Token> {
    return this.#tokens.deleted;
  }

  /**
   * Does all steps of `work` or none: if it throws, the pool is as it was before, except that overdue leases have
   * expired.
   */
  atomically<T>(work: () => T): T {
    this.settle();
    const restore = this.#savepoint();
    try {
      return work();
    } catch (error) {
      restore();
      throw error;
    }
  }

  /**
   * Expires the overdue leases. Every command starts with this, so that no answer depends on when the sweep runs.
   */
  settle(): void {
    for (const { token, lease } of this.#candidates.takeOverdue())
      this.#giveBack(token, 'expired', 'ttl_expired', lease.expiresAt);
  }

  /**
   * Deletes tokens of an elastic pool that have been free for longer than `idleTtlSeconds`, longest free first. The
   * sweep does this, and `generate` when the pool is full. Until then these tokens are available.
   * @param most the most tokens to delete
   */
  deleteIdle(most = Infinity): void {
    this.settle();
    if (this.policy.idleTtlSeconds === null || !this.#isLive) return;
    const idleSince = this.now - fromSeconds(this.policy.idleTtlSeconds);
    for (
      let next = this.#candidates.longestFree();
      next && next.since <= idleSince;
      next = this.#candidates.longestFree()
    ) {
      if (most-- <= 0) return;
      this.#remove(next.token, 'idle_ttl');
    }
  }

  /**
   * Grants the token that has been free for the longest, of all or of those that are selected, or a certain one. A full
   * pool that evicts ends the oldest lease first, or, by its policy, the oldest lease of the user who holds the most. A
   * pool that drains to a smaller size evicts none, and keeps as many free tokens as it has too many. A lease on a
   * certain token is never evicted for another, nor one on a token that is deleted at its end.
   * @throws DomainError `pool_deleted`, `pool_paused`, `quota_exceeded`, `pool_exhausted`; `token_not_found`,
   * `token_in_use` for a certain token; `unsatisfiable` for a selection
   * @throws LeaseOfBatch
   */
  allocate(request: AllocateRequest): Grant {
    this.settle();
    this.#mustLive();
    if (this.policy.status === 'paused') throw refusals.poolPaused(this.policy);
    this.#mustBeWithinQuota(request.userId, this.#callerOrAnybody.keyId);
    const mustKeepFree = isDraining(this.#state) && this.#state.leaseCount >= this.policy.size;
    if (request.tokenId !== undefined || request.name !== undefined) {
      const token = this.#named(request);
      if (mustKeepFree) throw this.#exhausted('the pool shrinks to its size at the ends of leases');
      return this.#activate(token, request, 'allocated', null);
    }
    const { select } = request;
    const isSelected = select && (({ thing }: Token) => things.isSelected(thing?.attributes, select));
    const free = mustKeepFree ? undefined : this.#candidates.longestFree(isSelected);
    if (free) return this.#activate(free.token, request, 'allocated', null);
    // The slice has at least one token of each selection, if there is one.
    if (isSelected && !this.#tokens.all().some(isSelected)) throw refusals.unsatisfiable(this.policy);
    if (isDraining(this.#state)) throw this.#exhausted('the pool shrinks to its size at the ends of leases', request);
    const [victim, reason] = this.#victim(isSelected);
    const evicted = victim?.lease;
    if (!evicted || this.policy.onExhausted === 'reject') throw this.#exhausted('the pool does not evict', request);
    const mayBeEvictedAt = protectedUntil(this.policy, evicted.activatedAt);
    if (mayBeEvictedAt > this.now) {
      throw this.#exhausted('the lease whose turn it is is protected', request, mayBeEvictedAt);
    }
    if (select && evicted.fence > this.#fenceBefore) throw new LeaseOfBatch();
    this.#end(victim, 'released', reason, this.now, select ? { select } : null);
    return this.#activate(victim, request, 'allocated_after_eviction', evicted);
  }

  /**
   * Ends a lease: by force, the reason is `revoked`. Returns whether its token is deleted with it.
   * @throws DomainError `token_deleted`, and what `openLease` throws
   */
  release(tokenId: string, request: ReleaseRequest): boolean {
    this.settle();
    const token = this.#existing(tokenId);
    openLease(token, request, this.policy, this.#callerOrAnybody);
    const { force, note } = request;
    this.#giveBack(token, 'released', force ? 'revoked' : 'released_by_client', this.now, noted(note));
    return !this.#tokens.has(token);
  }

  /** Ends a lease whose grant did not reach its caller, if it is still open: nobody knows that it is held. */
  giveBack(tokenId: string, leaseId: string): void {
    this.settle();
    const token = this.#tokens.get(tokenId);
    if (token?.lease?.leaseId === leaseId) this.#giveBack(token, 'released', 'undelivered');
  }

  /**
   * Ends those of the leases that are still open, and returns how many. A token that is gone, or that has another lease
   * by now, stays as it is.
   */
  revoke(leases: readonly OpenLeaseName[], note?: string): number {
    this.settle();
    let revoked = 0;
    for (const { tokenId, fence } of leases) {
      const token = this.#tokens.get(tokenId);
      if (token?.lease?.fence !== fence) continue;
      this.#giveBack(token, 'released', 'revoked', this.now, noted(note));
      revoked++;
    }
    return revoked;
  }

  /**
   * Renews a lease. The new deadline counts from now, stays within the pool's TTL and maximum lifetime, and is never
   * earlier than the old one.
   * @throws DomainError `token_deleted`, `invalid_request`, `not_renewable`, and what `openLease` throws
   */
  keepAlive(tokenId: string, claim: LeaseClaim, ttlSeconds?: number): Renewal {
    this.settle();
    const token = this.#existing(tokenId);
    const lease = openLease(token, claim, this.policy, this.#callerOrAnybody);
    if (claim.leaseId === undefined && claim.userId === undefined) {
      throw new DomainError('invalid_request', 'lease_id or user_id must be given to say whose lease to keep alive');
    }
    const renewed = { ...lease, expiresAt: renewedDeadline(this.policy, lease, this.now, ttlSeconds) };
    this.#tokens.change(token, { lease: renewed });
    this.#record(token.id, 'renewed', null, this.now, renewed);
    return { ...renewed, renewedAt: this.now };
  }

  /** @throws DomainError `pool_deleted`, `pool_is_fixed`, `invalid_request`, `pool_limit_reached` */
  generate(): Token {
    this.settle();
    this.#mustLive();
    this.#mustNotBeFixed('generated');
    if (this.policy.kind === 'listed') throw refusals.nameMissing(this.policy);
    if (this.#state.tokenCount >= this.policy.size) this.deleteIdle(1);
    if (this.#state.tokenCount >= this.policy.size) throw refusals.limitReached(this.policy);
    return this.#generate();
  }

  /**
   * Puts a thing into a listed pool.
   * @throws DomainError `pool_deleted`, `pool_not_listed`, `token_exists`, `pool_limit_reached`
   */
  add(given: GivenThing): Token {
    this.settle();
    this.#mustLive();
    this.#mustBeListed();
    if (this.#find(given.name)) throw refusals.tokenExists(this.policy, given.name);
    return this.#add(given);
  }

  /**
   * Changes the name, the attributes or the secret of a thing, held or not. It records what differs, and nothing when
   * nothing does.
   * @throws DomainError `token_deleted`, `pool_not_listed`, `token_exists`
   */
  describe(tokenId: string, change: ThingChange): void {
    this.settle();
    if (this.#isLive) this.#mustBeListed();
    const token = this.#existing(tokenId);
    const other = change.name === undefined ? undefined : this.#find(change.name);
    if (other && other !== token) throw refusals.tokenExists(this.policy, change.name as string);
    this.#describe(token, change);
  }

  /**
   * Puts things into a listed pool, and changes those that are there already.
   * @param given things with different names
   * @param deletesMissing whether all other tokens are deleted, a held one at the end of its lease. The pool must have
   * been loaded as a whole then.
   * @throws DomainError `pool_deleted`, `pool_not_listed`, `pool_limit_reached`
   */
  import(given: readonly GivenThing[], deletesMissing: boolean): ImportResult {
    this.settle();
    this.#mustLive();
    this.#mustBeListed();
    const byName = new Map(this.#tokens.all().map((token) => [token.thing?.name, token]));
    const names = new Set(given.map(({ name }) => name));
    let [added, changed, deleted, draining] = [0, 0, 0, 0];
    // The pool first deletes what is missing, so that the new things find room.
    const missing = deletesMissing ? [...byName].filter(([name]) => !names.has(name as string)) : [];
    for (const [, token] of missing.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))) {
      if (this.#deleteWhenFree(token)) deleted++;
      else draining++;
    }
    for (const one of given) {
      const token = byName.get(one.name);
      if (!token) {
        this.#add(one);
        added++;
        continue;
      }
      const wasLeaving = token.isLeaving === true;
      if (wasLeaving) this.#drain(token, false);
      if (this.#describe(token, one) || wasLeaving) changed++;
    }
    return { added, changed, unchanged: given.length - added - changed, deleted, draining };
  }

  /** Generates up to `most` of the tokens that a fixed pool still lacks, and returns how many it lacks after that. */
  fill(most: number): number {
    if (this.policy.kind !== 'fixed' || !this.#isLive) return 0;
    for (let generated = 0; generated < most && this.#state.tokenCount < this.policy.size; generated++)
      this.#generate();
    return Math.max(0, this.policy.size - this.#state.tokenCount);
  }

  /**
   * Deletes the tokens that the pool has beyond its size and that are free, longest free first. Returns whether there
   * may be more of them.
   * @param most the most tokens to delete
   */
  shrink(most: number): boolean {
    this.settle();
    for (let deleted = 0; this.#isLive && isDraining(this.#state); deleted++) {
      if (deleted === most) return true;
      const free = this.#candidates.longestFree();
      if (!free) return false;
      this.#remove(free.token, 'shrunk');
    }
    return false;
  }

  /**
   * Deletes a token now, or a held one at the end of its lease, and returns whether it is deleted.
   * @throws DomainError `pool_is_fixed`, `token_deleted`
   */
  deleteWhenFree(tokenId: string): boolean {
    this.settle();
    if (this.#isLive) this.#mustNotBeFixed('deleted');
    return this.#deleteWhenFree(this.#existing(tokenId));
  }

  /**
   * @param force also deletes a token that is held, and ends its lease first
   * @throws DomainError `pool_is_fixed`, `token_deleted`, `token_in_use`
   */
  delete(tokenId: string, force: boolean): void {
    this.settle();
    if (this.#isLive) this.#mustNotBeFixed('deleted');
    const token = this.#existing(tokenId);
    if (token.lease !== null) {
      if (!force) throw refusals.tokenHeld(tokenId);
      this.#end(token, 'released', 'deleted_by_client');
    }
    this.#remove(token, 'deleted_by_client');
  }

  /**
   * Ends the oldest open leases up to `lastFence`, at most `most`, and returns how many it ended.
   * @throws DomainError `pool_deleted`
   */
  releaseOldest(most: number, lastFence: number): number {
    this.settle();
    this.#mustLive();
    let released = 0;
    for (; released < most; released++) {
      const token = this.#candidates.oldestLease();
      if (!token?.lease || token.lease.fence > lastFence) break;
      this.#giveBack(token, 'released', 'cleanup');
    }
    return released;
  }

  /**
   * Records what differs, and nothing when nothing does.
   * @throws DomainError `pool_deleted`; `invalid_request` when the change breaks a rule
   */
  changePolicy(change: PolicyChange): void {
    this.#mustLive();
    const policy = changedPolicy(this.policy, change);
    const difference = differenceOf(this.policy, policy);
    if (difference === null) return;
    this.#state = { ...this.#state, policy };
    this.#record(null, 'policy_changed', null, this.now, null, difference);
  }

  /**
   * Begins to delete the pool; `deleteRest` does it. From now on nothing is granted and every command is refused.
   * @param force also deletes a pool with open leases
   * @throws DomainError `pool_deleted`, `token_in_use`
   */
  beginDeletion(force: boolean): void {
    this.settle();
    this.#mustLive();
    if (!force && this.#candidates.oldestLease()) throw refusals.tokensHeld(this.policy, this.#state.leaseCount);
    this.#state = { ...this.#state, life: 'deleting' };
  }

  /**
   * Ends leases and deletes tokens of a pool whose deletion has begun. With the last token the pool is deleted. Returns
   * whether there may be more tokens.
   * @param most the most tokens to delete
   */
  deleteRest(most: number): boolean {
    this.settle();
    if (this.#state.life !== 'deleting') return false;
    let deleted = 0;
    for (; deleted < most; deleted++) {
      const token = this.#candidates.longestFree()?.token ?? this.#candidates.oldestLease();
      if (!token) break;
      if (token.lease !== null) this.#end(token, 'released', 'pool_deleted');
      this.#remove(token, 'pool_deleted');
    }
    if (this.#state.tokenCount > 0) return deleted > 0;
    this.#state = { ...this.#state, life: 'deleted' };
    const { kind } = this.policy;
    this.#record(null, 'pool_deleted', null, this.now, null, { kind, before: toWire(this.policy) });
    return false;
  }

  /**
   * Opens a deleted pool again, with another policy. `seq` and `fence` go on.
   * @throws DomainError `pool_exists`
   */
  reopen(policy: PoolPolicy): void {
    if (this.#state.life === 'deleting') throw refusals.stillDeleting(policy);
    if (this.#isLive) throw refusals.poolExists(policy);
    this.#state = { ...this.#state, policy, life: 'live' };
    this.#record(null, 'pool_opened', null, this.now, null, { kind: policy.kind, after: toWire(policy) });
  }

  /** Returns a function that takes back every later change. The caller must have expired the overdue leases. */
  #savepoint(): () => void {
    const [state, events] = [this.#state, this.events.length];
    const tokens = this.#tokens.savepoint();
    const parts = [this.#candidates, this.#users, this.#keys, this.idempotencyRecords].map((part) => part.savepoint());
    return () => {
      this.#state = state;
      this.events.length = events;
      for (const restore of parts) restore();
      if (tokens()) this.#fairShares = new FairShareOrder(this.#users, this.#tokens);
    };
  }

  #activate(token: Token, request: AllocateRequest, reason: GrantReason, evicted: Lease | null): Grant {
    const fence = this.#state.lastFence + 1;
    const expiresAt = firstDeadline(this.policy, this.now, request.ttlSeconds);
    const lease = {
      leaseId: newLeaseId(fence),
      userId: request.userId,
      holder: request.holder ?? null,
      keyId: this.#callerOrAnybody.keyId,
      fence,
      activatedAt: this.now,
      expiresAt,
    };
    this.#tokens.change(token, { lease, lastActivatedAt: this.now });
    this.#state = { ...this.#state, lastFence: fence, leaseCount: this.#state.leaseCount + 1 };
    this.#candidates.granted(token, lease);
    this.#users.granted(lease);
    this.#keys.granted(lease);
    this.#fairShares.granted(token, lease);
    this.#record(token.id, 'activated', reason, this.now, lease, request.metadata);
    const { name = null, attributes = null, secret = null } = token.thing ?? {};
    return { ...lease, tokenId: token.id, name, attributes, secret, evicted };
  }

  /** The free token that a request names. @throws DomainError `token_not_found`, `token_in_use` */
  #named({ tokenId, name }: AllocateRequest): Token {
    const token = tokenId === undefined ? this.#find(name as string) : this.#tokens.get(tokenId);
    if (!token)
      throw tokenId === undefined ? refusals.noTokenOfName(this.policy, name as string) : tokenNotFound(tokenId);
    if (token.lease) throw refusals.tokenInUse(name ?? token.id, this.#secondsUntil(token.lease.expiresAt));
    return token;
  }

  /** The token whose lease a full pool evicts next, and the reason. */
  #victim(isSelected?: (token: Token) => boolean): [Token | undefined, Eviction] {
    if (isSelected) {
      return [this.#candidates.oldestLease((token) => !token.isLeaving && isSelected(token)), 'selected_eviction'];
    }
    if (evictsOverShare(this.policy)) return [this.#fairShares.first(), 'over_share_eviction'];
    return [this.#candidates.oldestLease(({ isLeaving }) => !isLeaving), 'lru_eviction'];
  }

  #end(
    token: Token,
    event: 'released' | 'expired',
    reason: EndReason,
    at: Instant = this.now,
    metadata: Metadata | null = null,
  ): void {
    const lease = token.lease as Lease;
    this.#tokens.change(token, { lease: null, freeSince: at });
    this.#state = { ...this.#state, leaseCount: this.#state.leaseCount - 1 };
    // The candidates and counts have taken overdue leases into account since the pool was restored.
    if (event === 'released') {
      this.#candidates.freed(token, at);
      this.#users.released(lease);
      this.#keys.released(lease);
    }
    this.#record(token.id, event, reason, at, lease, metadata);
  }

  /**
   * Ends a lease, and deletes the token with it if it waits for that, or if the pool has more tokens than its size. The
   * caller of the end has not decided that.
   */
  #giveBack(
    token: Token,
    event: 'released' | 'expired',
    reason: EndReason,
    at?: Instant,
    metadata?: Metadata | null,
  ): void {
    this.#end(token, event, reason, at, metadata);
    if (token.isLeaving) this.#remove(token, 'removed', null);
    else if (this.#isLive && isDraining(this.#state)) this.#remove(token, 'shrunk', null);
  }

  #deleteWhenFree(token: Token): boolean {
    if (token.lease) {
      if (!token.isLeaving) this.#drain(token, true);
      return false;
    }
    this.#remove(token, 'removed');
    return true;
  }

  #drain(token: Token, isLeaving: boolean): void {
    this.#tokens.change(token, { isLeaving });
    const difference = { before: { draining: !isLeaving }, after: { draining: isLeaving } };
    this.#record(token.id, 'described', null, this.now, null, difference);
  }

  #generate(thing?: Thing, id: string = randomUUID()): Token {
    const token: Token = { id, lease: null, freeSince: this.now, lastActivatedAt: null, ...(thing && { thing }) };
    this.#tokens.add(token);
    this.#state = { ...this.#state, tokenCount: this.#state.tokenCount + 1 };
    this.#candidates.freed(token, this.now);
    const metadata = thing ? { name: thing.name, attributes: thing.attributes } : null;
    this.#record(token.id, 'generated', null, this.now, null, metadata);
    return token;
  }

  /** @throws DomainError `pool_limit_reached` */
  #add({ name, attributes = {}, secret }: GivenThing): Token {
    if (this.#state.tokenCount >= this.policy.size) throw refusals.limitReached(this.policy);
    const id = randomUUID();
    return this.#generate({ name, attributes, secret: secret ? secret.sealFor(id) : null }, id);
  }

  /** Returns whether anything differs. */
  #describe(token: Token, change: ThingChange): boolean {
    const before = token.thing as Thing;
    const after = things.changedThing(before, change, token.id);
    const difference = things.differenceOf(before, after);
    if (difference === null) return false;
    this.#tokens.describe(token, after);
    this.#record(token.id, 'described', null, this.now, null, { ...difference });
    return true;
  }

  #find(name: string): Token | undefined {
    return this.#tokens.all().find(({ thing }) => thing?.name === name);
  }

  #remove(token: Token, reason: DeleteReason, caller = this.caller): void {
    this.#tokens.remove(token);
    this.#state = { ...this.#state, tokenCount: this.#state.tokenCount - 1 };
    this.#record(token.id, 'deleted', reason, this.now, null, null, caller);
  }

  #record(
    tokenId: string | null,
    event: TokenEventKind,
    reason: TokenEvent['reason'],
    occurredAt: Instant,
    lease: Lease | null,
    metadata: Metadata | null = null,
    by = this.caller,
  ): void {
    const seq = this.#state.lastSeq + 1;
    this.#state = { ...this.#state, lastSeq: seq };
    const decidedByClock = reason === 'ttl_expired' || reason === 'idle_ttl';
    const caller = decidedByClock ? null : by;
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

  get #callerOrAnybody(): Caller {
    return this.caller ?? ANYBODY;
  }

  /** The caller has located the token in this pool, so a token that is missing was deleted. */
  #existing(tokenId: string): Token {
    const token = this.#isLive ? this.#tokens.get(tokenId) : undefined;
    if (!token) throw tokenDeleted(tokenId);
    return token;
  }

  get #isLive(): boolean {
    return this.#state.life === 'live';
  }

  #mustLive(): void {
    if (!this.#isLive) throw poolDeleted(this.policy.name);
  }

  #mustBeListed(): void {
    if (this.policy.kind !== 'listed') throw refusals.notListed(this.policy);
  }

  #mustNotBeFixed(action: string): void {
    if (this.policy.kind === 'fixed') throw refusals.poolIsFixed(this.policy, action);
  }

  #mustBeWithinQuota(userId: string, keyId: string | null): void {
    const { maxPerUser, maxPerKey } = this.policy;
    if (maxPerUser !== null) this.#mustHoldLess(this.#users.of(userId), maxPerUser, `user ${userId} holds`);
    if (maxPerKey !== null && keyId !== null) {
      this.#mustHoldLess(this.#keys.of(keyId), maxPerKey, 'the leases taken with this key are');
    }
  }

  #mustHoldLess({ leases, nextExpiryAt }: LeaseCount, most: number, holder: string): void {
    if (leases >= most) throw refusals.overQuota(this.policy, holder, most, this.#secondsUntil(nextExpiryAt));
  }

  /** @param mayBeEvictedAt when the protection of the next victim ends; Infinity when the pool does not evict */
  #exhausted(why: string, { select }: Partial<AllocateRequest> = {}, mayBeEvictedAt = Infinity): DomainError {
    const deadline = this.#nextDeadline(select);
    const mayBeLater =
      this.policy.renewable && deadline < mayBeEvictedAt ? '; the lease that ends next may be renewed' : '';
    const what = select ? 'no token with what is selected' : 'no token';
    return new DomainError('pool_exhausted', `${what} of pool ${this.policy.name} is free, and ${why}${mayBeLater}`, {
      retryAfterSeconds: this.#secondsUntil(Math.min(deadline, mayBeEvictedAt)),
    });
  }

  /**
   * The earliest deadline of the pool's open leases, or of those on tokens that are selected, as the commands before
   * this one have left them; Infinity without one. If no lease can be renewed, a token surely comes free then.
   */
  #nextDeadline(select?: Selector): Instant {
    const isOne = ({ thing }: Token): boolean => !select || things.isSelected(thing?.attributes, select);
    // The slice of a listed pool has the earliest deadlines of each selection.
    const others = select && this.policy.kind === 'listed' ? Infinity : this.#nextExpiryAt;
    return this.#tokens
      .all()
      .reduce((next, token) => Math.min(next, (isOne(token) && token.lease?.expiresAt) || Infinity), others);
  }

  #secondsUntil(instant: Instant | null): number | undefined {
    return instant === null || instant === Infinity ? undefined : secondsUntil(this.now, instant);
  }
}

const noted = (note: string | undefined): Metadata | null => (note ? { note } : null);
