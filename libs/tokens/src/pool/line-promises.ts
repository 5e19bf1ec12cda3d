// What the policy of a pool means for the promises of its line: when a token comes free at the latest, and how long a
// place keeps one.

import { fromSeconds, type Instant } from '../kernel/instant.js';
import { isDraining, type PoolState } from './pool-slice.js';
import { hardEndOf, protectedUntil, type PoolPolicy } from './pool-policy.js';
import { promise, promises, usableAfter, USABLE_AT_ONCE, type Expected, type Place } from './promise.js';
import { serves, type Ticket } from './ticket.js';
import type { Token } from './token.js';

type Waiting = Pick<Ticket, 'count' | 'select' | 'holdSeconds' | 'claimSeconds'>;

/** @param tokens those that come free first, as many as the line and the place take, or all */
export const promiseTo = (
  ticket: Waiting,
  ahead: readonly Waiting[],
  tokens: readonly Token[],
  state: PoolState,
  now: Instant,
): Instant | null =>
  promise(
    now,
    expected(tokens, state, now),
    ahead.map((one) => placeOf(one, state)),
    placeOf(ticket, state),
    USABLE_AT_ONCE,
    surplus(state),
  );

/** The promises of all places, as of now. */
export const promisesTo = (
  line: readonly Waiting[],
  tokens: readonly Token[],
  state: PoolState,
  now: Instant,
): (Instant | null)[] =>
  promises(
    now,
    expected(tokens, state, now),
    line.map((ticket) => placeOf(ticket, state)),
    USABLE_AT_ONCE,
    surplus(state),
  );

const surplus = ({ tokenCount, policy }: PoolState): number => Math.max(0, tokenCount - policy.size);

/** A paused pool offers nothing, so it promises nothing. */
function expected(tokens: readonly Token[], state: PoolState, now: Instant): Expected<Token>[] {
  if (state.policy.status === 'paused') return [];
  return tokens.filter(({ isLeaving }) => !isLeaving).map((token) => ({ token, freeAt: freeAt(token, state, now) }));
}

function freeAt({ lease, freeSince }: Token, state: PoolState, now: Instant): Instant {
  if (lease === null) return Math.max(now, freeSince);
  const end = hardEndOf(state.policy, lease);
  if (!evictsOldest(state)) return Math.max(now, usableAfter(end, USABLE_AT_ONCE));
  // The pool evicts no lease that is offered, and none that is protected.
  const claimBy = lease.offeredTo ? lease.expiresAt : -Infinity;
  const evictableAt = Math.max(protectedUntil(state.policy, lease.activatedAt), claimBy);
  return Math.max(now, usableAfter(Math.min(end, evictableAt), USABLE_AT_ONCE));
}

function placeOf({ count, select, holdSeconds, claimSeconds }: Waiting, state: PoolState): Place<Token> {
  const claim = fromSeconds(claimSeconds);
  const longest = holdSeconds === null ? Infinity : claim + fromSeconds(holdSeconds);
  const evictable = Math.max(protectedUntil(state.policy, 0), claim);
  return {
    count,
    keeps: evictsOldest(state) ? Math.min(longest, evictable) : longest,
    wants: select === null ? null : (token) => serves(token, { select }),
  };
}

/** Where the oldest lease is evicted as soon as its protection is over. A pool that drains evicts none. */
const evictsOldest = (state: PoolState): boolean => {
  const { onExhausted, evict }: PoolPolicy = state.policy;
  return onExhausted === 'evict_oldest' && evict === 'oldest' && !isDraining(state);
};
