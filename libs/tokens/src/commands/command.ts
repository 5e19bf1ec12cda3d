// A command is a value: what it needs, and the function that decides it. So commands can wait, and go together.

import type { Idempotency } from '../pool/answer-book.js';
import { ANYBODY, type Caller } from '../kernel/caller.js';
import type { LeaseClaim } from '../pool/lease-claim.js';
import { needs, type Needs } from './needs.js';
import type { AllocateRequest, Grant, Renewal, TokenPool } from '../pool/token-pool.js';
import type { Token } from '../pool/token.js';

/**
 * The order inside a batch. All commands of a batch are under way at once, so any order is a true one; this
 * one serves most: what frees tokens goes before what takes them, so that nobody is evicted for a token
 * that was just coming back.
 */
const ORDER = ['release', 'keep-alive', 'delete', 'generate', 'allocate'] as const;

export interface Command<T> {
  readonly kind: (typeof ORDER)[number];
  readonly caller: Caller;
  readonly needs: Needs;
  readonly decide: (pool: TokenPool) => T;
  /**
   * Whether the caller has hung up, for a command that makes what only its caller would know of: it is not done then. Left out: it
   * is done all the same, as the end of a lease is wanted by the others, too.
   */
  readonly isGone?: () => boolean;
}

export const byOrder = (a: Command<unknown>, b: Command<unknown>): number =>
  ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind);

/** What a use case answered, now or when the same request came before. */
export interface Replayable<T> {
  readonly value: T;
  readonly isReplay: boolean;
}

/** The same command, decided once for all requests of one key. */
export function once<T>(command: Command<T>, idempotency: Idempotency): Command<Replayable<T>> {
  const name = { useCase: command.kind, key: idempotency.key };
  return {
    kind: command.kind,
    caller: command.caller,
    needs: { ...command.needs, answers: [name] },
    isGone: command.isGone,
    decide: (pool) => {
      const earlier = pool.answers.find(name, idempotency);
      if (earlier) return { value: earlier.value as T, isReplay: true };
      const value = command.decide(pool);
      pool.answers.keep(name, idempotency, value ?? null);
      return { value, isReplay: false };
    },
  };
}

const ONE_PLACE = needs({ free: 1, due: 1 });

export const allocate = (
  request: AllocateRequest,
  caller = ANYBODY,
  isGone?: Command<Grant>['isGone'],
): Command<Grant> => ({
  kind: 'allocate',
  caller,
  isGone,
  needs: needs({
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
  needs: needs({ tokenIds: [tokenId] }),
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
  needs: needs({ tokenIds: [tokenId] }),
  decide: (pool) => pool.keepAlive(tokenId, claim, ttlSeconds),
});

export const generate = (caller = ANYBODY, isGone?: Command<Token>['isGone']): Command<Token> => ({
  kind: 'generate',
  caller,
  isGone,
  needs: ONE_PLACE,
  decide: (pool) => pool.generate(),
});

export const deleteToken = (tokenId: string, force: boolean, caller = ANYBODY): Command<void> => ({
  kind: 'delete',
  caller,
  needs: needs({ tokenIds: [tokenId] }),
  decide: (pool) => pool.delete(tokenId, force),
});
