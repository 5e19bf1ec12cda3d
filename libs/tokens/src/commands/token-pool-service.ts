// The use cases: each makes a command and hands it to the executor.

import type { Idempotency } from '../pool/idempotency-records.js';
import { ANYBODY, type Caller } from '../kernel/caller.js';
import {
  addThing,
  allocate,
  clean,
  changePolicy,
  cleanup,
  deletePool,
  deleteToken,
  deleteWhenFree,
  describeThing,
  disable,
  enable,
  fill,
  generate,
  giveBack,
  importThings,
  keepAlive,
  once,
  release,
  reopen,
  revoke,
  type Command,
} from './command.js';
import { DomainError, tokenDeleted, tokenNotFound } from '../kernel/domain-error.js';
import { afterCommit, type Executor } from './executor.js';
import type { LeaseClaim, ReleaseRequest } from '../pool/lease-claim.js';
import type { PoolKind } from '../pool/policy-fields.js';
import { newPolicy, type PolicyChange } from '../pool/pool-policy.js';
import { SecretBox, type SecretValue } from './secret-box.js';
import type { SealedSecret, ThingChange } from '../pool/thing.js';
import type {
  AllocateRequest,
  CleanRequest,
  Grant,
  ImportResult,
  OpenLeaseName,
  Renewal,
  StatusAfter,
} from '../pool/requests.js';
import type { PoolReader } from '../reading/pool-reader.js';
import type { TokenReader, Whereabouts, Whose } from '../reading/token-reader.js';
import type { Token } from '../pool/token.js';
import type { OwnedDetails, PoolView } from '../reading/views.js';
import { tokenFor } from '../reading/visibility.js';

/** A token never changes its pool, so where it lives is remembered. */
const REMEMBERED_TOKENS = 100_000;

/** Leases on a page of those that a user holds. */
const LEASES_AT_ONCE = 1000;

/** The circumstances of a command, beside what it does. */
export interface CommandContext {
  /** Default: a caller without a key, which may do everything. */
  readonly caller?: Caller;
  /** The pool that must contain the token; otherwise the token counts as missing. */
  readonly within?: string;
  readonly idempotency?: Idempotency;
  /** Whether the client has hung up. The command then grants and generates nothing. */
  readonly isGone?: () => boolean;
  /** Calls a function later if the answer did not reach the client. */
  readonly ifUndelivered?: (takeBack: () => void) => void;
}

/** A grant with the secret in plain text. */
export type OpenGrant = Omit<Grant, 'secret'> & { readonly secret: SecretValue | null };

/** A change of a thing with the secret in plain text; null removes it. */
export type PlainChange = Omit<ThingChange, 'secret'> & { readonly secret?: SecretValue | null };
export type PlainThing = PlainChange & { readonly name: string };

export class TokenPoolService {
  readonly #poolOf = new Map<string, string>();

  constructor(
    private readonly executor: Executor,
    private readonly tokens: TokenReader,
    private readonly pools: PoolReader,
    private readonly secrets = new SecretBox(),
  ) {}

  /**
   * Takes a grant back whose answer did not reach the client, unless the client can ask for the answer again. A
   * repeated answer has the secret only while its lease is open.
   * @throws DomainError `pool_not_found`, `pool_deleted`, `pool_paused`, `quota_exceeded`, `pool_exhausted`,
   * `token_not_found`, `token_in_use`, `unsatisfiable`, `unavailable`
   */
  allocate(poolName: string, request: AllocateRequest, context: CommandContext = {}): Promise<OpenGrant> {
    const { caller, isGone } = context;
    return this.#grant(poolName, (check) => allocate(request, caller, isGone, check), context);
  }

  /**
   * Returns the status of the token after its lease. A repeated answer of an older version says whether the token was
   * deleted, or null.
   * @throws DomainError `token_not_found`, `token_deleted`, `token_not_active`, `stale_lease`, `lease_ended`,
   * `lease_handle_required`, `insufficient_scope`, `unavailable`
   */
  release(
    tokenId: string,
    request: ReleaseRequest,
    context: CommandContext = {},
  ): Promise<StatusAfter | boolean | null> {
    return this.#ofLease(tokenId, request, release(tokenId, request, context.caller), context);
  }

  /** @throws DomainError as `release`, and `not_renewable`, `invalid_request` */
  keepAlive(tokenId: string, claim: LeaseClaim, ttlSeconds?: number, context: CommandContext = {}): Promise<Renewal> {
    return this.#ofLease(tokenId, claim, keepAlive(tokenId, claim, ttlSeconds, context.caller), context);
  }

  /**
   * Grants the token that is dirty for the longest to somebody who cleans it; otherwise as `allocate`.
   * @throws DomainError `pool_not_found`, `pool_deleted`, `nothing_dirty`, `quota_exceeded`, `unavailable`
   */
  clean(poolName: string, request: CleanRequest, context: CommandContext = {}): Promise<OpenGrant> {
    const { caller, isGone } = context;
    return this.#grant(poolName, (check) => clean(request, caller, isGone, check), context);
  }

  /**
   * Takes a token out of service; a held one at once, or at the end of its lease.
   * @throws DomainError `token_not_found`, `token_deleted`, `unavailable`
   */
  async disable(
    tokenId: string,
    reason: string,
    whenFree: boolean,
    context: CommandContext = {},
  ): Promise<OwnedDetails> {
    const pool = await this.#locate(tokenId, context);
    await this.executor.submit(pool, disable(tokenId, reason, whenFree, context.caller));
    return afterCommit(this.tokens.token(tokenId));
  }

  /** Puts a token into service again. @throws DomainError as `disable` */
  async enable(tokenId: string, note: string | undefined, context: CommandContext = {}): Promise<OwnedDetails> {
    const pool = await this.#locate(tokenId, context);
    await this.executor.submit(pool, enable(tokenId, note, context.caller));
    return afterCommit(this.tokens.token(tokenId));
  }

  /** @throws DomainError `pool_not_found`, `pool_deleted`, `pool_is_fixed`, `pool_limit_reached`, `unavailable` */
  generate(poolName: string, { caller, idempotency, isGone }: CommandContext = {}): Promise<Token> {
    return this.#submit(poolName, generate(caller, isGone), idempotency);
  }

  /** @throws DomainError `token_not_found`, `token_deleted`, `pool_is_fixed`, `token_in_use`, `unavailable` */
  async delete(tokenId: string, force: boolean, context: CommandContext = {}): Promise<void> {
    return this.executor.submit(await this.#locate(tokenId, context), deleteToken(tokenId, force, context.caller));
  }

  /**
   * Deletes a token now, or a held one at the end of its lease. Returns whether it is deleted.
   * @throws DomainError as `delete`, without `token_in_use`
   */
  async deleteWhenFree(tokenId: string, context: CommandContext = {}): Promise<boolean> {
    return this.executor.submit(await this.#locate(tokenId, context), deleteWhenFree(tokenId, context.caller));
  }

  /**
   * Puts a thing into a listed pool.
   * @throws DomainError `pool_not_found`, `pool_deleted`, `pool_not_listed`, `secrets_off`, `token_exists`,
   * `pool_limit_reached`, `unavailable`
   */
  addThing(poolName: string, thing: PlainThing, { caller, idempotency, isGone }: CommandContext = {}): Promise<Token> {
    return this.#submit(poolName, addThing(this.#sealing(poolName, thing), caller, isGone), idempotency);
  }

  /**
   * Changes a thing, held or not.
   * @throws DomainError `token_not_found`, `token_deleted`, `pool_not_listed`, `secrets_off`, `token_exists`,
   * `unavailable`
   */
  async changeThing(tokenId: string, change: PlainChange, context: CommandContext = {}): Promise<OwnedDetails> {
    const pool = await this.#locate(tokenId, context);
    await this.executor.submit(pool, describeThing(tokenId, this.#sealing(pool, change), context.caller));
    return afterCommit(this.tokens.token(tokenId));
  }

  /**
   * Puts things into a listed pool, all or none.
   * @param given things with different names
   * @param deletesMissing whether all other tokens are deleted, a held one at the end of its lease
   * @throws DomainError as `addThing`, without `token_exists`
   */
  importThings(
    poolName: string,
    given: readonly PlainThing[],
    deletesMissing: boolean,
    { caller }: CommandContext = {},
  ): Promise<ImportResult> {
    const sealing = given.map((thing) => this.#sealing(poolName, thing));
    return this.executor.submit(poolName, importThings(sealing, deletesMissing, caller));
  }

  /** The secret of an open lease in plain text. */
  openSecret(poolName: string, tokenId: string, secret: SealedSecret | null): SecretValue | null {
    return secret && this.secrets.open(poolName, tokenId, secret);
  }

  /**
   * Ends every lease that is active when it begins; says how many. In chunks, so that others get their turn.
   * @throws DomainError `pool_not_found`, `unavailable`
   */
  cleanup(poolName: string, { caller, idempotency }: CommandContext = {}): Promise<number> {
    return this.#submit(poolName, cleanup(caller), idempotency);
  }

  /**
   * Ends every lease that somebody holds when this begins, and returns how many. One transaction a pool.
   * @param within the pool; left out, all pools that the caller may know of
   * @throws DomainError `pool_not_found`, `pool_deleted`, `unavailable`
   */
  async revokeAll(whose: Whose, note?: string, { caller = ANYBODY, within }: CommandContext = {}): Promise<number> {
    if (within !== undefined) await this.pools.pool(within);
    const held = await this.#held(whose, within === undefined ? caller.pools : new Set([within]));
    let released = 0;
    for (const [pool, leases] of held) {
      const ended = this.executor.submit(pool, revoke(leases, note, caller));
      released += await (released === 0 ? ended : afterCommit(ended));
    }
    return released;
  }

  /**
   * Creates a pool, or opens a deleted one of that name again.
   * @throws DomainError `invalid_request`, `pool_exists`, `unavailable`
   */
  async createPool(name: string, kind: PoolKind, given: PolicyChange, caller: Caller | null = null): Promise<PoolView> {
    const policy = newPolicy(name, kind, given);
    try {
      await this.executor.create(policy, fill(caller));
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'pool_exists') throw error;
      await this.executor.submit(name, reopen(policy, caller));
    }
    return afterCommit(this.pools.pool(name));
  }

  /**
   * Creates a pool at the start of a process, which opens no deleted pool again.
   * @throws DomainError `invalid_request`, `pool_exists`, `unavailable`
   */
  createFirstPool(name: string, kind: PoolKind, given: PolicyChange): Promise<void> {
    return this.executor.create(newPolicy(name, kind, given), fill(null));
  }

  /**
   * Deletes a pool with its tokens, in chunks. From the first one on, every command and reader of the pool is refused.
   * @param force also ends open leases
   * @throws DomainError `pool_not_found`, `pool_deleted`, `token_in_use`, `unavailable`
   */
  deletePool(poolName: string, force: boolean, caller: Caller | null = null): Promise<void> {
    return this.executor.submit(poolName, deletePool(force, caller));
  }

  /** @throws DomainError `pool_not_found`, `pool_deleted`, `invalid_request`, `unavailable` */
  async changePool(poolName: string, change: PolicyChange, caller: Caller | null = null): Promise<PoolView> {
    await this.executor.submit(poolName, changePolicy(change, caller));
    return afterCommit(this.pools.pool(poolName));
  }

  /** Makes the tokens that a fixed pool lacks, in chunks. @throws DomainError `pool_not_found`, `unavailable` */
  fill(poolName: string, caller: Caller | null = null): Promise<void> {
    return this.executor.submit(poolName, fill(caller));
  }

  /**
   * Of a token that is, or was, in one of these pools.
   * @throws DomainError `token_not_found` for any other, `unavailable`
   */
  async mustBeOf(pools: ReadonlySet<string>, tokenId: string): Promise<void> {
    await this.#find(tokenId, (pool) => pools.has(pool));
  }

  /**
   * The user who holds a token; null when it is free, and when a caller who may not operate is not who holds it.
   * @throws DomainError `token_not_found`, `token_deleted`, `unavailable`
   */
  async holderOf(tokenId: string, context: CommandContext): Promise<string | null> {
    await this.#locate(tokenId, context);
    return tokenFor(context.caller ?? ANYBODY, await this.tokens.token(tokenId)).active_user_id;
  }

  /** A grant that is answered again, with its secret while the lease is open. No record contains it. */
  async withSecret(poolName: string, grant: Grant): Promise<OpenGrant> {
    const { leaseId, name, tokenId } = grant;
    const secret = name ? (await afterCommit(this.tokens.verify({ leaseId }, null))).secret : null;
    return { ...grant, secret: this.openSecret(poolName, tokenId, secret) };
  }

  async #grant(
    poolName: string,
    commandWith: (check: (grant: Grant) => void) => Command<Grant>,
    { caller, idempotency, ifUndelivered }: CommandContext,
  ): Promise<OpenGrant> {
    // A secret that no key opens refuses the grant, so it is opened before the commit.
    let secret: SecretValue | null = null;
    const command = commandWith((grant) => {
      secret = this.openSecret(poolName, grant.tokenId, grant.secret);
    });
    if (idempotency) {
      const { value, isReplay } = await this.executor.submit(poolName, once(command, idempotency));
      if (!isReplay) return { ...value, secret };
      idempotency.onReplay();
      return this.withSecret(poolName, value);
    }
    const grant = await this.executor.submit(poolName, command);
    ifUndelivered?.(() => {
      const takeBack = giveBack(grant.tokenId, grant.leaseId, caller);
      // If that fails, too, the lease expires.
      void this.executor.submit(poolName, takeBack).catch(() => undefined);
    });
    return { ...grant, secret };
  }

  #sealing<Change extends PlainChange>(
    poolName: string,
    { secret, ...rest }: Change,
  ): Omit<Change, 'secret'> & ThingChange {
    return { ...rest, secret: secret && this.secrets.give(poolName, secret) };
  }

  async #submit<T>(poolName: string, command: Command<T>, idempotency?: Idempotency): Promise<T> {
    if (!idempotency) return this.executor.submit(poolName, command);
    const { value, isReplay } = await this.executor.submit(poolName, once(command, idempotency));
    if (isReplay) idempotency.onReplay();
    return value;
  }

  async #ofLease<T>(tokenId: string, claim: LeaseClaim, command: Command<T>, context: CommandContext): Promise<T> {
    try {
      return await this.#submit(await this.#locate(tokenId, context), command, context.idempotency);
    } catch (error) {
      throw await this.#explained(error, tokenId, claim, context.caller);
    }
  }

  /**
   * A stale lease id may name a lease that is over; how it ended never changes, so it is looked up afterwards, without
   * the lock.
   */
  async #explained(error: unknown, tokenId: string, { leaseId }: LeaseClaim, caller = ANYBODY): Promise<unknown> {
    if (!(error instanceof DomainError) || error.code !== 'stale_lease' || leaseId === undefined) return error;
    const end = await this.tokens.endOf(tokenId, leaseId, caller.mayOperate ? null : caller.keyId);
    if (end === null) return error;
    return new DomainError('lease_ended', `the lease ended at ${end.ended_at}: ${end.end_reason}`, {
      fields: { ...end },
    });
  }

  async #held(whose: Whose, pools: ReadonlySet<string> | null): Promise<Map<string, OpenLeaseName[]>> {
    const held = new Map<string, OpenLeaseName[]>();
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await this.tokens.leases({ whose, pools, limit: LEASES_AT_ONCE, cursor });
      for (const { pool, token_id: tokenId, fence } of page.leases) {
        const ofPool = held.get(pool);
        if (ofPool) ofPool.push({ tokenId, fence });
        else held.set(pool, [{ tokenId, fence }]);
      }
      cursor = page.next_cursor;
    }
    return held;
  }

  async #locate(tokenId: string, { within, caller, idempotency }: CommandContext): Promise<string> {
    const mayKnow = (pool: string): boolean =>
      (within === undefined || within === pool) && (!caller?.pools || caller.pools.has(pool));
    const { pool, isDeleted } = await this.#find(tokenId, mayKnow);
    // What an earlier request with the same idempotency key was answered counts even if its token is gone by now.
    if (isDeleted && !idempotency) throw tokenDeleted(tokenId);
    if (this.#poolOf.size >= REMEMBERED_TOKENS) this.#poolOf.clear();
    this.#poolOf.set(tokenId, pool);
    return pool;
  }

  /**
   * What is in a pool that the caller may not know of is answered like a token that never was, and after as many
   * questions: what is remembered of it must not tell by its speed that it is there.
   */
  async #find(tokenId: string, mayKnow: (pool: string) => boolean): Promise<Whereabouts> {
    const remembered = this.#poolOf.get(tokenId);
    if (remembered !== undefined && mayKnow(remembered)) return { pool: remembered, isDeleted: false };
    const found = await this.tokens.locate(tokenId);
    if (!mayKnow(found.pool)) throw tokenNotFound(tokenId);
    return found;
  }
}
