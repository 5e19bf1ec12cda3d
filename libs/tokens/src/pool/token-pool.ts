// The aggregate, and the one door to a pool: those of its tokens that a transaction loaded, and every command on them.
// It is pure: (state, command, now) → (state', events, result), without a clock or I/O. A refused command changes
// nothing. The rules of grants, of the line, of things, and of the supply of tokens stand in files of their own, and
// make their changes through the unit of work.

import type { Caller } from '../kernel/caller.js';
import { DomainError, poolDeleted, tokenDeleted } from '../kernel/domain-error.js';
import type { Instant } from '../kernel/instant.js';
import { allocate, allocateSeveral } from './allocation.js';
import type { IdempotencyRecords } from './idempotency-records.js';
import { openLease, type LeaseClaim, type ReleaseRequest } from './lease-claim.js';
import { endOffer, giveBack } from './lease-end.js';
import * as line from './line.js';
import { differenceOf, toWire } from './policy-fields.js';
import {
  changedPolicy,
  evicts,
  hasLine,
  protectedUntil,
  renewedDeadline,
  type PolicyChange,
  type PoolPolicy,
} from './pool-policy.js';
import type { PoolSlice, PoolState } from './pool-slice.js';
import * as refusals from './refusals.js';
import type {
  AllocateRequest,
  Claimed,
  CleanRequest,
  Grant,
  ImportResult,
  OpenLeaseName,
  PlaceRequest,
  Renewal,
  StatusAfter,
} from './requests.js';
import type { GivenThing, ThingChange } from './thing.js';
import * as things from './things.js';
import type { Ticket } from './ticket.js';
import type { TokenEvent } from './token-event.js';
import { mayBeEvicted, statusOf, type Token } from './token.js';
import * as supply from './token-supply.js';
import { UnitOfWork } from './unit-of-work.js';
import * as upkeep from './upkeep.js';

export class TokenPool {
  readonly #work: UnitOfWork;
  #hasSettledLine = false;

  private constructor(slice: PoolSlice) {
    this.#work = new UnitOfWork(slice);
  }

  /** Restores a pool from stored rows. Checks no rules and records no events. */
  static restore(slice: PoolSlice): TokenPool {
    return new TokenPool(slice);
  }

  get now(): Instant {
    return this.#work.now;
  }

  get state(): PoolState {
    return this.#work.state;
  }

  get policy(): PoolPolicy {
    return this.#work.policy;
  }

  get events(): readonly TokenEvent[] {
    return this.#work.events;
  }

  get idempotencyRecords(): IdempotencyRecords {
    return this.#work.idempotencyRecords;
  }

  /** The caller of the next command; null stands for the service itself. */
  set caller(caller: Caller | null) {
    this.#work.caller = caller;
  }

  /** When a lease or a place is over next, or an eviction possible, as far as the slice tells; Infinity for never. */
  get nextDueAt(): Instant {
    const { policy, now, candidates, tickets } = this.#work;
    const oldest = candidates.oldestLease(mayBeEvicted)?.lease;
    const evictableAt = oldest && evicts(policy) ? protectedUntil(policy, oldest.activatedAt) : 0;
    return Math.min(
      this.#work.nextDeadline,
      evictableAt > now ? evictableAt : Infinity,
      tickets.goesOn ? now : Infinity,
      ...tickets.waiting.slice(0, MOST_WATCHED).map(({ patienceUntil }) => patienceUntil),
    );
  }

  get changed(): ReadonlySet<Token> {
    return this.#work.tokens.changed;
  }

  /** The tokens whose thing has changed. */
  get described(): ReadonlySet<Token> {
    return this.#work.tokens.described;
  }

  /** The tokens whose upkeep has changed. */
  get keptUp(): ReadonlySet<Token> {
    return this.#work.tokens.keptUp;
  }

  get generated(): ReadonlySet<Token> {
    return this.#work.tokens.generated;
  }

  get deleted(): ReadonlySet<Token> {
    return this.#work.tokens.deleted;
  }

  /** The tickets that are new or have changed. */
  get changedTickets(): Ticket[] {
    return this.#work.tickets.changed;
  }

  /**
   * Does all steps of `work` or none: if it throws, the pool is as it was before, except that overdue leases have
   * expired.
   */
  atomically<T>(work: () => T): T {
    this.settle();
    const restore = this.#work.savepoint();
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
    const { candidates, tickets, now } = this.#work;
    for (const { token, lease } of candidates.takeOverdue())
      giveBack(this.#work, token, 'expired', lease.offeredTo ? 'unclaimed' : 'ttl_expired', { at: lease.expiresAt });
    if (this.#hasSettledLine) return;
    this.#hasSettledLine = true;
    for (const ticket of tickets.givenUp(now)) line.leave(this.#work, ticket, 'patience', ticket.patienceUntil);
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
    return allocate(this.#work, request);
  }

  /**
   * As `allocate` for several tokens at once, all or none: a command that is refused takes back what it has done.
   * @throws DomainError as `allocate`; `unsatisfiable` for more tokens than the pool may have
   */
  allocateSeveral(request: PlaceRequest): Grant[] {
    this.settle();
    this.#mustLive();
    return allocateSeveral(this.#work, request);
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
    return line.queue(this.#work, request, waitSeconds);
  }

  /**
   * Claims what a ticket is offered; for one that waits, a sign of life. Claiming again returns the same grants while
   * their leases are open.
   * @param waitSeconds for how long the caller waits now
   * @throws DomainError `ticket_not_found`, `ticket_ended`
   */
  claim(ticketId: string, waitSeconds = 0): Claimed {
    this.settle();
    return line.claim(this.#work, ticketId, waitSeconds);
  }

  /**
   * Gives a place back, and what it is offered.
   * @throws DomainError `ticket_not_found`, `ticket_ended`
   */
  cancel(ticketId: string, note?: string): void {
    this.settle();
    line.cancel(this.#work, ticketId, note);
  }

  /**
   * Offers free tokens to those who wait, strictly in order: a token is for the first whom it would serve, and is kept
   * for whoever wants several until there are enough. A pool that evicts ends leases for them by its rule.
   */
  serveLine(): void {
    this.settle();
    line.serveLine(this.#work);
  }

  /** Records the promises that commands have broken, because they have taken tokens away from the line. */
  renewPromises(): void {
    line.renewPromises(this.#work);
  }

  /**
   * Ends a lease: by force, the reason is `revoked`. Returns the status of its token after that.
   * @throws DomainError `token_deleted`, and what `openLease` throws
   */
  release(tokenId: string, request: ReleaseRequest): StatusAfter {
    this.settle();
    const token = this.#existing(tokenId);
    openLease(token, request, this.policy, this.#work.callerOrAnybody);
    const { force, note, condition } = request;
    giveBack(this.#work, token, 'released', force ? 'revoked' : 'released_by_client', { note, condition });
    return this.#work.tokens.has(token) ? statusOf(token, this.now) : 'deleted';
  }

  /** Ends a lease whose grant did not reach its caller, if it is still open: nobody knows that it is held. */
  giveBack(tokenId: string, leaseId: string): void {
    this.settle();
    const token = this.#work.tokens.get(tokenId);
    if (token?.lease?.leaseId === leaseId) giveBack(this.#work, token, 'released', 'undelivered');
  }

  /**
   * Ends those of the leases that are still open, and returns how many. A token that is gone, or that has another lease
   * by now, stays as it is.
   */
  revoke(leases: readonly OpenLeaseName[], note?: string): number {
    this.settle();
    let revoked = 0;
    for (const { tokenId, fence } of leases) {
      const token = this.#work.tokens.get(tokenId);
      if (token?.lease?.fence !== fence) continue;
      giveBack(this.#work, token, 'released', 'revoked', { note });
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
    const lease = openLease(token, claim, this.policy, this.#work.callerOrAnybody);
    if (claim.leaseId === undefined && claim.userId === undefined) {
      throw new DomainError('invalid_request', 'lease_id or user_id must be given to say whose lease to keep alive');
    }
    if (lease.offeredTo) throw refusals.mustBeClaimed(tokenId);
    const renewed = { ...lease, expiresAt: renewedDeadline(this.policy, lease, this.now, ttlSeconds) };
    this.#work.renewLease(token, renewed);
    return { ...renewed, renewedAt: this.now };
  }

  /**
   * Grants the token that is dirty for the longest, of all or of those that are selected, to somebody who cleans it. A
   * paused pool does that, too.
   * @throws DomainError `pool_deleted`, `nothing_dirty`, `quota_exceeded`
   */
  clean(request: CleanRequest): Grant {
    this.settle();
    this.#mustLive();
    return upkeep.clean(this.#work, request);
  }

  /**
   * Takes a token out of service. The lease of a held one ends now, or it stays in use until then.
   * @throws DomainError `token_deleted`
   */
  disable(tokenId: string, reason: string, whenFree = false): void {
    this.settle();
    upkeep.disable(this.#work, this.#existing(tokenId), reason, whenFree);
  }

  /**
   * Puts a token into service again: a dirty one must be cleaned first. Leaves one as it is that is in service.
   * @throws DomainError `token_deleted`
   */
  enable(tokenId: string, note?: string): void {
    this.settle();
    upkeep.enable(this.#work, this.#existing(tokenId), note);
  }

  /** @throws DomainError `pool_deleted`, `pool_is_fixed`, `invalid_request`, `pool_limit_reached` */
  generate(): Token {
    this.settle();
    this.#mustLive();
    this.#mustNotBeFixed('generated');
    return supply.generate(this.#work);
  }

  /**
   * Puts a thing into a listed pool.
   * @throws DomainError `pool_deleted`, `pool_not_listed`, `token_exists`, `pool_limit_reached`
   */
  add(given: GivenThing): Token {
    this.settle();
    this.#mustLive();
    this.#mustBeListed();
    return things.add(this.#work, given);
  }

  /**
   * Changes the name, the attributes or the secret of a thing, held or not. It records what differs, and nothing when
   * nothing does.
   * @throws DomainError `token_deleted`, `pool_not_listed`, `token_exists`
   */
  describe(tokenId: string, change: ThingChange): void {
    this.settle();
    if (this.#work.isLive) this.#mustBeListed();
    things.describe(this.#work, this.#existing(tokenId), change);
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
    return things.importThings(this.#work, given, deletesMissing);
  }

  /** Generates up to `most` of the tokens that a fixed pool still lacks, and returns how many it lacks after that. */
  fill(most: number): number {
    return supply.fill(this.#work, most);
  }

  /**
   * Deletes tokens of an elastic pool that have been free for longer than `idleTtlSeconds`, longest free first. The
   * sweep does this, and `generate` when the pool is full. Until then these tokens are available. It leaves them alone
   * while somebody waits in line.
   * @param most the most tokens to delete
   */
  deleteIdle(most = Infinity): void {
    this.settle();
    supply.deleteIdle(this.#work, most);
  }

  /**
   * Deletes the tokens that the pool has beyond its size and that are free, longest free first. Returns whether there
   * may be more of them.
   * @param most the most tokens to delete
   */
  shrink(most: number): boolean {
    this.settle();
    return supply.shrink(this.#work, most);
  }

  /**
   * Deletes a token now, or a held one at the end of its lease, and returns whether it is deleted.
   * @throws DomainError `pool_is_fixed`, `token_deleted`
   */
  deleteWhenFree(tokenId: string): boolean {
    return supply.deleteWhenFree(this.#work, this.#deletable(tokenId));
  }

  /**
   * @param force also deletes a token that is held, and ends its lease first
   * @throws DomainError `pool_is_fixed`, `token_deleted`, `token_in_use`
   */
  delete(tokenId: string, force: boolean): void {
    supply.deleteNow(this.#work, this.#deletable(tokenId), force);
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
      const token = this.#work.candidates.oldestLease();
      if (!token?.lease || token.lease.fence > lastFence) break;
      giveBack(this.#work, token, 'released', 'cleanup');
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
    this.#work.update({ policy });
    this.#work.mayBreakPromises = true;
    this.#work.record('policy_changed', null, { metadata: difference });
  }

  /**
   * Begins to delete the pool; `deleteRest` does it. From now on nothing is granted and every command is refused.
   * @param force also deletes a pool with open leases
   * @throws DomainError `pool_deleted`, `token_in_use`
   */
  beginDeletion(force: boolean): void {
    this.settle();
    this.#mustLive();
    const isHeld = this.#work.candidates.oldestLease() !== undefined;
    if (!force && isHeld) throw refusals.tokensHeld(this.policy, this.state.leaseCount);
    this.#work.update({ life: 'deleting' });
  }

  /**
   * Ends leases and deletes tokens of a pool whose deletion has begun. With the last token the pool is deleted. Returns
   * whether there may be more tokens.
   * @param most the most tokens to delete
   */
  deleteRest(most: number): boolean {
    this.settle();
    if (this.state.life !== 'deleting') return false;
    const { candidates, tickets, tokens } = this.#work;
    let deleted = 0;
    const others = tokens.all();
    for (; deleted < most; deleted++) {
      // Some rest, or are dirty or disabled.
      const token = candidates.longestFree()?.token ?? candidates.oldestLease() ?? nextOf(others, tokens);
      if (!token) break;
      const { lease } = token;
      if (lease !== null) this.#work.endLease(token, 'released', 'pool_deleted');
      this.#work.remove(token, 'pool_deleted');
      if (lease !== null) endOffer(this.#work, lease, 'pool_deleted');
    }
    const leaving = tickets.waiting.slice(0, most);
    for (const ticket of leaving) line.leave(this.#work, ticket, 'cleared');
    if (this.state.tokenCount > 0) return deleted > 0;
    if (this.state.openTickets > 0) return leaving.length > 0;
    this.#work.update({ life: 'deleted' });
    const { kind } = this.policy;
    this.#work.record('pool_deleted', null, { metadata: { kind, before: toWire(this.policy) } });
    return false;
  }

  /**
   * Opens a deleted pool again, with another policy. `seq` and `fence` go on.
   * @throws DomainError `pool_exists`
   */
  reopen(policy: PoolPolicy): void {
    if (this.state.life === 'deleting') throw refusals.stillDeleting(policy);
    if (this.#work.isLive) throw refusals.poolExists(policy);
    this.#work.update({ policy, life: 'live' });
    this.#work.record('pool_opened', null, { metadata: { kind: policy.kind, after: toWire(policy) } });
  }

  /** The caller has located the token in this pool, so a token that is missing was deleted. */
  #existing(tokenId: string): Token {
    const token = this.#work.isLive ? this.#work.tokens.get(tokenId) : undefined;
    if (!token) throw tokenDeleted(tokenId);
    return token;
  }

  #deletable(tokenId: string): Token {
    this.settle();
    if (this.#work.isLive) this.#mustNotBeFixed('deleted');
    return this.#existing(tokenId);
  }

  #mustLive(): void {
    if (!this.#work.isLive) throw poolDeleted(this.policy.name);
  }

  #mustBeListed(): void {
    if (this.policy.kind !== 'listed') throw refusals.notListed(this.policy);
  }

  #mustNotBeFixed(action: string): void {
    if (this.policy.kind === 'fixed') throw refusals.poolIsFixed(this.policy, action);
  }
}

/** The next of the tokens that is still there; takes it and those before it from the list. */
function nextOf(tokens: Token[], here: { has(token: Token): boolean }): Token | undefined {
  for (let token = tokens.pop(); token; token = tokens.pop()) if (here.has(token)) return token;
  return undefined;
}

/** How many of the first in the line may delay others by their patience. */
const MOST_WATCHED = 100;
