// The repository in memory, for tests without a database. test/database/token-pool-repository.spec.ts runs the same
// tests on it as on the PostgreSQL repository.

import { IDEMPOTENCY_RECORD_HOURS, type IdempotencyRecord } from '../pool/idempotency-records.js';
import { DomainError, poolNotFound } from '../kernel/domain-error.js';
import type { Instant } from '../kernel/instant.js';
import {
  GIVEN_UP_ON_THE_WAY,
  headOfLine,
  lineSlice,
  needsLine,
  needsWholeLine,
  withLine,
  withPromises,
} from '../commands/load-line.js';
import { loadSpec, tokensOfSelection, type LoadSpec } from '../commands/load-spec.js';
import type { LineSlice } from '../pool/pool-tickets.js';
import { countsLeases, evictsOverShare, hardEndOf, keepsBack, type PoolPolicy } from '../pool/pool-policy.js';
import type { TokenEvent } from '../pool/token-event.js';
import { isDraining, type PoolSlice, type PoolState } from '../pool/pool-slice.js';
import { TokenPool } from '../pool/token-pool.js';
import { TokenPoolRepository } from '../commands/token-pool-repository.js';
import { isSelected } from '../pool/thing.js';
import { isGivenUp, type Ticket } from '../pool/ticket.js';
import { isFree, isOverdue, mayBeEvicted, type Token } from '../pool/token.js';
import { leaseCountsOf } from './given.js';

interface StoredPool {
  state: PoolState;
  lastAt: Instant;
  tokens: Map<string, Token>;
  events: (TokenEvent & { readonly recordedAt: Instant })[];
  records: (IdempotencyRecord & { readonly at: Instant })[];
  tickets: Map<string, StoredTicket>;
  /** The lock of the pool: resolves when the transaction that holds it ends. */
  lock: Promise<unknown>;
  isLocked: boolean;
}

/** A ticket with the instant of its last change. */
type StoredTicket = Ticket & { readonly changedAt: Instant };

/** The time of a pool. */
interface Time {
  readonly now: Instant;
  /** By how many microseconds the clock is behind `now`. */
  readonly clockBehind: number;
}

export class InMemoryTokenPoolRepository extends TokenPoolRepository {
  readonly #pools = new Map<string, StoredPool>();

  constructor(private readonly clock: () => Instant) {
    super();
  }

  change<T>(poolName: string, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T> {
    const stored = this.#pools.get(poolName);
    if (!stored) return Promise.reject(poolNotFound(poolName));
    return this.#locked(stored, loads, decide);
  }

  async changeIfIdle<T>(poolName: string, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T | undefined> {
    const stored = this.#pools.get(poolName);
    return stored && !stored.isLocked ? this.#locked(stored, loads, decide) : undefined;
  }

  create<T>(policy: PoolPolicy, decide: (pool: TokenPool) => T): Promise<T> {
    if (this.#pools.has(policy.name)) {
      return Promise.reject(new DomainError('pool_exists', `there is a pool ${policy.name} already`));
    }
    const state = newState(policy);
    const stored: StoredPool = {
      state,
      lastAt: this.clock(),
      tokens: new Map(),
      events: [],
      records: [],
      tickets: new Map(),
      lock: Promise.resolve(),
      isLocked: false,
    };
    const made = this.#locked(stored, loadSpec({}), decide);
    this.#pools.set(policy.name, stored);
    return made.catch((error: unknown) => {
      this.#pools.delete(policy.name);
      throw error;
    });
  }

  poolsToSweep(): Promise<string[]> {
    const now = this.clock();
    const hasWork = ({ state, tokens, records, tickets }: StoredPool): boolean => {
      const { policy, life, tokenCount, leaseCount, openTickets } = state;
      return (
        records.some(({ at }) => this.#isOld(at)) ||
        [...tickets.values()].some((ticket) => this.#isOldTicket(ticket)) ||
        openTickets > 0 ||
        life === 'deleting' ||
        (policy.kind === 'fixed' && life === 'live' && tokenCount < policy.size) ||
        tokenCount > Math.max(policy.size, leaseCount) ||
        [...tokens.values()].some(({ lease, freeSince }) =>
          lease
            ? isOverdue(lease, now)
            : policy.idleTtlSeconds !== null && freeSince <= now - policy.idleTtlSeconds * 1_000_000,
        )
      );
    };
    return Promise.resolve([...this.#pools].filter(([, pool]) => hasWork(pool)).map(([name]) => name));
  }

  deleteExpiredRecords(poolName: string, most: number): Promise<number> {
    const stored = this.#pools.get(poolName) as StoredPool;
    const old = stored.records.filter(({ at }) => this.#isOld(at)).slice(0, most);
    stored.records = stored.records.filter((record) => !old.includes(record));
    return Promise.resolve(old.length);
  }

  deleteExpiredTickets(poolName: string, most: number): Promise<number> {
    const { tickets } = this.#pools.get(poolName) as StoredPool;
    const old = [...tickets.values()].filter((ticket) => this.#isOldTicket(ticket)).slice(0, most);
    for (const { id } of old) tickets.delete(id);
    return Promise.resolve(old.length);
  }

  /** The names of the pools in the order of their creation. */
  get poolNames(): string[] {
    return [...this.#pools.keys()];
  }

  /** The stored rows of a pool, for tests and readers; undefined when there is no such pool. */
  look(poolName: string): Readonly<Pick<StoredPool, 'state' | 'tokens' | 'events' | 'tickets'>> & Time {
    const stored = this.#pools.get(poolName);
    if (!stored) return undefined as never;
    const clock = this.clock();
    return { ...stored, now: Math.max(clock, stored.lastAt), clockBehind: Math.max(0, stored.lastAt - clock) };
  }

  #isOld(at: Instant): boolean {
    return at < this.clock() - IDEMPOTENCY_RECORD_HOURS * 3_600_000_000;
  }

  #isOldTicket({ status, changedAt }: StoredTicket): boolean {
    return (status === 'granted' || status === 'ended') && this.#isOld(changedAt);
  }

  #locked<T>(stored: StoredPool, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T> {
    const result = stored.lock.then(async () => {
      stored.isLocked = true;
      // As with a real store, others get their turn while this one is under way.
      await new Promise(setImmediate);
      try {
        const pool = TokenPool.restore(this.#slice(stored, loads));
        const decided = decide(pool);
        save(stored, pool);
        return decided;
      } finally {
        stored.isLocked = false;
      }
    });
    stored.lock = result.catch(() => undefined);
    return result;
  }

  /** Here the time of a pool stands still after the clock was set back; in PostgreSQL it continues (pool-clock.ts). */
  #slice({ state, tokens, lastAt, records: kept, tickets }: StoredPool, asked: LoadSpec): PoolSlice {
    const now = Math.max(this.clock(), lastAt);
    const line = needsLine(state, asked)
      ? lineOf([...tickets.values()], withPromises(asked, state), state, now)
      : undefined;
    const loads = line ? withLine(withPromises(asked, state), line, state) : asked;
    const all = [...tokens.values()];
    const free = all
      .filter(isFree)
      .sort((a, b) => a.freeSince - b.freeSince || (a.id < b.id ? -1 : 1))
      .slice(0, loads.free);
    const leased = all.filter(({ lease }) => lease !== null);
    const due = leased
      .filter(({ lease }) => isOverdue(lease!, now))
      .sort((a, b) => a.lease!.expiresAt - b.lease!.expiresAt || (a.id < b.id ? -1 : 1))
      .slice(0, loads.due);
    const running = leased.filter(({ lease }) => !isOverdue(lease!, now));
    // A pool above its size may delete the tokens of overdue leases, and another one may keep them back.
    const freed =
      free.filter(({ freeSince }) => freeSince <= now).length +
      (isDraining(state) || state.hasUpkeep ? 0 : due.filter(mayBeEvicted).length);
    const victims = state.policy.onExhausted === 'evict_oldest' ? Math.max(0, loads.grants - freed) : 0;
    const oldest = running
      .sort((a, b) => a.lease!.fence - b.lease!.fence)
      .filter((token) => mayBeEvicted(token) || token.lease!.offeredTo || loads.oldest > 0)
      .slice(0, loads.oldest + victims);
    const isFull = freed < loads.grants + loads.oldest;
    const losing =
      loads.grants > 0 && isFull && evictsOverShare(state.policy)
        ? overShare(
            running.filter(({ isLeaving }) => !isLeaving),
            loads,
            loads.grants + loads.oldest - freed,
          )
        : [];
    const holders = [...loads.users, ...losing.map(({ lease }) => lease!.userId)];
    const leases = running.map(({ lease }) => lease!);
    const byId = loads.tokenIds.map((id) => tokens.get(id)).filter((token) => token !== undefined);
    const named = all.filter(({ thing }) => loads.whole || (thing && loads.names.includes(thing.name)));
    const selected = loads.selectors.flatMap((selector) => {
      const ofSelection = all.filter(({ thing }) => isSelected(thing?.attributes, selector));
      const first = (tokens: Token[]): Token[] => tokens.slice(0, tokensOfSelection(loads));
      return [
        ...first(ofSelection.filter(isFree).sort((a, b) => a.freeSince - b.freeSince)),
        // So that the pool knows that there is one.
        ...ofSelection.filter((token) => token.lease === null && !isFree(token)).slice(0, 1),
        ...first(ofSelection.filter(({ lease }) => lease && isOverdue(lease, now)).sort(byDeadline)),
        ...first(ofSelection.filter(({ lease }) => lease && !isOverdue(lease, now)).sort(byDeadline)),
        ...first(ofSelection.filter(({ lease }) => lease && !isOverdue(lease, now)).sort(byFence)),
      ];
    });
    const soonest = leased
      .filter(({ isLeaving, lease }) => !isLeaving && lease!.purpose === undefined)
      .sort((a, b) => hardEndOf(state.policy, a.lease!) - hardEndOf(state.policy, b.lease!))
      .slice(0, loads.soonest);
    const keptBack = all.filter((token) => token.lease === null && !isFree(token));
    const dirty = keptBack.filter(({ upkeep }) => !upkeep?.disabled).sort((a, b) => a.freeSince - b.freeSince);
    const dirtyOnes = [undefined, ...loads.dirtySelectors].flatMap((selector) =>
      dirty
        .filter(({ thing }) => selector === undefined || isSelected(thing?.attributes, selector))
        .slice(0, loads.dirty),
    );
    const cleaned = leased.filter(({ lease }) => loads.soonest > 0 && lease!.purpose === 'clean');
    const loaded = new Set([...byId, ...named, ...selected, ...oldest, ...losing, ...soonest, ...cleaned]);
    const others = running.filter((token) => !loaded.has(token));
    const nextExpiryAt = others.length === 0 ? null : Math.min(...others.map(({ lease }) => lease!.expiresAt));
    const idempotencyRecords = kept.filter((record) =>
      loads.idempotencyRecords.some(({ useCase, key }) => useCase === record.useCase && key === record.key),
    );
    return {
      state,
      now,
      nextExpiryAt,
      line,
      idempotencyRecords,
      users: countsLeases(state.policy) ? leaseCountsOf(holders, leases, ({ userId }) => userId) : undefined,
      keys: countsLeases(state.policy) ? leaseCountsOf(loads.keys, leases, ({ keyId }) => keyId) : undefined,
      tokens: [
        ...[...byId, ...named, ...selected, ...due, ...free, ...oldest, ...losing, ...soonest],
        ...[...cleaned, ...dirtyOnes, ...keptBack.slice(0, loads.keptBack)],
      ].map((token) => ({ ...token })),
    };
  }
}

const newState = (policy: PoolPolicy): PoolState => ({
  policy,
  life: 'live',
  lastSeq: 0,
  lastFence: 0,
  tokenCount: 0,
  leaseCount: 0,
  lastPlace: 0,
  openTickets: 0,
  hasUpkeep: keepsBack(policy),
  dirtyCount: 0,
  disabledCount: 0,
  cleaningCount: 0,
});

function lineOf(tickets: readonly Ticket[], loads: LoadSpec, state: PoolState, now: Instant): LineSlice {
  const waiting = tickets.filter(({ status }) => status === 'waiting').sort((a, b) => a.place - b.place);
  const alive = waiting.filter((ticket) => !isGivenUp(ticket, now));
  const givenUp = waiting.filter((ticket) => isGivenUp(ticket, now)).slice(0, GIVEN_UP_ON_THE_WAY);
  const others = tickets.filter(({ id, status }) => status === 'offered' || loads.tickets.includes(id));
  const given = others.reduce((sum, { leases }) => sum + leases.length, 0);
  const head = alive.filter(({ select }) => select === null).slice(0, headOfLine(loads) + given);
  const some = [...head, ...alive.filter(({ select }) => select !== null), ...givenUp];
  const loaded = [...(needsWholeLine(loads) ? waiting : some), ...others];
  return lineSlice(loaded, loads, head.at(-1)?.place ?? null, givenUp.length, state);
}

const byFence = (a: Token, b: Token): number => a.lease!.fence - b.lease!.fence;
const byDeadline = (a: Token, b: Token): number => a.lease!.expiresAt - b.lease!.expiresAt || (a.id < b.id ? -1 : 1);

function save(stored: StoredPool, pool: TokenPool): void {
  for (const token of [...pool.changed, ...pool.described, ...pool.generated]) stored.tokens.set(token.id, token);
  for (const { id } of pool.deleted) stored.tokens.delete(id);
  stored.events.push(...pool.events.map((event) => ({ ...event, recordedAt: pool.now })));
  stored.records.push(...pool.idempotencyRecords.added.map((record) => ({ ...record, at: pool.now })));
  for (const ticket of pool.changedTickets) stored.tickets.set(ticket.id, { ...ticket, changedAt: pool.now });
  stored.state = pool.state;
  stored.lastAt = pool.now;
}

/**
 * The tokens that a batch may evict by share: the first ones now, and those of the asking users that may come first
 * when the batch grants each of their requests. The share of a lease is the number of leases that its user has from it
 * on.
 */
function overShare(running: Token[], { users }: LoadSpec, most: number): Token[] {
  const held = new Map<string, number>();
  const shares = new Map<Token, number>();
  const isSpared = ({ lease, upkeep }: Token): boolean => lease!.purpose === 'clean' || upkeep?.disabled != null;
  const inOrder = running.sort((a, b) => b.lease!.fence - a.lease!.fence);
  // The leases that nobody evicts count for their users, too.
  for (const token of [...inOrder.filter(isSpared), ...inOrder.filter((token) => !isSpared(token))]) {
    const share = (held.get(token.lease!.userId) ?? 0) + 1;
    held.set(token.lease!.userId, share);
    shares.set(token, share);
  }
  const inTurn = running
    .filter((token) => !isSpared(token))
    .sort((a, b) => shares.get(b)! - shares.get(a)! || a.lease!.fence - b.lease!.fence);
  const losing = inTurn.slice(0, most);
  const least = Math.min(...losing.map((token) => shares.get(token)!));
  const rising = inTurn.slice(most).filter((token) => {
    const asks = users.filter((user) => user === token.lease!.userId).length;
    return asks > 0 && shares.get(token)! + asks >= least;
  });
  return [...losing, ...rising];
}
