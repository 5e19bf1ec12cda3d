// A pool as a transaction loaded it, and all that the transaction has changed since. Every change of a token, a lease
// or a place in the line is made here, with its event and the counters. The rules that decide on changes stand in the
// files beside it; TokenPool is the door to them.

import { randomUUID } from 'node:crypto';
import { ANYBODY, OPEN, SYSTEM, type Caller } from '../kernel/caller.js';
import { secondsUntil, type Instant } from '../kernel/instant.js';
import { Candidates } from './candidates.js';
import { FairShareOrder } from './fair-share-order.js';
import { IdempotencyRecords } from './idempotency-records.js';
import { LeaseCounts } from './lease-counts.js';
import { newLeaseId } from './lease-id.js';
import { cooledAt, keepsBack, type PoolPolicy } from './pool-policy.js';
import type { PoolSlice, PoolState } from './pool-slice.js';
import { PoolTickets } from './pool-tickets.js';
import { PoolTokens } from './pool-tokens.js';
import * as things from './thing.js';
import type { Selector, Thing, ThingDifference } from './thing.js';
import type { Ticket } from './ticket.js';
import type { DeleteReason, EndReason, GrantReason, Metadata, TokenEvent } from './token-event.js';
import { isFree, NO_UPKEEP, type Lease, type Token, type Upkeep } from './token.js';

/** What happens to a lease and to its token at the end. */
export type LeaseEndEvent = 'released' | 'expired';

/** What an event has beside its kind and its reason; what is left out is null, and `at` is the present instant. */
interface EventDetails {
  readonly token?: Pick<Token, 'id'>;
  readonly at?: Instant;
  readonly lease?: Lease;
  readonly metadata?: Metadata | null;
  /** Left out: the caller of the command. */
  readonly by?: Caller | null;
  /** Who has the place in the line that the event is about. */
  readonly owner?: TokenEvent['owner'];
}

export class UnitOfWork {
  readonly now: Instant;
  readonly events: TokenEvent[] = [];
  readonly idempotencyRecords: IdempotencyRecords;
  readonly tokens: PoolTokens;
  readonly tickets: PoolTickets;
  readonly candidates: Candidates;
  /** How many leases users and keys hold, if the policy counts them. */
  readonly users: LeaseCounts;
  readonly keys: LeaseCounts;
  /** The fence of the last grant before this transaction. */
  readonly fenceBefore: number;
  /** The caller of the next command; null stands for the service itself. */
  caller: Caller | null = null;
  /** Whether the commands have taken tokens away from the line, so that its promises may not hold. */
  mayBreakPromises = false;

  #state: PoolState;
  #fairShares: FairShareOrder;
  /** Of the leases that the slice does not have. */
  readonly #nextExpiryAt: Instant;

  constructor(slice: PoolSlice) {
    this.now = slice.now;
    this.#state = slice.state;
    this.idempotencyRecords = new IdempotencyRecords(slice.idempotencyRecords);
    this.#nextExpiryAt = slice.nextExpiryAt ?? Infinity;
    this.fenceBefore = slice.state.lastFence;
    this.tokens = new PoolTokens(slice.tokens);
    this.candidates = new Candidates(
      this.tokens.all(),
      this.now,
      (token) => this.tokens.has(token),
      ({ expiresAt, offeredTo }) => (offeredTo ? expiresAt : cooledAt(this.policy, expiresAt, false)),
    );
    this.users = new LeaseCounts(slice.users ?? [], (lease) => lease.userId);
    this.keys = new LeaseCounts(slice.keys ?? [], (lease) => lease.keyId);
    this.#fairShares = new FairShareOrder(this.users, this.tokens);
    this.tickets = new PoolTickets(slice.line);
  }

  get state(): PoolState {
    return this.#state;
  }

  get policy(): PoolPolicy {
    return this.#state.policy;
  }

  get isLive(): boolean {
    return this.#state.life === 'live';
  }

  get callerOrAnybody(): Caller {
    return this.caller ?? ANYBODY;
  }

  get fairShares(): FairShareOrder {
    return this.#fairShares;
  }

  /** Returns a function that takes back every later change. The caller must have expired the overdue leases. */
  savepoint(): () => void {
    const [state, events] = [this.#state, this.events.length];
    const tokens = this.tokens.savepoint();
    const parts = [this.candidates, this.users, this.keys, this.tickets, this.idempotencyRecords].map((part) =>
      part.savepoint(),
    );
    return () => {
      this.#state = state;
      this.events.length = events;
      for (const restore of parts) restore();
      if (tokens()) this.#fairShares = new FairShareOrder(this.users, this.tokens);
    };
  }

  /** Changes the policy or the life of the pool. The caller records it. */
  update(change: Partial<Pick<PoolState, 'policy' | 'life'>>): void {
    this.#state = { ...this.#state, ...change };
    if (keepsBack(this.policy) && !this.#state.hasUpkeep) this.#state = { ...this.#state, hasUpkeep: true };
  }

  /** Counts in which state a token is kept back after a change. @param before what `keptBackAs` said before it */
  #recount(token: Token, before: KeptBack | null): void {
    const after = keptBackAs(token);
    if (before === after) return;
    this.#count(before, -1);
    this.#count(after, 1);
  }

  #count(as: KeptBack | null, by: 1 | -1): void {
    if (as !== null) this.#state = { ...this.#state, [as]: this.#state[as] + by };
  }

  beginLease(
    token: Token,
    given: Omit<Lease, 'leaseId' | 'fence' | 'activatedAt'>,
    reason: GrantReason,
    metadata?: Metadata,
  ): Lease {
    const { userId, holder, keyId, expiresAt, hardEndAt, offeredTo, purpose } = given;
    const fence = this.#state.lastFence + 1;
    const activatedAt = this.now;
    const leaseId = newLeaseId(fence);
    const lease = { leaseId, userId, holder, keyId, fence, activatedAt, expiresAt, hardEndAt, offeredTo, purpose };
    const before = keptBackAs(token);
    this.tokens.change(token, { lease, lastActivatedAt: activatedAt });
    this.#recount(token, before);
    if (purpose) this.keepUp(token, {});
    this.#state = { ...this.#state, lastFence: fence, leaseCount: this.#state.leaseCount + 1 };
    this.candidates.granted(token, lease);
    this.users.granted(lease);
    this.keys.granted(lease);
    this.#fairShares.granted(token, lease);
    this.record('activated', reason, { token, lease, metadata });
    return lease;
  }

  renewLease(token: Token, lease: Lease, reason: 'claimed' | null = null): void {
    this.tokens.change(token, { lease });
    this.record('renewed', reason, { token, lease });
  }

  /** @param freeSince from when the token can be granted again; since when it is dirty, if it is */
  endLease(
    token: Token,
    event: LeaseEndEvent,
    reason: EndReason,
    at: Instant = this.now,
    metadata: Metadata | null = null,
    freeSince: Instant = at,
  ): void {
    const lease = token.lease as Lease;
    const before = keptBackAs(token);
    this.tokens.change(token, { lease: null, freeSince });
    this.#recount(token, before);
    if (lease.purpose) this.keepUp(token, {});
    this.#state = { ...this.#state, leaseCount: this.#state.leaseCount - 1 };
    // The candidates and counts have taken overdue leases into account since the pool was restored.
    if (event === 'released') {
      this.candidates.freed(token, freeSince);
      this.users.released(lease);
      this.keys.released(lease);
    }
    this.record(event, reason, { token, at, lease, metadata });
  }

  generate(thing?: Thing, id: string = randomUUID()): Token {
    const token: Token = { id, lease: null, freeSince: this.now, lastActivatedAt: null, ...(thing && { thing }) };
    this.tokens.add(token);
    this.#state = { ...this.#state, tokenCount: this.#state.tokenCount + 1 };
    this.candidates.freed(token, this.now);
    const metadata = thing ? { name: thing.name, attributes: thing.attributes } : null;
    this.record('generated', null, { token, metadata });
    return token;
  }

  describe(token: Token, thing: Thing, difference: ThingDifference): void {
    this.tokens.describe(token, thing);
    this.record('described', null, { token, metadata: { ...difference } });
  }

  /** Says that a held token is deleted at the end of its lease, or that it is not. */
  drain(token: Token, isLeaving: boolean): void {
    this.tokens.change(token, { isLeaving });
    const metadata = { before: { draining: !isLeaving }, after: { draining: isLeaving } };
    this.record('described', null, { token, metadata });
  }

  /** Changes what happens to a token between two users, also by whom it is cleaned. The caller records it. */
  keepUp(token: Token, change: Partial<Upkeep>): void {
    const before = keptBackAs(token);
    this.tokens.keepUp(token, { ...(token.upkeep ?? NO_UPKEEP), ...change });
    this.#recount(token, before);
    if (!this.#state.hasUpkeep) this.#state = { ...this.#state, hasUpkeep: true };
  }

  /** A token that nobody holds can be granted from now on, or from a later instant. */
  free(token: Token, freeSince: Instant): void {
    this.tokens.change(token, { freeSince });
    this.candidates.freed(token, freeSince);
  }

  /** @param by null where the service itself has decided it */
  remove(token: Token, reason: DeleteReason, by: Caller | null = this.caller): void {
    this.#count(keptBackAs(token), -1);
    this.tokens.remove(token);
    this.#state = { ...this.#state, tokenCount: this.#state.tokenCount - 1 };
    this.record('deleted', reason, { token, by });
  }

  openTicket(ticket: Ticket, metadata: Metadata): void {
    const { openTickets } = this.#state;
    this.#state = { ...this.#state, lastPlace: ticket.place, openTickets: openTickets + 1 };
    this.tickets.put(ticket);
    this.record('queued', null, { owner: ticket, metadata });
  }

  /** A ticket that does not wait any more, and has no offer. */
  closeTicket(ticket: Ticket, change: Pick<Ticket, 'status'> & Partial<Pick<Ticket, 'endReason'>>): Ticket {
    const closed = { ...ticket, ...change };
    this.tickets.put(closed);
    this.#state = { ...this.#state, openTickets: this.#state.openTickets - 1 };
    return closed;
  }

  record(event: TokenEvent['event'], reason: TokenEvent['reason'], details: EventDetails = {}): void {
    const { token, at = this.now, lease = null, metadata = null, owner } = details;
    const seq = this.#state.lastSeq + 1;
    this.#state = { ...this.#state, lastSeq: seq };
    const { by = this.caller } = details;
    const caller = BY_CLOCK.includes(reason) ? null : by;
    const { tokenCount: tokensAfter, leaseCount: leasesAfter } = this.#state;
    this.events.push({
      seq,
      tokenId: token?.id ?? null,
      event,
      reason,
      occurredAt: at,
      lease,
      actor: actorOf(caller),
      requestId: caller && caller.requestId,
      tokensAfter,
      leasesAfter,
      metadata,
      ...(owner && { owner }),
    });
  }

  /**
   * The earliest deadline of the pool's open leases, as the commands before this one have left them, or instant at
   * which a token has rested; Infinity without one.
   */
  get nextDeadline(): Instant {
    return this.tokens.all().reduce((next, token) => Math.min(next, this.#nextChangeOf(token, 0)), this.#nextExpiryAt);
  }

  /**
   * The earliest instant at which a token comes free by the deadline of a lease or because it has rested, of all or of
   * those that are selected; Infinity without one. If no lease can be renewed, a token surely comes free then, unless
   * somebody must clean it.
   */
  nextFreeAt(select?: Selector): Instant {
    const isOne = ({ thing }: Token): boolean => !select || things.isSelected(thing?.attributes, select);
    const rest = cooledAt(this.policy, 0, false);
    // The slice of a listed pool has the earliest deadlines of each selection.
    const others = select && this.policy.kind === 'listed' ? Infinity : this.#nextExpiryAt + rest;
    return this.tokens
      .all()
      .reduce((next, token) => (isOne(token) ? Math.min(next, this.#nextChangeOf(token, rest)) : next), others);
  }

  #nextChangeOf(token: Token, rest: number): Instant {
    if (token.lease) return token.lease.expiresAt + rest;
    return token.freeSince > this.now && isFree(token) ? token.freeSince : Infinity;
  }

  secondsUntil(instant: Instant | null): number | undefined {
    return instant === null || instant === Infinity ? undefined : secondsUntil(this.now, instant);
  }
}

/** The counter of the pool in which a token is. */
type KeptBack = 'dirtyCount' | 'disabledCount' | 'cleaningCount';

function keptBackAs({ lease, upkeep }: Token): KeptBack | null {
  if (lease) return lease.purpose === 'clean' ? 'cleaningCount' : null;
  if (!upkeep) return null;
  if (upkeep.disabled) return 'disabledCount';
  return upkeep.dirtySince === null ? null : 'dirtyCount';
}

/** Who causes an event; null stands for the service itself. */
export const actorOf = (caller: Caller | null): string => (caller === null ? SYSTEM : (caller.keyId ?? OPEN));

/** The reasons that nobody decides. */
const BY_CLOCK: readonly TokenEvent['reason'][] = ['ttl_expired', 'unclaimed', 'idle_ttl', 'patience'];
