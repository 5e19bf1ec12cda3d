// A command is a value: the parts of the pool that it loads, and the function that decides it. So commands can wait,
// and the executor can decide several in one transaction. Every change of a pool is a command.

import type { Idempotency } from '../pool/idempotency-records.js';
import { ANYBODY, type Caller } from '../kernel/caller.js';
import type { LeaseClaim, ReleaseRequest } from '../pool/lease-claim.js';
import { loadSpec, type LoadSpec } from './load-spec.js';
import { MAX_POOL_SIZE } from '../pool/policy-fields.js';
import type { PolicyChange, PoolPolicy } from '../pool/pool-policy.js';
import { isDraining } from '../pool/pool-slice.js';
import type { Ticket } from '../pool/ticket.js';
import type { GivenThing, ThingChange } from '../pool/thing.js';
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
} from '../pool/requests.js';
import type { TokenPool } from '../pool/token-pool.js';
import type { Token } from '../pool/token.js';

/**
 * The order of the commands in a batch. All of them are under way at once, so any order is correct. This one grants the
 * most: commands that free tokens come before those that take them, so that no lease is evicted for a token that a
 * command of the same batch frees. The line is served between them.
 */
const ORDER = ['release', 'keep-alive', 'claim', 'delete', 'generate', 'clean', 'allocate', 'queue'] as const;

type Kind =
  | (typeof ORDER)[number]
  | 'cleanup'
  | 'add'
  | 'describe'
  | 'disable'
  | 'enable'
  | 'import'
  | 'revoke'
  | 'change'
  | 'fill'
  | 'shrink'
  | 'delete-pool'
  | 'reopen'
  | 'sweep';

export interface Command<T> {
  readonly kind: Kind;
  /** Null stands for the service itself. */
  readonly caller: Caller | null;
  readonly loads: LoadSpec;
  readonly decide: (pool: TokenPool) => T | Next<T>;
  /** Whether the command has a transaction of its own; left out, it shares one with other commands. */
  readonly isExclusive?: true;
  /**
   * Whether the caller has hung up. A command that grants or generates has this, and does nothing then, because only
   * its caller would know of the result. Other commands leave it out, because other callers want the end of a lease,
   * too.
   */
  readonly isGone?: () => boolean;
}

/**
 * The result of a command that has done a part of its work: the command for the rest, which runs after the commands
 * that wait.
 */
export class Next<T> {
  constructor(readonly command: Command<T>) {}
}

/** Whether the line is served before this command, so that it passes over nobody. */
export const isServedAfterLine = ({ kind }: Command<unknown>): boolean => kind === 'allocate' || kind === 'queue';

const PLACES = new Map<Kind, number>(ORDER.map((kind, place) => [kind, place]));

/**
 * The place of a command in its batch. Of the commands that allocate, those for a certain token come first, and then
 * those that select: they can take fewer tokens than the others. Exclusive commands are alone.
 */
export const placeOf = ({ kind, loads }: Command<unknown>): number => {
  const place = PLACES.get(kind) ?? 0;
  if (kind !== 'allocate' || loads.names.length + loads.tokenIds.length > 0) return place;
  return loads.selectors.length > 0 ? place + 0.25 : place + 0.5;
};

/** The answer of a use case, from this request or from an earlier one with the same idempotency key. */
export interface Replayable<T> {
  readonly value: T;
  readonly isReplay: boolean;
}

/** Makes a command idempotent: it is decided once for all requests with the same key. */
export function once<T>(command: Command<T>, idempotency: Idempotency): Command<Replayable<T>> {
  const name = { useCase: command.kind, key: idempotency.key };
  return {
    ...command,
    loads: { ...command.loads, idempotencyRecords: [name] },
    decide: (pool) => {
      const earlier = pool.idempotencyRecords.find(name, idempotency);
      if (earlier) return { value: earlier.value as T, isReplay: true };
      const value = command.decide(pool);
      if (value instanceof Next) return new Next(once(value.command, idempotency));
      pool.idempotencyRecords.add(name, idempotency, value ?? null);
      return { value, isReplay: false };
    },
  };
}

const ONE_PLACE = loadSpec({ free: 1, due: 1 });

/** @param check throws a DomainError where the grant must not happen */
export const allocate = (
  request: AllocateRequest,
  caller = ANYBODY,
  isGone?: Command<Grant>['isGone'],
  check: (grant: Grant) => void = () => undefined,
): Command<Grant> => ({
  kind: 'allocate',
  caller,
  isGone,
  loads: loadSpec({
    free: 1,
    due: 1,
    grants: 1,
    tokenIds: request.tokenId === undefined ? [] : [request.tokenId],
    names: request.name === undefined ? [] : [request.name],
    selectors: request.select === undefined ? [] : [request.select],
    selecting: request.select === undefined ? 0 : 1,
    users: [request.userId],
    keys: caller.keyId === null ? [] : [caller.keyId],
    promises: true,
    awaits: 1,
  }),
  decide: (pool) => {
    const grant = pool.allocate(request);
    check(grant);
    return grant;
  },
});

/** What a request for several tokens, or for a place in the line, loads. */
const loadsOfPlace = ({ userId, select, count }: PlaceRequest, { keyId }: Caller): LoadSpec =>
  loadSpec({
    free: count,
    due: count,
    grants: count,
    selectors: select === undefined ? [] : [select],
    selecting: select === undefined ? 0 : count,
    users: Array<string>(count).fill(userId),
    keys: keyId === null ? [] : [keyId],
    promises: true,
    awaits: count,
  });

/** Grants several tokens at once, all or none. */
export const allocateSeveral = (
  request: PlaceRequest,
  caller = ANYBODY,
  isGone?: Command<Grant[]>['isGone'],
  check: (grant: Grant) => void = () => undefined,
): Command<Grant[]> => ({
  kind: 'allocate',
  caller,
  isGone,
  loads: loadsOfPlace(request, caller),
  decide: (pool) => {
    const grants = pool.allocateSeveral(request);
    grants.forEach(check);
    return grants;
  },
});

/** Grants tokens at once, or takes a place in the line of a pool that has none for the caller. */
export const allocateOrQueue = (
  request: PlaceRequest,
  waitSeconds: number,
  caller = ANYBODY,
  isGone?: Command<Grant[] | Ticket>['isGone'],
  check?: (grant: Grant) => void,
): Command<Grant[] | Ticket> => ({
  ...allocateSeveral(request, caller, isGone),
  decide: (pool) => pool.allocateOrQueue(request, waitSeconds, check),
});

/** Takes a place in the line. */
export const queue = (request: PlaceRequest, caller = ANYBODY): Command<Ticket> => ({
  kind: 'queue',
  caller,
  loads: loadsOfPlace(request, caller),
  decide: (pool) => pool.queue(request),
});

/** Claims what a ticket is offered, or shows that its owner still waits. */
export const claim = (
  ticketId: string,
  waitSeconds: number,
  caller = ANYBODY,
  isGone?: Command<Claimed>['isGone'],
  check: (grant: Grant) => void = () => undefined,
): Command<Claimed> => ({
  kind: 'claim',
  caller,
  isGone,
  loads: loadSpec({ tickets: [ticketId] }),
  decide: (pool) => {
    const claimed = pool.claim(ticketId, waitSeconds);
    claimed.grants?.forEach(check);
    return claimed;
  },
});

/** Gives a place in the line back. */
export const cancel = (ticketId: string, note?: string, caller = ANYBODY): Command<void> => ({
  kind: 'release',
  caller,
  loads: loadSpec({ tickets: [ticketId] }),
  decide: (pool) => pool.cancel(ticketId, note),
});

/** Ends a lease. Returns the status of its token after that. */
export const release = (tokenId: string, request: ReleaseRequest, caller = ANYBODY): Command<StatusAfter> => ({
  kind: 'release',
  caller,
  loads: loadSpec({ tokenIds: [tokenId], upkeep: request.condition !== undefined }),
  decide: (pool) => pool.release(tokenId, request),
});

export const giveBack = (tokenId: string, leaseId: string, caller = ANYBODY): Command<void> => ({
  kind: 'release',
  caller,
  loads: loadSpec({ tokenIds: [tokenId] }),
  decide: (pool) => pool.giveBack(tokenId, leaseId),
});

export const keepAlive = (
  tokenId: string,
  claim: LeaseClaim,
  ttlSeconds?: number,
  caller = ANYBODY,
): Command<Renewal> => ({
  kind: 'keep-alive',
  caller,
  loads: loadSpec({ tokenIds: [tokenId] }),
  decide: (pool) => pool.keepAlive(tokenId, claim, ttlSeconds),
});

/** Grants the token that is dirty for the longest to somebody who cleans it. */
export const clean = (
  request: CleanRequest,
  caller = ANYBODY,
  isGone?: Command<Grant>['isGone'],
  check: (grant: Grant) => void = () => undefined,
): Command<Grant> => ({
  kind: 'clean',
  caller,
  isGone,
  loads: loadSpec({
    due: 1,
    dirty: 1,
    dirtySelectors: request.select === undefined ? [] : [request.select],
    users: [request.userId],
    keys: caller.keyId === null ? [] : [caller.keyId],
    upkeep: true,
  }),
  decide: (pool) => {
    const grant = pool.clean(request);
    check(grant);
    return grant;
  },
});

// Whether a lease may be evicted does not change within a batch, so these two are exclusive.

/** Takes a token out of service; a held one at once, or at the end of its lease. */
export const disable = (tokenId: string, reason: string, whenFree: boolean, caller = ANYBODY): Command<void> => ({
  kind: 'disable',
  isExclusive: true,
  caller,
  loads: loadSpec({ tokenIds: [tokenId], promises: true, takesAway: 1, upkeep: true }),
  decide: (pool) => pool.disable(tokenId, reason, whenFree),
});

/** Puts a token into service again. */
export const enable = (tokenId: string, note: string | undefined, caller = ANYBODY): Command<void> => ({
  kind: 'enable',
  isExclusive: true,
  caller,
  loads: loadSpec({ tokenIds: [tokenId], upkeep: true }),
  decide: (pool) => pool.enable(tokenId, note),
});

export const generate = (caller = ANYBODY, isGone?: Command<Token>['isGone']): Command<Token> => ({
  kind: 'generate',
  caller,
  isGone,
  loads: ONE_PLACE,
  decide: (pool) => pool.generate(),
});

export const deleteToken = (tokenId: string, force: boolean, caller = ANYBODY): Command<void> => ({
  kind: 'delete',
  caller,
  loads: loadSpec({ tokenIds: [tokenId], promises: true, takesAway: 1 }),
  decide: (pool) => pool.delete(tokenId, force),
});

/** Deletes a token now, or a held one at the end of its lease. Returns whether it is deleted. */
export const deleteWhenFree = (tokenId: string, caller = ANYBODY): Command<boolean> => ({
  kind: 'delete',
  caller,
  loads: loadSpec({ tokenIds: [tokenId], promises: true, takesAway: 1 }),
  decide: (pool) => pool.deleteWhenFree(tokenId),
});

// The commands for things are exclusive, so that within a batch no name and no attribute changes.

export const addThing = (given: GivenThing, caller = ANYBODY, isGone?: Command<Token>['isGone']): Command<Token> => ({
  kind: 'add',
  isExclusive: true,
  caller,
  isGone,
  loads: loadSpec({ names: [given.name] }),
  decide: (pool) => pool.add(given),
});

export const describeThing = (tokenId: string, change: ThingChange, caller = ANYBODY): Command<void> => ({
  kind: 'describe',
  isExclusive: true,
  caller,
  loads: loadSpec({ tokenIds: [tokenId], names: change.name === undefined ? [] : [change.name], promises: true }),
  decide: (pool) => pool.describe(tokenId, change),
});

/** Puts things into a listed pool in one transaction, all or none. */
export const importThings = (
  given: readonly GivenThing[],
  deletesMissing: boolean,
  caller = ANYBODY,
): Command<ImportResult> => ({
  kind: 'import',
  isExclusive: true,
  caller,
  loads: deletesMissing
    ? loadSpec({ whole: true, promises: true })
    : loadSpec({ names: given.map(({ name }) => name), promises: true }),
  decide: (pool) => pool.import(given, deletesMissing),
});

/**
 * The tokens or leases that a command for a whole pool changes in one transaction, which holds the lock for some 100
 * ms.
 */
const CHUNK = 5000;

/** Ends every lease that is open when the command begins, and returns how many. */
export const cleanup = (caller = ANYBODY, released = 0, lastFence = Infinity): Command<number> => ({
  kind: 'cleanup',
  isExclusive: true,
  caller,
  loads: loadSpec({ oldest: CHUNK, due: CHUNK }),
  decide: (pool) => {
    const ended = pool.releaseOldest(CHUNK, lastFence);
    if (ended < CHUNK) return released + ended;
    return new Next(cleanup(caller, released + ended, Math.min(lastFence, pool.state.lastFence)));
  },
});

const deleteRest = (caller: Caller | null): Command<void> => ({
  kind: 'delete-pool',
  isExclusive: true,
  caller,
  loads: loadSpec({ free: CHUNK, due: CHUNK, oldest: CHUNK, keptBack: CHUNK }),
  decide: (pool) => {
    if (pool.deleteRest(CHUNK)) return new Next(deleteRest(caller));
  },
});

/** Deletes a pool with its tokens. If a crash interrupts it, the sweep continues. */
export const deletePool = (force: boolean, caller: Caller | null): Command<void> => ({
  ...deleteRest(caller),
  decide: (pool) => {
    pool.beginDeletion(force);
    return deleteRest(caller).decide(pool);
  },
});

/** Opens a deleted pool again, and fills it. */
export const reopen = (policy: PoolPolicy, caller: Caller | null): Command<void> => ({
  ...fill(caller),
  kind: 'reopen',
  decide: (pool) => {
    pool.reopen(policy);
    return fill(caller).decide(pool);
  },
});

/** Ends those of the leases that are still open, and returns how many. */
export const revoke = (
  leases: readonly OpenLeaseName[],
  note: string | undefined,
  caller = ANYBODY,
  released = 0,
): Command<number> => ({
  kind: 'revoke',
  isExclusive: true,
  caller,
  loads: loadSpec({ tokenIds: leases.slice(0, CHUNK).map(({ tokenId }) => tokenId) }),
  decide: (pool) => {
    const ended = released + pool.revoke(leases.slice(0, CHUNK), note);
    return leases.length <= CHUNK ? ended : new Next(revoke(leases.slice(CHUNK), note, caller, ended));
  },
});

/** Generates the tokens that a fixed pool lacks. If a crash interrupts it, the sweep continues. */
export const fill = (caller: Caller | null): Command<void> => ({
  kind: 'fill',
  isExclusive: true,
  caller,
  loads: loadSpec({}),
  decide: (pool) => {
    if (pool.fill(CHUNK) > 0) return new Next(fill(caller));
  },
});

/** Deletes the free tokens that a pool has beyond its size. If a crash interrupts it, the sweep continues. */
const shrink = (caller: Caller | null): Command<void> => ({
  kind: 'shrink',
  isExclusive: true,
  caller,
  loads: loadSpec({ free: CHUNK, due: CHUNK, keptBack: CHUNK }),
  decide: (pool) => {
    if (pool.shrink(CHUNK)) return new Next(shrink(caller));
  },
});

export const changePolicy = (change: PolicyChange, caller: Caller | null): Command<void> => ({
  kind: 'change',
  isExclusive: true,
  caller,
  loads: {
    ...(change.size === undefined ? loadSpec({}) : shrink(caller).loads),
    promises: true,
    // If somebody waits, all tokens: a smaller size takes any number of them away.
    takesAway: change.size === undefined ? 0 : MAX_POOL_SIZE,
  },
  decide: (pool) => {
    pool.changePolicy(change);
    return (isDraining(pool.state) ? shrink(caller) : fill(caller)).decide(pool);
  },
});
