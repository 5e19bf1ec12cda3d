// The use cases: each is a command for the queue, or a decision under the pool's lock.

import type { Idempotency } from '../pool/answer-book.js';
import { ANYBODY, type Caller } from '../kernel/caller.js';
import { allocate, deleteToken, generate, keepAlive, once, release, type Command } from './command.js';
import type { CommandQueue } from './command-queue.js';
import { DomainError, tokenDeleted, tokenNotFound } from '../kernel/domain-error.js';
import type { LeaseClaim } from '../pool/lease-claim.js';
import { needs } from './needs.js';
import type { PoolKind } from '../pool/policy-fields.js';
import { newPolicy, type PolicyChange } from '../pool/pool-policy.js';
import type { AllocateRequest, Grant, Renewal, TokenPool } from '../pool/token-pool.js';
import type { Transactions } from './token-pool-repository.js';
import type { PoolReader } from '../reading/pool-reader.js';
import type { TokenReader, Whereabouts } from '../reading/token-reader.js';
import type { Token } from '../pool/token.js';
import type { PoolView } from '../reading/views.js';
import { tokenFor } from '../reading/visibility.js';

/** Tokens made or leases ended in one transaction by what concerns a whole pool: a lock of some 100 ms. */
const CHUNK = 5000;

/** A token never changes its pool, so where it lives is remembered. */
const REMEMBERED_TOKENS = 100_000;

/** How something is asked for. */
export interface Asked {
  /** Left out: anybody. */
  readonly caller?: Caller;
  /** The pool that the token must be of. */
  readonly within?: string;
  readonly idempotency?: Idempotency;
  /** Whether the caller has hung up. What would be granted or made for it then, is not. */
  readonly isGone?: () => boolean;
}

export class TokenPoolService {
  readonly #poolOf = new Map<string, string>();

  constructor(
    private readonly queue: CommandQueue,
    private readonly transactions: Transactions,
    private readonly tokens: TokenReader,
    private readonly pools: PoolReader,
  ) {}

  /** @throws DomainError `pool_not_found`, `pool_exhausted`, `unavailable` */
  allocate(poolName: string, request: AllocateRequest, { caller, idempotency, isGone }: Asked = {}): Promise<Grant> {
    return this.#submit(poolName, allocate(request, caller, isGone), idempotency);
  }

  /** @throws DomainError `token_not_found`, `token_deleted`, `token_not_active`, `stale_lease`, `lease_ended`, `lease_handle_required`, `insufficient_scope`, `unavailable` */
  release(tokenId: string, claim: LeaseClaim, asked: Asked = {}): Promise<void> {
    return this.#ofLease(tokenId, claim, release(tokenId, claim, asked.caller), asked);
  }

  /** @throws DomainError as `release`, and `not_renewable`, `invalid_request` */
  keepAlive(tokenId: string, claim: LeaseClaim, ttlSeconds?: number, asked: Asked = {}): Promise<Renewal> {
    return this.#ofLease(tokenId, claim, keepAlive(tokenId, claim, ttlSeconds, asked.caller), asked);
  }

  /** @throws DomainError `pool_not_found`, `pool_is_fixed`, `pool_limit_reached`, `unavailable` */
  generate(poolName: string, { caller, idempotency, isGone }: Asked = {}): Promise<Token> {
    return this.#submit(poolName, generate(caller, isGone), idempotency);
  }

  /** @throws DomainError `token_not_found`, `token_deleted`, `pool_is_fixed`, `token_in_use`, `unavailable` */
  async delete(tokenId: string, force: boolean, asked: Asked = {}): Promise<void> {
    return this.queue.submit(await this.#locate(tokenId, asked), deleteToken(tokenId, force, asked.caller));
  }

  /** Ends every lease that is active when it begins; says how many. In chunks, so that others get their turn. */
  async cleanup(poolName: string, { caller = ANYBODY, idempotency }: Asked = {}): Promise<number> {
    const name = { useCase: 'cleanup', key: idempotency?.key ?? '' };
    const chunk = needs({ oldest: CHUNK, due: CHUNK, answers: idempotency ? [name] : [] });
    let released = 0;
    for (let lastFence = Infinity; ;) {
      const ending = this.transactions.change(poolName, chunk, (pool) => {
        pool.caller = caller;
        const earlier = idempotency && pool.answers.find(name, idempotency);
        const ended = earlier ? 0 : pool.releaseOldest(CHUNK, lastFence);
        if (idempotency && !earlier && ended < CHUNK) pool.answers.keep(name, idempotency, released + ended);
        return { earlier, ended, newest: pool.state.lastFence };
      });
      const { earlier, ended, newest } = await (released === 0 ? ending : afterwards(ending));
      if (earlier) {
        idempotency?.onReplay();
        return earlier.value as number;
      }
      released += ended;
      lastFence = Math.min(lastFence, newest);
      if (ended < CHUNK) return released;
    }
  }

  /** @throws DomainError `invalid_request`, `pool_exists`, `unavailable` */
  async createPool(name: string, kind: PoolKind, given: PolicyChange, caller: Caller | null = null): Promise<PoolView> {
    const lacking = await this.transactions.create(newPolicy(name, kind, given), (pool) => filled(pool, caller));
    return afterwards(this.#whole(name, lacking, caller));
  }

  /** @throws DomainError `pool_not_found`, `invalid_request`, `unavailable` */
  async changePool(poolName: string, change: PolicyChange, caller: Caller | null = null): Promise<PoolView> {
    const lacking = await this.transactions.change(poolName, needs({}), (pool) => {
      pool.changePolicy(change);
      return filled(pool, caller);
    });
    return afterwards(this.#whole(poolName, lacking, caller));
  }

  /** Makes the tokens that a fixed pool lacks, in chunks. What a crash interrupts, the sweep goes on with. */
  async fill(poolName: string, caller: Caller | null = null): Promise<void> {
    while ((await this.transactions.change(poolName, needs({}), (pool) => filled(pool, caller))) > 0);
  }

  /** Of a token that is, or was, in one of these pools. @throws DomainError `token_not_found` for any other, `unavailable` */
  async mustBeOf(pools: ReadonlySet<string>, tokenId: string): Promise<void> {
    await this.#find(tokenId, (pool) => pools.has(pool));
  }

  /**
   * The user who holds a token; null when it is free, and when a caller who may not operate is not who holds it.
   * @throws DomainError `token_not_found`, `token_deleted`, `unavailable`
   */
  async holderOf(tokenId: string, asked: Asked): Promise<string | null> {
    await this.#locate(tokenId, asked);
    return tokenFor(asked.caller ?? ANYBODY, await this.tokens.token(tokenId)).active_user_id;
  }

  async #whole(poolName: string, lacking: number, caller: Caller | null): Promise<PoolView> {
    if (lacking > 0) await this.fill(poolName, caller);
    return this.pools.pool(poolName);
  }

  async #submit<T>(poolName: string, command: Command<T>, idempotency?: Idempotency): Promise<T> {
    if (!idempotency) return this.queue.submit(poolName, command);
    const { value, isReplay } = await this.queue.submit(poolName, once(command, idempotency));
    if (isReplay) idempotency.onReplay();
    return value;
  }

  async #ofLease<T>(tokenId: string, claim: LeaseClaim, command: Command<T>, asked: Asked): Promise<T> {
    try {
      return await this.#submit(await this.#locate(tokenId, asked), command, asked.idempotency);
    } catch (error) {
      throw await this.#explained(error, tokenId, claim, asked.caller);
    }
  }

  /** A stale lease id may name a lease that is over; how it ended never changes, so it is looked up afterwards, without the lock. */
  async #explained(error: unknown, tokenId: string, { leaseId }: LeaseClaim, caller = ANYBODY): Promise<unknown> {
    if (!(error instanceof DomainError) || error.code !== 'stale_lease' || leaseId === undefined) return error;
    const end = await this.tokens.endOf(tokenId, leaseId, caller.mayOperate ? null : caller.keyId);
    if (end === null) return error;
    return new DomainError('lease_ended', `the lease ended at ${end.ended_at}: ${end.end_reason}`, {
      fields: { ...end },
    });
  }

  async #locate(tokenId: string, { within, caller }: Asked): Promise<string> {
    const mayKnow = (pool: string): boolean =>
      (within === undefined || within === pool) && (!caller?.pools || caller.pools.has(pool));
    const { pool, isDeleted } = await this.#find(tokenId, mayKnow);
    if (isDeleted) throw tokenDeleted(tokenId);
    if (this.#poolOf.size >= REMEMBERED_TOKENS) this.#poolOf.clear();
    this.#poolOf.set(tokenId, pool);
    return pool;
  }

  /**
   * What is in a pool that the caller may not know of is answered like a token that never was, and after as many questions:
   * what is remembered of it must not tell by its speed that it is there.
   */
  async #find(tokenId: string, mayKnow: (pool: string) => boolean): Promise<Whereabouts> {
    const remembered = this.#poolOf.get(tokenId);
    if (remembered !== undefined && mayKnow(remembered)) return { pool: remembered, isDeleted: false };
    const found = await this.tokens.locate(tokenId);
    if (!mayKnow(found.pool)) throw tokenNotFound(tokenId);
    return found;
  }
}

/** Makes a part of the tokens that are lacking; says how many lack after that. */
function filled(pool: TokenPool, caller: Caller | null): number {
  pool.caller = caller;
  return pool.fill(CHUNK);
}

/** What fails when a part is committed already must not say that nothing was changed. */
async function afterwards<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
    const detail = 'the database was lost after a part was done; whether the rest is done is unknown';
    throw new DomainError('unavailable', detail, error.facts);
  }
}
