// The rules of the line: callers wait for tokens in the order in which they came, and each is promised when it is
// served at the latest. An offer is a lease of the first in the line, who must claim it.

import { randomUUID } from 'node:crypto';
import { ticketNotFound } from '../kernel/domain-error.js';
import { fromSeconds, toIso, type Instant } from '../kernel/instant.js';
import { grantOf } from './allocation.js';
import { nextVictim } from './eviction.js';
import { withdraw } from './lease-end.js';
import { promiseIfQueued, promisesTo } from './line-promises.js';
import { evicts, firstDeadline, hardEndFrom, longestLease, protectedUntil } from './pool-policy.js';
import { isDraining } from './pool-slice.js';
import { mustBeWithinQuota } from './quota.js';
import * as refusals from './refusals.js';
import type { Claimed, OpenLeaseName, PlaceRequest } from './requests.js';
import { serves, type Ticket } from './ticket.js';
import type { LeaveReason } from './token-event.js';
import type { Lease, Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** As TokenPool.queue, after the pool is settled. */
export function queue(work: UnitOfWork, request: PlaceRequest, waitSeconds: number): Ticket {
  const { policy, now, state } = work;
  if (policy.status === 'paused') throw refusals.poolPaused(policy);
  const { userId, count, select = null, ttlSeconds = null } = request;
  const { waiting } = work.tickets;
  if (waiting.length >= policy.maxWaiting) throw refusals.lineFull(policy);
  mustBeWithinQuota(work, userId, count);
  const places = waiting.filter((ticket) => ticket.userId === userId).length;
  if (places >= policy.maxWaitingPerUser) throw refusals.waitsAlready(policy, userId);
  mustBeSatisfiable(work, request);
  const position = waiting.length + 1;
  const ticket: Ticket = {
    id: randomUUID(),
    place: state.lastPlace + 1,
    userId,
    holder: request.holder ?? null,
    keyId: work.callerOrAnybody.keyId,
    count,
    select,
    ttlSeconds,
    metadata: request.metadata ?? null,
    queuedAt: now,
    notLaterThan: promiseIfQueued(work, request),
    holdSeconds: longestLease(policy, request.ttlSeconds),
    claimSeconds: policy.claimSeconds,
    patienceUntil: patienceFrom(work, waitSeconds),
    status: 'waiting',
    endReason: null,
    leases: [],
    claimBy: null,
  };
  const { id, place, notLaterThan } = ticket;
  work.openTicket(ticket, {
    ticket_id: id,
    place,
    position,
    count,
    not_later_than: isoOf(notLaterThan),
    ...(select && { select }),
  });
  return ticket;
}

/** As TokenPool.claim, after the pool is settled. */
export function claim(work: UnitOfWork, ticketId: string, waitSeconds: number): Claimed {
  const ticket = ticketOf(work, ticketId);
  if (ticket.status === 'waiting') {
    const patienceUntil = Math.max(ticket.patienceUntil, patienceFrom(work, waitSeconds));
    const patient = { ...ticket, patienceUntil };
    work.tickets.put(patient);
    return { ticket: patient, grants: null };
  }
  const held = ticket.leases.map(({ tokenId, fence }) => {
    const token = work.tokens.get(tokenId);
    return token?.lease?.fence === fence ? token : undefined;
  });
  if (ticket.status === 'ended' || held.includes(undefined)) throw refusals.ticketEnded(ticket);
  const tokens = held as Token[];
  if (ticket.status === 'granted') return { ticket, grants: tokens.map((token) => grantOf(token)) };
  const granted = work.closeTicket(ticket, { status: 'granted' });
  for (const token of tokens) makeFull(work, token, ticket);
  return { ticket: granted, grants: tokens.map((token) => grantOf(token)) };
}

/** As TokenPool.cancel, after the pool is settled. What an operator ends is not given back by its owner. */
export function cancel(work: UnitOfWork, ticketId: string, note?: string): void {
  const ticket = ticketOf(work, ticketId);
  const isOwn = ticket.keyId === work.callerOrAnybody.keyId;
  if (ticket.status === 'waiting') return leave(work, ticket, isOwn ? 'cancelled' : 'cleared', work.now, note);
  if (ticket.status === 'granted') throw refusals.ticketGranted(ticket);
  if (ticket.status === 'ended') throw refusals.ticketEnded(ticket);
  withdraw(work, ticket, isOwn ? 'released_by_client' : 'revoked', note);
}

/** Ends a place of somebody who waits. */
export function leave(work: UnitOfWork, ticket: Ticket, reason: LeaveReason, at = work.now, note?: string): void {
  work.closeTicket(ticket, { status: 'ended', endReason: reason });
  work.record('left', reason, { owner: ticket, at, metadata: { ticket_id: ticket.id, ...(note && { note }) } });
}

/** As TokenPool.serveLine, after the pool is settled. */
export function serveLine(work: UnitOfWork): void {
  const { tickets, isLive, policy } = work;
  if (tickets.waiting.length === 0) return;
  if (!isLive || policy.status === 'paused') return;
  work.caller = null;
  const ahead: Ticket[] = [];
  for (const ticket of [...tickets.waiting]) {
    if (ticket.place > tickets.reach) return;
    if (offer(work, ticket, ahead)) continue;
    // Every token is for this one, or for somebody ahead.
    if (ticket.select === null) return;
    ahead.push(ticket);
  }
}

/** As TokenPool.renewPromises. */
export function renewPromises(work: UnitOfWork): void {
  const { tickets, tokens, state, now } = work;
  if (!work.mayBreakPromises || !tickets.isWhole || !work.isLive) return;
  work.mayBreakPromises = false;
  const { waiting } = tickets;
  for (const [at, notLaterThan] of promisesTo(waiting, tokens.all(), state, now).entries()) {
    const ticket = waiting[at] as Ticket;
    if ((ticket.notLaterThan ?? Infinity) === (notLaterThan ?? Infinity)) continue;
    if (ticket.notLaterThan !== null && (notLaterThan ?? Infinity) < ticket.notLaterThan) continue;
    tickets.put({ ...ticket, notLaterThan });
    const metadata = { ticket_id: ticket.id, not_later_than: isoOf(notLaterThan) };
    work.record('promised', null, { owner: ticket, metadata });
  }
}

/**
 * Offers a ticket its tokens, if there are enough. Returns whether it has.
 * @param ahead those who wait for certain tokens before it
 */
function offer(work: UnitOfWork, ticket: Ticket, ahead: readonly Ticket[]): boolean {
  const { state, policy, candidates } = work;
  const { count, select } = ticket;
  const isItsOwn = (token: Token): boolean => serves(token, ticket) && !ahead.some((other) => serves(token, other));
  const isAny = select === null && ahead.length === 0;
  if (isDraining(state) && state.leaseCount + count > policy.size) return false;
  const mayEvict = evicts(policy) && !isDraining(state);
  const first = candidates.longestFree(isAny ? undefined : isItsOwn);
  if (!first && !mayEvict) return false;
  const restore = work.savepoint();
  const claimBy = work.now + fromSeconds(ticket.claimSeconds);
  const leases: OpenLeaseName[] = [];
  for (let free = first; leases.length < count; free = candidates.longestFree(isAny ? undefined : isItsOwn)) {
    const token = free?.token ?? (mayEvict ? evictFor(work, ticket, isItsOwn) : undefined);
    if (!token) {
      restore();
      return false;
    }
    const { fence } = offerOne(work, token, ticket, claimBy);
    leases.push({ tokenId: token.id, fence });
  }
  work.tickets.put({ ...ticket, status: 'offered', leases, claimBy });
  return true;
}

function offerOne(work: UnitOfWork, token: Token, ticket: Ticket, expiresAt: Instant): Lease {
  const { id, userId, holder, keyId, holdSeconds, metadata } = ticket;
  const hardEndAt = holdSeconds === null ? null : expiresAt + fromSeconds(holdSeconds);
  const lease = { userId, holder, keyId, expiresAt, offeredTo: id, ...(hardEndAt !== null && { hardEndAt }) };
  return work.beginLease(token, lease, 'offered', { ...metadata, ticket_id: id });
}

/** Ends the lease whose turn it is, for somebody in the line, unless it is protected or offered itself. */
function evictFor(work: UnitOfWork, { select }: Ticket, isWanted: (token: Token) => boolean): Token | undefined {
  const [victim, reason] = nextVictim(work, select === null ? undefined : isWanted);
  if (!victim?.lease || !isWanted(victim)) return undefined;
  if (protectedUntil(work.policy, victim.lease.activatedAt) > work.now) return undefined;
  work.endLease(victim, 'released', reason, work.now, select ? { select } : null);
  return victim;
}

/** Makes an offer a full lease, whose time counts from now. */
function makeFull(work: UnitOfWork, token: Token, { holdSeconds, ttlSeconds }: Ticket): void {
  const { policy, now } = work;
  const { offeredTo: _, ...lease } = token.lease as Lease;
  const held = holdSeconds === null ? Infinity : now + fromSeconds(holdSeconds);
  const hardEnd = Math.min(held, hardEndFrom(policy, now, ttlSeconds ?? undefined) ?? Infinity);
  const full = {
    ...lease,
    expiresAt: Math.min(firstDeadline(policy, now, ttlSeconds ?? undefined), hardEnd),
    ...(hardEnd !== Infinity && { hardEndAt: hardEnd }),
  };
  work.renewLease(token, full, 'claimed');
}

/** @throws DomainError `ticket_not_found`, also to a key that may not know of the ticket */
function ticketOf({ tickets, callerOrAnybody }: UnitOfWork, id: string): Ticket {
  const ticket = tickets.get(id);
  const { keyId, mayOperate } = callerOrAnybody;
  if (!ticket || !(mayOperate || ticket.keyId === keyId)) throw ticketNotFound(id);
  return ticket;
}

const patienceFrom = ({ now, policy }: UnitOfWork, waitSeconds: number): Instant =>
  now + Math.round(waitSeconds * 1_000_000) + fromSeconds(policy.patienceSeconds);

/** @throws DomainError `unsatisfiable` */
function mustBeSatisfiable({ policy, tokens }: UnitOfWork, { count, select }: PlaceRequest): void {
  if (count > policy.size) throw refusals.tooMany(policy, count);
  if (!select) return;
  const matching = tokens.all().filter((token) => serves(token, { select })).length;
  if (matching === 0) throw refusals.unsatisfiable(policy);
  if (matching < count) throw refusals.tooFewSelected(policy, count);
}

const isoOf = (instant: Instant | null): string | null => (instant === null ? null : toIso(instant));
