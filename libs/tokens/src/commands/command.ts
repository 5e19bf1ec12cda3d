// A command is a value: what it needs, and the function that decides it. So commands can wait, and go together. Every
// change of a pool is one of these.

import type { Idempotency } from '../pool/idempotency-records.js';
import { ANYBODY, type Caller } from '../kernel/caller.js';
import type { LeaseClaim } from '../pool/lease-claim.js';
import { loadSpec, type LoadSpec } from './load-spec.js';
import type { PolicyChange } from '../pool/pool-policy.js';
import type { AllocateRequest, Grant, Renewal, TokenPool } from '../pool/token-pool.js';
import type { Token } from '../pool/token.js';

/**
 * The order inside a batch. All commands of a batch are under way at once, so any order is a true one; this
 * one serves most: what frees tokens goes before what takes them, so that nobody is evicted for a token
 * that was just coming back.
 */
const ORDER = ['release', 'keep-alive', 'delete', 'generate', 'allocate'] as const;

type Kind = (typeof ORDER)[number] | 'cleanup' | 'change' | 'fill' | 'sweep';

export interface Command<T> {
  readonly kind: Kind;
  /** Null: the service itself. */
  readonly caller: Caller | null;
  readonly loads: LoadSpec;
  readonly decide: (pool: TokenPool) => T | Next<T>;
  /** It has a transaction of its own. Left out: it goes together with others. */
  readonly isExclusive?: true;
  /**
   * Whether the caller has hung up, for a command that makes what only its caller would know of: it is not done then.
   * Left out: it is done all the same, as the end of a lease is wanted by the others, too.
   */
  readonly isGone?: () => boolean;
}

/** The answer of a command that has done a part of its work: the command that goes on, after others had their turn. */
export class Next<T> {
  constructor(readonly command: Command<T>) {}
}

export const byOrder = (a: Command<unknown>, b: Command<unknown>): number => placeOf(a) - placeOf(b);

const placeOf = ({ kind }: Command<unknown>): number => (ORDER as readonly Kind[]).indexOf(kind);

/** What a use case answered, now or when the same request came before. */
export interface Replayable<T> {
  readonly value: T;
  readonly isReplay: boolean;
}

/** The same command, decided once for all requests of one key. */
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

export const allocate = (
  request: AllocateRequest,
  caller = ANYBODY,
  isGone?: Command<Grant>['isGone'],
): Command<Grant> => ({
  kind: 'allocate',
  caller,
  isGone,
  loads: loadSpec({
    free: 1,
    due: 1,
    grants: 1,
    users: [request.userId],
    keys: caller.keyId === null ? [] : [caller.keyId],
  }),
  decide: (pool) => pool.allocate(request),
});

export const release = (tokenId: string, claim: LeaseClaim, caller = ANYBODY): Command<void> => ({
  kind: 'release',
  caller,
  loads: loadSpec({ tokenIds: [tokenId] }),
  decide: (pool) => pool.release(tokenId, claim),
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
  loads: loadSpec({ tokenIds: [tokenId] }),
  decide: (pool) => pool.delete(tokenId, force),
});

/** Tokens made or leases ended in one transaction by what concerns a whole pool: a lock of some 100 ms. */
const CHUNK = 5000;

/** Ends every lease that is active when it begins; answers how many. */
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

/** Makes the tokens that a fixed pool lacks. What a crash interrupts, the sweep goes on with. */
export const fill = (caller: Caller | null): Command<void> => ({
  kind: 'fill',
  isExclusive: true,
  caller,
  loads: loadSpec({}),
  decide: (pool) => {
    if (pool.fill(CHUNK) > 0) return new Next(fill(caller));
  },
});

export const changePolicy = (change: PolicyChange, caller: Caller | null): Command<void> => ({
  ...fill(caller),
  kind: 'change',
  decide: (pool) => {
    pool.changePolicy(change);
    return fill(caller).decide(pool);
  },
});
