// The rules by which tokens come and go: they are generated up to the size of the pool, and deleted when nobody uses
// them, when the size became smaller, or by a command.

import { fromSeconds } from '../kernel/instant.js';
import { endOffer } from './lease-end.js';
import { isDraining } from './pool-slice.js';
import * as refusals from './refusals.js';
import type { Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** As TokenPool.generate, after the pool is settled. */
export function generate(work: UnitOfWork): Token {
  const { policy } = work;
  if (policy.kind === 'listed') throw refusals.nameMissing(policy);
  if (work.state.tokenCount >= policy.size) deleteIdle(work, 1);
  if (work.state.tokenCount >= policy.size) throw refusals.limitReached(policy);
  return work.generate();
}

/** As TokenPool.fill. */
export function fill(work: UnitOfWork, most: number): number {
  const { size, kind } = work.policy;
  if (kind !== 'fixed' || !work.isLive) return 0;
  for (let generated = 0; generated < most && work.state.tokenCount < size; generated++) work.generate();
  return Math.max(0, size - work.state.tokenCount);
}

/** As TokenPool.deleteIdle, after the pool is settled. */
export function deleteIdle(work: UnitOfWork, most: number): void {
  const { policy, state, candidates } = work;
  if (policy.idleTtlSeconds === null || !work.isLive || state.openTickets > 0) return;
  const idleSince = work.now - fromSeconds(policy.idleTtlSeconds);
  for (let deleted = 0; deleted < most; deleted++) {
    const longest = candidates.longestFree();
    if (!longest || longest.since > idleSince) return;
    work.remove(longest.token, 'idle_ttl');
  }
}

/** As TokenPool.shrink, after the pool is settled. */
export function shrink(work: UnitOfWork, most: number): boolean {
  for (let deleted = 0; work.isLive && isDraining(work.state); deleted++) {
    if (deleted === most) return true;
    const token = work.candidates.longestFree()?.token ?? work.tokens.all().find(({ lease }) => lease === null);
    if (!token) return false;
    work.remove(token, 'shrunk');
  }
  return false;
}

/** Deletes a token now, or a held one at the end of its lease, and returns whether it is deleted. */
export function deleteWhenFree(work: UnitOfWork, token: Token): boolean {
  work.mayBreakPromises = true;
  if (token.lease) {
    if (!token.isLeaving) work.drain(token, true);
    return false;
  }
  work.remove(token, 'removed');
  return true;
}

/** Deletes a token now. @throws DomainError `token_in_use` for a held one, unless its lease is ended by force */
export function deleteNow(work: UnitOfWork, token: Token, force: boolean): void {
  const { lease } = token;
  if (lease !== null) {
    if (!force) throw refusals.tokenHeld(token.id);
    work.endLease(token, 'released', 'deleted_by_client');
  }
  work.remove(token, 'deleted_by_client');
  if (lease) endOffer(work, lease, 'deleted_by_client');
  work.mayBreakPromises = true;
}
