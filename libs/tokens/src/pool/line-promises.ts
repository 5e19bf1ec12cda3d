// What the policy of a pool means for the promises of its line: when a token comes free at the latest, and how long a
// place keeps one.

import { fromSeconds, type Instant } from '../kernel/instant.js';
import type { PoolState } from './pool-slice.js';
import { hardEndOf, longestLease, type PoolPolicy } from './pool-policy.js';
import { promise, promises, usableAfter, type AfterUse, type Expected, type Place } from './promise.js';
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
  promise(
    now,
    expected(tokens, state, now),
    ahead.map(placeOf),
    placeOf(ticket),
    afterUse(state.policy),
    surplus(state),
  );

/** The promises of all places, as of now. */
export const promisesTo = (
  line: readonly Waiting[],
  tokens: readonly Token[],
  state: PoolState,
  now: Instant,
): (Instant | null)[] =>
  promises(now, expected(tokens, state, now), line.map(placeOf), afterUse(state.policy), surplus(state));

const surplus = ({ tokenCount, policy }: PoolState): number => Math.max(0, tokenCount - policy.size);

/** What a token must pass after a lease. Where nothing limits the time of a cleaning, nothing can be promised. */
function afterUse({ cooldownSeconds, afterUse, cleanWithinSeconds }: PoolPolicy): AfterUse {
  const limit = cleanWithinSeconds === null ? Infinity : fromSeconds(cleanWithinSeconds);
  return {
    cooldown: cooldownSeconds === null ? 0 : fromSeconds(cooldownSeconds),
    cleaning: afterUse === 'clean' ? limit : 0,
  };
}

/** A paused pool offers nothing, so it promises nothing. */
function expected(tokens: readonly Token[], state: PoolState, now: Instant): Expected<Token>[] {
  if (state.policy.status === 'paused') return [];
  return tokens
    .filter(({ isLeaving, upkeep }) => !isLeaving && !upkeep?.disabled)
    .map((token) => ({ token, freeAt: freeAt(token, state.policy, now) }));
}

/** An eviction ends a lease earlier, so the bound counts none. */
function freeAt({ lease, freeSince, upkeep }: Token, policy: PoolPolicy, now: Instant): Instant {
  if (upkeep && upkeep.dirtySince !== null) return cleanAt(upkeep.dirtySince, upkeep.restsUntil, policy, now);
  const since = lease === null ? freeSince : usableAfter(hardEndOf(policy, lease), afterUse(policy));
  return Math.max(now, since);
}

/** Nothing is known of a token that nobody has cleaned in time. */
function cleanAt(
  dirtySince: Instant,
  restsUntil: Instant | null,
  { cleanWithinSeconds }: PoolPolicy,
  now: Instant,
): Instant {
  if (cleanWithinSeconds === null) return Infinity;
  const cleanBy = dirtySince + fromSeconds(cleanWithinSeconds);
  return cleanBy < now ? Infinity : Math.max(cleanBy, restsUntil ?? 0);
}

const placeOf = ({ count, select, holdSeconds, claimSeconds }: Waiting): Place<Token> => ({
  count,
  keeps: holdSeconds === null ? Infinity : fromSeconds(claimSeconds) + fromSeconds(holdSeconds),
  wants: select === null ? null : (token) => serves(token, { select }),
});
