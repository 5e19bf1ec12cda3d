// What the policy of a pool means for the promises of its line: when a token comes free at the latest, and how long a
// place keeps one.

import { fromSeconds, type Instant } from '../kernel/instant.js';
import type { PoolState } from './pool-slice.js';
import { hardEndOf, longestLease } from './pool-policy.js';
import { promise, promises, usableAfter, USABLE_AT_ONCE, type Expected, type Place } from './promise.js';
import type { PlaceRequest } from './requests.js';
import { serves, type Ticket } from './ticket.js';
import type { Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

type Waiting = Pick<Ticket, 'count' | 'select' | 'holdSeconds' | 'claimSeconds'>;

/** The promise of a place that would be taken now. */
export function promiseIfQueued(
  { policy, tickets, tokens, state, now }: UnitOfWork,
  { count = 1, select, ttlSeconds }: Partial<PlaceRequest>,
): Instant | null {
  const holdSeconds = longestLease(policy, ttlSeconds);
  const wanted = { count, select: select ?? null, holdSeconds, claimSeconds: policy.claimSeconds };
  return promiseTo(wanted, tickets.waiting, tokens.all(), state, now);
}

/** @param tokens those that come free first, as many as the line and the place take, or all */
const promiseTo = (
  ticket: Waiting,
  ahead: readonly Waiting[],
  tokens: readonly Token[],
  state: PoolState,
  now: Instant,
): Instant | null =>
  promise(now, expected(tokens, state, now), ahead.map(placeOf), placeOf(ticket), USABLE_AT_ONCE, surplus(state));

/** The promises of all places, as of now. */
export const promisesTo = (
  line: readonly Waiting[],
  tokens: readonly Token[],
  state: PoolState,
  now: Instant,
): (Instant | null)[] => promises(now, expected(tokens, state, now), line.map(placeOf), USABLE_AT_ONCE, surplus(state));

const surplus = ({ tokenCount, policy }: PoolState): number => Math.max(0, tokenCount - policy.size);

/** A paused pool offers nothing, so it promises nothing. */
function expected(tokens: readonly Token[], state: PoolState, now: Instant): Expected<Token>[] {
  if (state.policy.status === 'paused') return [];
  return tokens.filter(({ isLeaving }) => !isLeaving).map((token) => ({ token, freeAt: freeAt(token, state, now) }));
}

/** An eviction ends a lease earlier, so the bound counts none. */
function freeAt({ lease, freeSince }: Token, { policy }: PoolState, now: Instant): Instant {
  const since = lease === null ? freeSince : usableAfter(hardEndOf(policy, lease), USABLE_AT_ONCE);
  return Math.max(now, since);
}

const placeOf = ({ count, select, holdSeconds, claimSeconds }: Waiting): Place<Token> => ({
  count,
  keeps: holdSeconds === null ? Infinity : fromSeconds(claimSeconds) + fromSeconds(holdSeconds),
  wants: select === null ? null : (token) => serves(token, { select }),
});
