// What a transaction loads of a line, and what the line makes it load of the tokens. A pool without a line loads
// neither.

import type { LineSlice } from '../pool/pool-tickets.js';
import { hasLine } from '../pool/pool-policy.js';
import type { PoolState } from '../pool/pool-slice.js';
import type { Ticket } from '../pool/ticket.js';
import type { LoadSpec } from './load-spec.js';

/** Whether a transaction that loads this must know the line of the pool. */
export const needsLine = ({ policy, openTickets }: PoolState, { tickets }: LoadSpec): boolean =>
  hasLine(policy) || openTickets > 0 || tickets.length > 0;

/** Whether it loads all tickets that wait, and not only the first ones. */
export const needsWholeLine = ({ promises, whole }: LoadSpec): boolean => promises || whole;

/** Where tokens are kept back between two users, every transaction may take one away from the line. */
export const withPromises = (loads: LoadSpec, { hasUpkeep }: Pick<PoolState, 'hasUpkeep'>): LoadSpec =>
  hasUpkeep ? { ...loads, promises: true } : loads;

/**
 * How many of the tickets that wait for any token it loads at most, if not all: each token that it may free can serve
 * one. Leases of offers that may be given back come on top. It also loads all that wait for certain tokens, all that
 * have an offer, and some of those whose owners have given up.
 */
export const headOfLine = (loads: LoadSpec): number => loads.free + loads.due + loads.grants + freedByName(loads);

/** How many tokens the commands may free whatever the state of the others, and one more. */
export const freedByName = ({ oldest, tokenIds, names }: LoadSpec): number =>
  oldest + tokenIds.length + names.length + 1;

/** The most tickets whose owners have given up that a transaction ends, unless it loads the whole line. */
export const GIVEN_UP_ON_THE_WAY = 500;

/**
 * The part of a line that was loaded.
 * @param headEnds the last place of the head of the line; null when it is empty
 * @param givenUp how many of the tickets are of owners who have given up: they end before anybody behind is served
 */
export function lineSlice(
  tickets: readonly Ticket[],
  loads: LoadSpec,
  headEnds: number | null,
  givenUp: number,
  { openTickets }: Pick<PoolState, 'openTickets'>,
): LineSlice {
  const isWhole = needsWholeLine(loads);
  const open = new Set(
    tickets.filter(({ status }) => status === 'waiting' || status === 'offered').map(({ id }) => id),
  );
  const head = givenUp < GIVEN_UP_ON_THE_WAY ? (headEnds ?? 0) : 0;
  return { tickets, isWhole, reach: isWhole || open.size >= openTickets ? Infinity : head };
}

/** What the transaction loads of the tokens, now that the tickets are known. */
export function withLine(loads: LoadSpec, { tickets }: LineSlice, { policy, tokenCount }: PoolState): LoadSpec {
  const waiting = tickets.filter(({ status }) => status === 'waiting');
  const offered = tickets.filter(({ status }) => status === 'offered');
  const held = tickets.filter(({ id, leases }) => leases.length > 1 || loads.tickets.includes(id));
  const serves = tokensOf(waiting);
  const selectors = waiting.map(({ select }) => select).filter((select) => select !== null);
  const selects = selectors.length > 0 || loads.selectors.length > 0;
  const evicts = policy.onExhausted === 'evict_oldest';
  // The bound of a pool that shrinks leaves out the tokens that come free first.
  const surplus = Math.max(0, tokenCount - policy.size);
  const asked = loads.promises ? serves + loads.awaits : 0;
  const bound = asked > 0 ? asked + surplus + loads.takesAway : 0;
  return {
    ...loads,
    serves,
    selectors: [...loads.selectors, ...selectors],
    tokenIds: [...loads.tokenIds, ...held.flatMap(({ leases }) => leases.map(({ tokenId }) => tokenId))],
    users: [...loads.users, ...waiting.map(({ userId }) => userId)],
    free: loads.free + Math.max(serves, bound),
    due: loads.due + serves,
    grants: evicts && serves > 0 ? loads.grants + serves + tokensOf(offered) : loads.grants,
    oldest: evicts && bound > 0 ? loads.oldest + bound + tokensOf(offered) : loads.oldest,
    soonest: bound,
    dirty: loads.dirty + bound,
    whole: loads.whole || (loads.promises && selects && policy.kind === 'listed'),
  };
}

const tokensOf = (tickets: readonly Ticket[]): number => tickets.reduce((sum, { count }) => sum + count, 0);
