// The aggregate: a pool, those of its tokens that a transaction loaded, and every rule about them. It is pure:
// (state, command, now) → (state', events, result), without a clock or I/O. A refused command changes nothing.

import { randomUUID } from 'node:crypto';
import { IdempotencyRecords } from './idempotency-records.js';
import { ANYBODY, OPEN, SYSTEM, type Caller } from '../kernel/caller.js';
import { DomainError, poolDeleted, ticketNotFound, tokenDeleted, tokenNotFound } from '../kernel/domain-error.js';
import { LeaseCounts, type LeaseCount } from './lease-counts.js';
import { fromSeconds, secondsUntil, toIso, type Instant } from '../kernel/instant.js';
import { newLeaseId } from './lease-id.js';
import { Line } from './line.js';
import { promisesTo, promiseTo } from './line-promises.js';
import { openLease, type LeaseClaim, type ReleaseRequest } from './lease-claim.js';
import { differenceOf, toWire } from './policy-fields.js';
import * as refusals from './refusals.js';
import type {
  AllocateRequest,
  Claimed,
  Grant,
  ImportResult,
  OpenLeaseName,
  PlaceRequest,
  Renewal,
} from './requests.js';
import * as things from './thing.js';
import type { GivenThing, Selector, Thing, ThingChange } from './thing.js';
import {
  changedPolicy,
  evictsOverShare,
  firstDeadline,
  hardEndFrom,
  hasLine,
  longestLease,
  protectedUntil,
  renewedDeadline,
  type PolicyChange,
  type PoolPolicy,
} from './pool-policy.js';
import { isDraining, type PoolSlice, type PoolState } from './pool-slice.js';
import { PoolTokens } from './pool-tokens.js';
import { FairShareOrder } from './fair-share-order.js';
import { serves, type Ticket, type TicketEnd } from './ticket.js';
import type {
  EndReason,
  DeleteReason,
  Eviction,
  GrantReason,
  LeaveReason,
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
  readonly #line: Line;
  #fairShares: FairShareOrder;
  /** Whether the commands have taken tokens away from the line, so that its promises may not hold. */
  #mayBreakPromises = false;
  #hasSettledLine = false;
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
    this.#line = new Line(slice.line);
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

  /** When a lease or a place is over next, or an eviction possible, as far as the slice tells; Infinity for never. */
  get nextDueAt(): Instant {
    const oldest = this.#candidates.oldestLease(mayLose)?.lease;
    const evictableAt =
      oldest && this.policy.onExhausted === 'evict_oldest' ? protectedUntil(this.policy, oldest.activatedAt) : 0;
    const { waiting } = this.#line;
    return Math.min(
      this.#nextDeadline(),
      evictableAt > this.now ? evictableAt : Infinity,
      ...waiting.slice(0, MOST_WATCHED).map(({ patienceUntil }) => patienceUntil),
    );
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

  /** The tickets that are new or have changed. */
  get changedTickets(): Ticket[] {
    return this.#line.changed;
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
   * Expires the overdue leases, and ends the places of those who have given up. Every command starts with this, so that
   * no answer depends on when the sweep runs.
   */
  settle(): void {
    for (const { token, lease } of this.#candidates.takeOverdue())
      this.#giveBack(token, 'expired', lease.offeredTo ? 'unclaimed' : 'ttl_expired', lease.expiresAt);
    if (this.#hasSettledLine) return;
    this.#hasSettledLine = true;
    for (const ticket of this.#line.givenUp(this.now)) this.#leave(ticket, 'patience', ticket.patienceUntil);
  }

  /**
   * Deletes tokens of an elastic pool that have been free for longer than `idleTtlSeconds`, longest free first. The
   * sweep does this, and `generate` when the pool is full. Until then these tokens are available. It leaves them alone
   * while somebody waits in line.
   * @param most the most tokens to delete
   */
  deleteIdle(most = Infinity): void {
    this.settle();
    if (this.policy.idleTtlSeconds === null || !this.#isLive || this.#state.openTickets > 0) return;
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
   * certain token is never evicted for another, nor one on a token that is deleted at its end, nor one that is offered.
   * It passes over nobody in the line whom the token would serve.
   * @throws DomainError `pool_deleted`, `pool_paused`, `quota_exceeded`, `pool_exhausted`; `token_not_found`,
   * `token_in_use` for a certain token; `unsatisfiable` for a selection
   * @throws LeaseOfBatch
   */
  allocate(request: AllocateRequest): Grant {
    this.settle();
    this.#mustLive();
    if (this.policy.status === 'paused') throw refusals.poolPaused(this.policy);
    this.#mustBeWithinQuota(request.userId, this.#callerOrAnybody.keyId, 1);
    const mustKeepFree = isDraining(this.#state) && this.#state.leaseCount >= this.policy.size;
    if (request.tokenId !== undefined || request.name !== undefined) {
      const token = this.#named(request);
      if (mustKeepFree) throw this.#exhausted('the pool shrinks to its size at the ends of leases');
      if (this.#line.isAwaited(token)) throw this.#exhausted('others wait for it', request);
      return this.#activate(token, request, 'allocated', null);
    }
    const { select } = request;
    const isSelected = select && (({ thing }: Token) => things.isSelected(thing?.attributes, select));
    const free = mustKeepFree ? undefined : this.#candidates.longestFree(this.#unlessAwaited(isSelected));
    if (free) return this.#activate(free.token, request, 'allocated', null);
    // The slice has at least one token of each selection, if there is one.
    if (isSelected && !this.#tokens.all().some(isSelected)) throw refusals.unsatisfiable(this.policy);
    if (isDraining(this.#state)) throw this.#exhausted('the pool shrinks to its size at the ends of leases', request);
    const [victim, reason] = this.#victim(isSelected);
    const evicted = victim?.lease;
    if (this.policy.onExhausted === 'reject') throw this.#exhausted('the pool does not evict', request);
    if (!evicted) {
      throw this.#exhausted('the pool evicts no lease that is offered, nor one whose token goes with it', request);
    }
    if (this.#line.isAwaited(victim)) throw this.#exhausted('others wait for the next one', request);
    const mayBeEvictedAt = protectedUntil(this.policy, evicted.activatedAt);
    if (mayBeEvictedAt > this.now) {
      throw this.#exhausted('the lease whose turn it is is protected', request, mayBeEvictedAt);
    }
    if (select && evicted.fence > this.#fenceBefore) throw new LeaseOfBatch();
    this.#end(victim, 'released', reason, this.now, select ? { select } : null);
    return this.#activate(victim, request, 'allocated_after_eviction', evicted);
  }

  /**
   * As `allocate` for several tokens at once, all or none: a command that is refused takes back what it has done.
   * @throws DomainError as `allocate`; `unsatisfiable` for more tokens than the pool may have
   */
  allocateSeveral({ count, ...request }: PlaceRequest): Grant[] {
    if (count > this.policy.size) throw refusals.tooMany(this.policy, count);
    const grants = Array.from({ length: count }, () => this.allocate(request));
    // A later one must not evict an earlier one.
    const areAllOpen = new Set(grants.map(({ tokenId }) => tokenId)).size === count;
    if (!areAllOpen) throw this.#exhausted('the pool evicts for no one what it has just granted', request);
    return grants;
  }

  /**
   * Grants tokens at once if nobody waits for them; otherwise takes a place in the line.
   * @param check throws a DomainError where a grant must not happen
   * @throws DomainError as `allocateSeveral` and `queue`
   */
  allocateOrQueue(
    request: PlaceRequest,
    waitSeconds: number,
    check: (grant: Grant) => void = () => undefined,
  ): Grant[] | Ticket {
    try {
      return this.atomically(() => {
        const grants = this.allocateSeveral(request);
        grants.forEach(check);
        return grants;
      });
    } catch (error) {
      const mayWait = error instanceof DomainError && error.code === 'pool_exhausted' && hasLine(this.policy);
      if (!mayWait) throw error;
      return this.queue(request, waitSeconds);
    }
  }

  /**
   * Takes a place in the line. `serveLine` offers it its tokens.
   * @param waitSeconds for how long the caller waits already, and so shows that it lives
   * @throws DomainError `pool_deleted`, `pool_paused`, `quota_exceeded`, `line_full`, `unsatisfiable`
   */
  queue(request: PlaceRequest, waitSeconds = 0): Ticket {
    this.settle();
    this.#mustLive();
    const { policy, now } = this;
    if (policy.status === 'paused') throw refusals.poolPaused(policy);
    const { userId, count, select = null, ttlSeconds = null } = request;
    const { keyId } = this.#callerOrAnybody;
    const { waiting } = this.#line;
    if (waiting.length >= policy.maxWaiting) throw refusals.lineFull(policy);
    this.#mustBeWithinQuota(userId, keyId, count);
    const places = waiting.filter((ticket) => ticket.userId === userId).length;
    if (places >= policy.maxWaitingPerUser) throw refusals.waitsAlready(policy, userId);
    this.#mustBeSatisfiable(request);
    const ticket: Ticket = {
      id: randomUUID(),
      place: this.#state.lastPlace + 1,
      userId,
      holder: request.holder ?? null,
      keyId,
      count,
      select,
      ttlSeconds,
      metadata: request.metadata ?? null,
      queuedAt: now,
      notLaterThan: this.#promiseIfQueued(request),
      holdSeconds: longestLease(policy, request.ttlSeconds),
      claimSeconds: policy.claimSeconds,
      patienceUntil: this.#patienceFrom(waitSeconds),
      status: 'waiting',
      endReason: null,
      leases: [],
      claimBy: null,
    };
    const { lastPlace, openTickets } = this.#state;
    this.#state = { ...this.#state, lastPlace: lastPlace + 1, openTickets: openTickets + 1 };
    const { id, place, notLaterThan } = ticket;
    const metadata = {
      ticket_id: id,
      place,
      position: waiting.length + 1,
      count,
      not_later_than: notLaterThan === null ? null : toIso(notLaterThan),
      ...(select && { select }),
    };
    this.#line.put(ticket);
    this.#recordOfLine(ticket, 'queued', null, now, metadata);
    return ticket;
  }

  /**
   * Claims what a ticket is offered; for one that waits, a sign of life. Claiming again returns the same grants while
   * their leases are open.
   * @param waitSeconds for how long the caller waits now
   * @throws DomainError `ticket_not_found`, `ticket_ended`
   */
  claim(ticketId: string, waitSeconds = 0): Claimed {
    this.settle();
    const ticket = this.#ticket(ticketId);
    if (ticket.status === 'waiting') {
      const patienceUntil = Math.max(ticket.patienceUntil, this.#patienceFrom(waitSeconds));
      const patient = { ...ticket, patienceUntil };
      this.#line.put(patient);
      return { ticket: patient, grants: null };
    }
    const held = ticket.leases.map(({ tokenId, fence }) => {
      const token = this.#tokens.get(tokenId);
      return token?.lease?.fence === fence ? token : undefined;
    });
    if (ticket.status === 'ended' || held.includes(undefined)) throw refusals.ticketEnded(ticket);
    const tokens = held as Token[];
    if (ticket.status === 'granted') return { ticket, grants: tokens.map((token) => this.#grantOf(token)) };
    const granted: Ticket = { ...ticket, status: 'granted' };
    this.#line.put(granted);
    this.#state = { ...this.#state, openTickets: this.#state.openTickets - 1 };
    for (const token of tokens) this.#claimed(token, ticket);
    return { ticket: granted, grants: tokens.map((token) => this.#grantOf(token)) };
  }

  /**
   * Gives a place back, and what it is offered.
   * @throws DomainError `ticket_not_found`, `ticket_ended`
   */
  cancel(ticketId: string, note?: string): void {
    this.settle();
    const ticket = this.#ticket(ticketId);
    if (ticket.status === 'waiting') return this.#leave(ticket, 'cancelled', this.now, note);
    if (ticket.status === 'granted') throw refusals.ticketGranted(ticket);
    if (ticket.status === 'ended') throw refusals.ticketEnded(ticket);
    this.#withdraw(ticket, 'released_by_client', note);
  }

  /**
   * Offers free tokens to those who wait, strictly in order: a token is for the first whom it would serve, and is kept
   * for whoever wants several until there are enough. A pool that evicts ends leases for them by its rule.
   */
  serveLine(): void {
    this.settle();
    if (this.#line.waiting.length === 0 || this.#line.isCut) return;
    if (!this.#isLive || this.policy.status === 'paused') return;
    this.caller = null;
    const ahead: Ticket[] = [];
    for (const ticket of [...this.#line.waiting]) {
      if (this.#offer(ticket, ahead)) continue;
      // Every token is for this one, or for somebody ahead.
      if (ticket.select === null) return;
      ahead.push(ticket);
    }
  }

  /** Records the promises that commands have broken, because they have taken tokens away from the line. */
  renewPromises(): void {
    if (!this.#mayBreakPromises || !this.#line.isWhole || !this.#isLive) return;
    this.#mayBreakPromises = false;
    const { waiting } = this.#line;
    for (const [at, notLaterThan] of promisesTo(waiting, this.#tokens.all(), this.#state, this.now).entries()) {
      const ticket = waiting[at] as Ticket;
      if ((ticket.notLaterThan ?? Infinity) === (notLaterThan ?? Infinity)) continue;
      if (ticket.notLaterThan !== null && (notLaterThan ?? Infinity) < ticket.notLaterThan) continue;
      this.#line.put({ ...ticket, notLaterThan });
      const metadata = { ticket_id: ticket.id, not_later_than: notLaterThan === null ? null : toIso(notLaterThan) };
      this.#recordOfLine(ticket, 'promised', null, this.now, metadata);
    }
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
    if (lease.offeredTo) throw refusals.mustBeClaimed(tokenId);
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
    const { lease } = token;
    if (lease !== null) {
      if (!force) throw refusals.tokenHeld(tokenId);
      this.#end(token, 'released', 'deleted_by_client');
    }
    this.#remove(token, 'deleted_by_client');
    if (lease) this.#endOffer(lease, 'deleted_by_client');
    this.#mayBreakPromises = true;
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
    this.#mayBreakPromises = true;
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
      const { lease } = token;
      if (lease !== null) this.#end(token, 'released', 'pool_deleted');
      this.#remove(token, 'pool_deleted');
      if (lease !== null) this.#endOffer(lease, 'pool_deleted');
    }
    const leaving = this.#line.waiting.slice(0, most);
    for (const ticket of leaving) this.#leave(ticket, 'cleared');
    if (this.#state.tokenCount > 0) return deleted > 0;
    if (this.#state.openTickets > 0) return leaving.length > 0;
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
    const parts = [this.#candidates, this.#users, this.#keys, this.#line, this.idempotencyRecords].map((part) =>
      part.savepoint(),
    );
    return () => {
      this.#state = state;
      this.events.length = events;
      for (const restore of parts) restore();
      if (tokens()) this.#fairShares = new FairShareOrder(this.#users, this.#tokens);
    };
  }

  #activate(token: Token, request: AllocateRequest, reason: GrantReason, evicted: Lease | null): Grant {
    const { userId, holder = null, ttlSeconds, metadata } = request;
    const expiresAt = firstDeadline(this.policy, this.now, ttlSeconds);
    const hardEndAt = hasLine(this.policy) ? hardEndFrom(this.policy, this.now, ttlSeconds) : null;
    const { keyId } = this.#callerOrAnybody;
    const given = { userId, holder, keyId, expiresAt, ...(hardEndAt !== null && { hardEndAt }) };
    const lease = this.#begin(token, given, reason, metadata);
    return { ...this.#grantOf(token), ...lease, evicted };
  }

  #begin(
    token: Token,
    given: Omit<Lease, 'leaseId' | 'fence' | 'activatedAt'>,
    reason: GrantReason,
    metadata?: Metadata,
  ): Lease {
    const fence = this.#state.lastFence + 1;
    const lease = { leaseId: newLeaseId(fence), fence, activatedAt: this.now, ...given };
    this.#tokens.change(token, { lease, lastActivatedAt: this.now });
    this.#state = { ...this.#state, lastFence: fence, leaseCount: this.#state.leaseCount + 1 };
    this.#candidates.granted(token, lease);
    this.#users.granted(lease);
    this.#keys.granted(lease);
    this.#fairShares.granted(token, lease);
    this.#record(token.id, 'activated', reason, this.now, lease, metadata);
    return lease;
  }

  /** The grant of a token that is held. */
  #grantOf(token: Token): Grant {
    const { name = null, attributes = null, secret = null } = token.thing ?? {};
    return { ...(token.lease as Lease), tokenId: token.id, name, attributes, secret, evicted: null };
  }

  /**
   * Offers a ticket its tokens, if there are enough. Returns whether it has.
   * @param ahead those who wait for certain tokens before it
   */
  #offer(ticket: Ticket, ahead: readonly Ticket[]): boolean {
    const { count, select } = ticket;
    const isItsOwn = (token: Token): boolean => serves(token, ticket) && !ahead.some((other) => serves(token, other));
    const isAny = select === null && ahead.length === 0;
    if (isDraining(this.#state) && this.#state.leaseCount + count > this.policy.size) return false;
    const evicts = this.policy.onExhausted === 'evict_oldest' && !isDraining(this.#state);
    const first = this.#candidates.longestFree(isAny ? undefined : isItsOwn);
    if (!first && !evicts) return false;
    const restore = this.#savepoint();
    const claimBy = this.now + fromSeconds(ticket.claimSeconds);
    const leases: OpenLeaseName[] = [];
    for (let free = first; leases.length < count; free = this.#candidates.longestFree(isAny ? undefined : isItsOwn)) {
      const token = free?.token ?? (evicts ? this.#evictFor(ticket, isItsOwn) : undefined);
      if (!token) {
        restore();
        return false;
      }
      const { fence } = this.#offerOne(token, ticket, claimBy);
      leases.push({ tokenId: token.id, fence });
    }
    this.#line.put({ ...ticket, status: 'offered', leases, claimBy });
    return true;
  }

  #offerOne(token: Token, ticket: Ticket, expiresAt: Instant): Lease {
    const { id, userId, holder, keyId, holdSeconds, metadata } = ticket;
    const hardEndAt = holdSeconds === null ? null : expiresAt + fromSeconds(holdSeconds);
    const lease = { userId, holder, keyId, expiresAt, offeredTo: id, ...(hardEndAt !== null && { hardEndAt }) };
    return this.#begin(token, lease, 'offered', { ...metadata, ticket_id: id });
  }

  /** Ends the lease whose turn it is, for somebody in the line, unless it is protected or offered itself. */
  #evictFor({ select }: Ticket, isWanted: (token: Token) => boolean): Token | undefined {
    const [victim, reason] = this.#victim(select === null ? undefined : isWanted);
    if (!victim?.lease || !isWanted(victim)) return undefined;
    if (protectedUntil(this.policy, victim.lease.activatedAt) > this.now) return undefined;
    this.#end(victim, 'released', reason, this.now, select ? { select } : null);
    return victim;
  }

  /** Makes an offer a full lease, whose time counts from now. */
  #claimed(token: Token, { holdSeconds, ttlSeconds }: Ticket): void {
    const { offeredTo: _, ...lease } = token.lease as Lease;
    const held = holdSeconds === null ? Infinity : this.now + fromSeconds(holdSeconds);
    const hardEnd = Math.min(held, hardEndFrom(this.policy, this.now, ttlSeconds ?? undefined) ?? Infinity);
    const full = {
      ...lease,
      expiresAt: Math.min(firstDeadline(this.policy, this.now, ttlSeconds ?? undefined), hardEnd),
      ...(hardEnd !== Infinity && { hardEndAt: hardEnd }),
    };
    this.#tokens.change(token, { lease: full });
    this.#record(token.id, 'renewed', 'claimed', this.now, full);
  }

  /** Ends the offer of a ticket with all of its leases. */
  #withdraw({ leases }: Ticket, reason: EndReason, note?: string): void {
    for (const { tokenId, fence } of leases) {
      const token = this.#tokens.get(tokenId);
      if (token?.lease?.fence === fence) this.#giveBack(token, 'released', reason, this.now, noted(note));
    }
  }

  /** Ends the ticket whose offer a lease was, and the other leases of that offer. */
  #endOffer({ offeredTo }: Lease, reason: EndReason): void {
    const ticket = offeredTo ? this.#line.get(offeredTo) : undefined;
    if (ticket?.status !== 'offered') return;
    this.#endTicket(ticket, reason);
    // Those that are overdue expire by themselves.
    const isOverdue = reason === 'unclaimed';
    if (!isOverdue) this.#withdraw(ticket, reason);
  }

  #leave(ticket: Ticket, reason: LeaveReason, at: Instant = this.now, note?: string): void {
    this.#endTicket(ticket, reason);
    this.#recordOfLine(ticket, 'left', reason, at, { ticket_id: ticket.id, ...noted(note) });
  }

  #endTicket(ticket: Ticket, endReason: TicketEnd): void {
    this.#line.put({ ...ticket, status: 'ended', endReason });
    this.#state = { ...this.#state, openTickets: this.#state.openTickets - 1 };
  }

  /** @throws DomainError `ticket_not_found`, also to a key that may not know of the ticket */
  #ticket(id: string): Ticket {
    const ticket = this.#line.get(id);
    const { keyId, mayOperate } = this.#callerOrAnybody;
    if (!ticket || !(mayOperate || ticket.keyId === keyId)) throw ticketNotFound(id);
    return ticket;
  }

  #patienceFrom(waitSeconds: number): Instant {
    return this.now + Math.round(waitSeconds * 1_000_000) + fromSeconds(this.policy.patienceSeconds);
  }

  /** The promise of a place that would be taken now. */
  #promiseIfQueued({ count = 1, select, ttlSeconds }: Partial<PlaceRequest>): Instant | null {
    const { policy } = this;
    const holdSeconds = longestLease(policy, ttlSeconds);
    const wanted = { count, select: select ?? null, holdSeconds, claimSeconds: policy.claimSeconds };
    return promiseTo(wanted, this.#line.waiting, this.#tokens.all(), this.#state, this.now);
  }

  /** @throws DomainError `unsatisfiable` */
  #mustBeSatisfiable({ count, select }: PlaceRequest): void {
    if (count > this.policy.size) throw refusals.tooMany(this.policy, count);
    if (!select) return;
    const matching = this.#tokens.all().filter((token) => serves(token, { select })).length;
    if (matching === 0) throw refusals.unsatisfiable(this.policy);
    if (matching < count) throw refusals.tooFewSelected(this.policy, count);
  }

  /** Which tokens a command may take: those that it wants, and that nobody waits for. */
  #unlessAwaited(isWanted?: (token: Token) => boolean): ((token: Token) => boolean) | undefined {
    if (this.#line.waiting.length === 0) return isWanted;
    return (token) => (isWanted?.(token) ?? true) && !this.#line.isAwaited(token);
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
      return [this.#candidates.oldestLease((token) => mayLose(token) && isSelected(token)), 'selected_eviction'];
    }
    if (evictsOverShare(this.policy)) return [this.#fairShares.first(), 'over_share_eviction'];
    return [this.#candidates.oldestLease(mayLose), 'lru_eviction'];
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
    const lease = token.lease as Lease;
    this.#end(token, event, reason, at, metadata);
    if (token.isLeaving) this.#remove(token, 'removed', null);
    else if (this.#isLive && isDraining(this.#state)) this.#remove(token, 'shrunk', null);
    this.#endOffer(lease, reason);
  }

  #deleteWhenFree(token: Token): boolean {
    this.#mayBreakPromises = true;
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
    this.#mayBreakPromises = true;
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
    owner?: TokenEvent['owner'],
  ): void {
    const seq = this.#state.lastSeq + 1;
    this.#state = { ...this.#state, lastSeq: seq };
    const decidedByClock = BY_CLOCK.includes(reason);
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
      ...(owner && { owner }),
    });
  }

  #recordOfLine(
    ticket: Ticket,
    event: 'queued' | 'left' | 'promised',
    reason: LeaveReason | null,
    at: Instant,
    metadata: Metadata,
  ): void {
    this.#record(null, event, reason, at, null, metadata, this.caller, ticket);
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

  /** What somebody waits for counts together with what they hold. */
  #mustBeWithinQuota(userId: string, keyId: string | null, more: number): void {
    const { maxPerUser, maxPerKey } = this.policy;
    if (maxPerUser !== null) {
      const awaited = this.#line.awaited((ticket) => ticket.userId === userId);
      this.#mustHoldLess(this.#users.of(userId), maxPerUser, `user ${userId} holds`, awaited + more);
    }
    if (maxPerKey !== null && keyId !== null) {
      const awaited = this.#line.awaited((ticket) => ticket.keyId === keyId);
      this.#mustHoldLess(this.#keys.of(keyId), maxPerKey, 'the leases taken with this key are', awaited + more);
    }
  }

  #mustHoldLess({ leases, nextExpiryAt }: LeaseCount, most: number, holder: string, more: number): void {
    if (leases + more > most) throw refusals.overQuota(this.policy, holder, most, this.#secondsUntil(nextExpiryAt));
  }

  /** @param mayBeEvictedAt when the protection of the next victim ends; Infinity when the pool does not evict */
  #exhausted(why: string, request: Partial<PlaceRequest> = {}, mayBeEvictedAt = Infinity): DomainError {
    const { select } = request;
    const deadline = this.#nextDeadline(select);
    const mayBeLater =
      this.policy.renewable && deadline < mayBeEvictedAt ? '; the lease that ends next may be renewed' : '';
    const what = `no token ${select ? 'with what is selected ' : ''}of pool ${this.policy.name}`;
    // There may be free ones that are kept for somebody.
    const whom = this.#line.waiting.length > 0 ? ' for anybody who does not wait in line' : '';
    return new DomainError('pool_exhausted', `${what} is free${whom}, and ${why}${mayBeLater}`, {
      retryAfterSeconds: this.#secondsUntil(Math.min(deadline, mayBeEvictedAt)),
      ...(hasLine(this.policy) && { fields: this.#ifQueued(request) }),
    });
  }

  /** What the caller would get in the line. */
  #ifQueued(request: Partial<PlaceRequest>): Readonly<Record<string, unknown>> {
    const notLaterThan = this.#promiseIfQueued(request);
    return {
      position_if_queued: this.#line.waiting.length + 1,
      not_later_than_if_queued: notLaterThan === null ? null : toIso(notLaterThan),
    };
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

/** How many of the first in the line may delay others by their patience. */
const MOST_WATCHED = 100;

/** Whether the lease on a token may be evicted for somebody else. */
const mayLose = ({ isLeaving, lease }: Token): boolean => !isLeaving && !lease?.offeredTo;

/** The reasons that nobody decides. */
const BY_CLOCK: readonly TokenEvent['reason'][] = ['ttl_expired', 'unclaimed', 'idle_ttl', 'patience'];
