// Runs each decision about a pool in a transaction: BEGIN, the pool's lock and clock, the caller's decision, and
// COMMIT.

import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import {
  CHAIN_BEGINS,
  DomainError,
  Semaphore,
  InvariantViolation,
  TokenPool,
  TokenPoolRepository,
  countsLeases,
  loadSpec,
  needsLine,
  nextHash,
  poolNotFound,
  withLine,
  withPromises,
  type LoadSpec,
  type IdempotencyRecord,
  type PoolPolicy,
  type PoolSlice,
  type PoolState,
  type RecordedEventView,
  type TokenEventKind,
} from '@app/tokens';
import { BEGIN, COMMIT, Database, DatabaseFailure, send, unavailable, unchanged } from '../connection/database.js';
import type { Query, QueryResult } from '../connection/pipeline.js';
import { ENSURE_PARTITIONS, IS_POOL, STORED_EVENTS } from '../schema/statements.js';
import { lineParameters, ticketParameters, toLine, type TicketRow } from './line-rows.js';
import { DELETE_EXPIRED_TICKETS, LOAD_LINE, SAVE_LINE, SAVE_TICKETS } from './line-statements.js';
import { SelectionFloors } from './selection-floors.js';
import {
  recordParameters,
  countedParameters,
  listedParameters,
  loadParameters,
  namedParameters,
  policyParameters,
  saveParameters,
  thingParameters,
  toSlice,
  upkeepChanges,
  upkeepParameters,
  type SliceRow,
} from './slice-rows.js';
import {
  DELETE_SECRETS,
  DELETE_THINGS,
  FIND_EVENT,
  DELETE_EXPIRED_RECORDS,
  INSERT_POOL,
  DELETE_UPKEEP,
  LOAD_RECORDS,
  loadSlice,
  LOCK_POOL,
  LOCK_POOL_IF_IDLE,
  NOTE_CLOCK,
  NOTE_THINGS,
  POOLS_TO_SWEEP,
  SAVE_RECORDS,
  SAVE_HEAD,
  SAVE_SECRETS,
  SAVE_SLICE,
  SAVE_THINGS,
  SAVE_UPKEEP,
  SAVE_UPKEEP_COUNTS,
  UPDATE_POLICY,
  type SliceShape,
} from './statements.js';

/** How long after the first attempt a second one may begin. */
const RETRY_WITHIN_MS = 3000;
/** How long to ask whether a COMMIT without a response has succeeded. */
const RESOLVE_WITHIN_MS = 3000;

type Decision<T> = (pool: TokenPool) => T;

/** The connection was lost between the COMMIT and its response. */
class CommitUnanswered<T> extends Error {
  constructor(
    readonly result: T,
    readonly lastSeq: number,
    readonly lastEventId: string,
    cause: DatabaseFailure,
  ) {
    super('COMMIT was not answered', { cause });
  }
}

/** What a pool needs beside its tokens. */
type Needs = Pick<SliceShape, 'counts' | 'isListed' | 'hasUpkeep'>;

const NOTHING: Needs = { counts: false, isListed: false, hasUpkeep: false };

const needsOf = ({ policy, hasUpkeep }: PoolState, { upkeep }: LoadSpec): Needs => ({
  counts: countsLeases(policy),
  isListed: policy.kind === 'listed',
  hasUpkeep: hasUpkeep || upkeep,
});

/** What no command needs. */
const NO_COMMAND = loadSpec({});

const areSame = (a: Needs, b: Needs): boolean =>
  a.counts === b.counts && a.isListed === b.isListed && a.hasUpkeep === b.hasUpkeep;

/** @param line the tickets of a pool with a line, which are loaded before */
function sliceQuery(
  poolName: string,
  loads: LoadSpec,
  floors: SelectionFloors,
  needs: Needs,
  line?: readonly TicketRow[],
): Query {
  const hasLine = line !== undefined;
  const { isListed, hasUpkeep } = needs;
  const namesThings = loads.names.length > 0 || loads.selectors.length > 0 || loads.whole;
  const chooses = isListed && (needs.counts || namesThings || hasLine);
  const counts = needs.counts || chooses;
  const values = chooses
    ? listedParameters(poolName, loads, floors)
    : counts
      ? countedParameters(poolName, loads)
      : loadParameters(poolName, loads);
  // Both statements must mean the same instant: what is due in between would be served past those not loaded.
  if (hasLine) values.push(loads.soonest, line[0]?.read_at ?? null);
  if (hasUpkeep) values.push(...upkeepParameters(poolName, loads));
  return { ...loadSlice({ counts, isListed, chooses, hasLine, hasUpkeep }), values };
}

/**
 * How many unknown names to look up at once. Callers may invent names, and these must leave connections to real pools.
 */
const NAMES_AT_ONCE = 2;

const NO_ROW = Symbol('no row was locked');
const AGAIN = Symbol('a commit preceded the decision, which must start again');

/** The events after which other tokens may match a selection, or other leases may be evicted for it. */
const CHANGES_SELECTIONS: readonly TokenEventKind[] = ['described', 'enabled'];

/** How many events without a hash one transaction adds to the chain. */
const CHAINED_AT_ONCE = 5000;

export class PostgresTokenPoolRepository extends TokenPoolRepository {
  readonly #database: Database;
  /**
   * What pools needed in the last transaction, if anything. Only they load it; a wrong guess loads twice.
   */
  readonly #needs = new Map<string, Needs>();
  /** The pools that needed their line in the last transaction. */
  readonly #withLine = new Set<string>();
  readonly #floors = new SelectionFloors();
  /** Pools that this process has seen. It looks up any other name first, without a transaction and a lock. */
  readonly #known = new Set<string>();
  readonly #names = new Semaphore(NAMES_AT_ONCE);

  /** @param onClockBehind called when a pool finds that the clock is behind its time, by a number of seconds */
  constructor(
    source: DataSource,
    private readonly onClockBehind: (poolName: string, seconds: number) => void = () => undefined,
  ) {
    super();
    this.#database = new Database(source);
  }

  async change<T>(poolName: string, needed: LoadSpec, decide: Decision<T>): Promise<T> {
    if (!this.#known.has(poolName)) await this.#names.run(() => this.#mustExist(poolName));
    const result = await this.#withRetry(poolName, () => this.#transaction(LOCK_POOL, poolName, needed, decide));
    if (result !== NO_ROW) return result;
    this.#known.delete(poolName);
    throw poolNotFound(poolName);
  }

  async changeIfIdle<T>(poolName: string, needed: LoadSpec, decide: Decision<T>): Promise<T | undefined> {
    const result = await this.#withRetry(poolName, () =>
      this.#transaction(LOCK_POOL_IF_IDLE, poolName, needed, decide),
    );
    return result === NO_ROW ? undefined : result;
  }

  async create<T>(policy: PoolPolicy, decide: Decision<T>): Promise<T> {
    const insert = { ...INSERT_POOL, values: policyParameters(policy) };
    const result = await this.#withRetry(policy.name, () =>
      this.#transaction(insert, policy.name, loadSpec({}), decide),
    );
    if (result === NO_ROW) throw new DomainError('pool_exists', `there is a pool ${policy.name} already`);
    return result;
  }

  async deleteExpiredRecords(poolName: string, most: number): Promise<number> {
    return (await this.#database.run(DELETE_EXPIRED_RECORDS, [poolName, most])).rowCount ?? 0;
  }

  async deleteExpiredTickets(poolName: string, most: number): Promise<number> {
    return (await this.#database.run(DELETE_EXPIRED_TICKETS, [poolName, most])).rowCount ?? 0;
  }

  async poolsToSweep(): Promise<string[]> {
    return (await this.#database.read<{ name: string }>(POOLS_TO_SWEEP, [])).map(({ name }) => name);
  }

  async #mustExist(poolName: string): Promise<void> {
    if ((await this.#database.read(IS_POOL, [poolName])).length === 0) throw poolNotFound(poolName);
    this.#known.add(poolName);
  }

  /** Makes a second attempt if the first one has changed nothing, and has failed in a way that may pass. */
  async #withRetry<T>(poolName: string, attempt: () => Promise<T>): Promise<T> {
    const started = performance.now();
    for (let isRetry = false; ; isRetry = true) {
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof CommitUnanswered) {
          if (await this.#wasCommitted(poolName, error as CommitUnanswered<T>)) return error.result as T;
        } else if (!(error instanceof DatabaseFailure) || !error.isPassing) {
          throw error;
        }
        if (isRetry || performance.now() - started > RETRY_WITHIN_MS) {
          throw error instanceof DatabaseFailure ? unchanged(error) : unavailable();
        }
        // If that fails, too, the second attempt reports what is missing.
        if (error instanceof DatabaseFailure && error.isMissingPartition) {
          await this.#database.run(ENSURE_PARTITIONS, [poolName]).catch(() => undefined);
        }
      }
    }
  }

  async #transaction<T>(
    lock: Query,
    poolName: string,
    needed: LoadSpec,
    decide: Decision<T>,
  ): Promise<T | typeof NO_ROW> {
    for (;;) {
      const result = await this.#database.use((client) => this.#roundTrips(client, lock, poolName, needed, decide));
      if (result !== AGAIN) return result;
    }
  }

  /**
   * Two round trips: lock and load, then save and commit. In a pool with a line it loads the tickets first, which tell
   * what else it needs: three. `Database.use` rolls back what is not committed.
   */
  async #roundTrips<T>(
    client: PoolClient,
    lock: Query,
    poolName: string,
    needed: LoadSpec,
    decide: Decision<T>,
  ): Promise<T | typeof NO_ROW | typeof AGAIN> {
    const known = this.#needs.get(poolName) ?? NOTHING;
    const guess = needed.upkeep ? { ...known, hasUpkeep: true } : known;
    const guessesLine = this.#withLine.has(poolName);
    const load = guessesLine
      ? sliceQuery(poolName, NO_COMMAND, this.#floors, NOTHING)
      : sliceQuery(poolName, needed, this.#floors, guess);
    const guessed = withPromises(needed, guess);
    const line = guessesLine ? [{ ...LOAD_LINE, values: lineParameters(poolName, guessed) }] : [];
    const named =
      needed.idempotencyRecords.length === 0 ? [] : [{ ...LOAD_RECORDS, values: namedParameters(poolName, needed) }];
    const beside = [...line, ...named];
    const [, locked, loaded, ...others] = await send(client, BEGIN, { values: [poolName], ...lock }, load, ...beside);
    const tickets = line.length > 0 ? others.shift() : undefined;
    const [kept] = others;
    if (locked?.rowCount !== 1) return NO_ROW;
    const row = loaded?.rows[0] as SliceRow;
    // The clock has a commit of its own, so the pool's time continues even if the command is refused. A new pool needs
    // none.
    if (row.must_note_clock && lock.name !== INSERT_POOL.name) {
      await this.#noteClock(client, poolName);
      return AGAIN;
    }
    let slice = toSlice(poolName, row, needed, kept?.rows);
    const needs = needsOf(slice.state, needed);
    this.#needs.set(poolName, needsOf(slice.state, NO_COMMAND));
    if (needsLine(slice.state, needed)) {
      this.#withLine.add(poolName);
      const ofLine = withPromises(needed, needs);
      const isLoaded = tickets && ofLine.promises === guessed.promises;
      const answer = isLoaded ? tickets : await this.#line(client, poolName, ofLine);
      const rows = (answer?.rows ?? []) as TicketRow[];
      slice = await this.#sliceOfLine(client, slice.state, ofLine, rows, kept?.rows);
    } else if (!areSame(needs, guess) || guessesLine) {
      this.#withLine.delete(poolName);
      const [again] = await send(client, sliceQuery(poolName, needed, this.#floors, needs));
      slice = toSlice(poolName, again?.rows[0] as SliceRow, needed, kept?.rows);
    }
    if (!this.#withLine.has(poolName)) this.#floors.note(slice, needed, Number(row.things_seq));
    const hash = await this.#hashBefore(client, poolName, row);
    if (hash === null) return AGAIN;
    const pool = TokenPool.restore(slice);
    const result = decide(pool);
    await this.#commit(client, pool, hash, slice.state, row.upkeep_seq !== null, result);
    return result;
  }

  async #line(client: PoolClient, poolName: string, loads: LoadSpec): Promise<QueryResult | undefined> {
    const [answer] = await send(client, { ...LOAD_LINE, values: lineParameters(poolName, loads) });
    return answer;
  }

  async #sliceOfLine(
    client: PoolClient,
    state: PoolState,
    needed: LoadSpec,
    rows: readonly TicketRow[],
    kept: readonly IdempotencyRecord[] | undefined,
  ): Promise<PoolSlice> {
    const { name } = state.policy;
    const line = toLine(rows, needed, state);
    const loads = withLine(needed, line, state);
    const [loaded] = await send(client, sliceQuery(name, loads, this.#floors, needsOf(state, needed), rows));
    const row = loaded?.rows[0] as SliceRow;
    const slice = toSlice(name, row, loads, kept, line);
    this.#floors.note(slice, loads, Number(row.things_seq));
    return slice;
  }

  /** Notes the clock under the pool's lock. */
  async #noteClock(client: PoolClient, poolName: string): Promise<void> {
    const [noted] = await send(client, { ...NOTE_CLOCK, values: [poolName] }, COMMIT);
    const { isStill, behindSeconds } = noted?.rows[0] as { isStill: boolean; behindSeconds: number };
    if (isStill) this.onClockBehind(poolName, behindSeconds);
  }

  /**
   * The hash that the next event follows. Under the pool's lock, it first adds events of a version without hashes to
   * the chain. Null if there were so many that it has committed them by themselves; there may be more.
   */
  async #hashBefore(client: PoolClient, pool: string, row: SliceRow): Promise<string | null> {
    let hash = row.last_hash ?? CHAIN_BEGINS;
    if (row.hashed_seq === row.last_seq) return hash;
    const missing = { ...STORED_EVENTS, values: [pool, CHAINED_AT_ONCE, row.hashed_seq] };
    const [answer] = await send(client, missing);
    const events = answer?.rows as RecordedEventView[];
    for (const event of events) hash = nextHash(hash, event);
    if (events.length < CHAINED_AT_ONCE) return hash;
    const head = { ...SAVE_HEAD, values: [pool, Buffer.from(hash, 'hex'), events.at(-1)!.seq] };
    await send(client, head, COMMIT);
    return null;
  }

  async #commit<T>(
    client: PoolClient,
    pool: TokenPool,
    hashBefore: string,
    before: PoolState,
    isUpkeepStored: boolean,
    result: T,
  ): Promise<void> {
    const { policy, life, lastSeq, lastPlace, openTickets, dirtyCount, disabledCount, cleaningCount } = pool.state;
    const statements: Query[] = [];
    let lastEventId = '';
    const things = thingParameters(policy.name, pool);
    if (things.deleted) statements.push({ ...DELETE_THINGS, values: things.deleted });
    if (things.withoutSecret) statements.push({ ...DELETE_SECRETS, values: things.withoutSecret });
    if (things.described) statements.push({ ...SAVE_THINGS, values: things.described });
    if (things.withSecret) statements.push({ ...SAVE_SECRETS, values: things.withSecret });
    if (pool.events.length > 0) {
      const save = saveParameters(policy.name, pool, hashBefore);
      lastEventId = save.lastEventId;
      statements.push({ ...SAVE_SLICE, values: save.values });
    }
    const upkeep = upkeepChanges(policy.name, pool);
    if (upkeep.saved) statements.push({ ...SAVE_UPKEEP, values: upkeep.saved });
    if (upkeep.deleted) statements.push({ ...DELETE_UPKEEP, values: upkeep.deleted });
    const isCounted =
      dirtyCount === before.dirtyCount &&
      disabledCount === before.disabledCount &&
      cleaningCount === before.cleaningCount &&
      pool.state.hasUpkeep === isUpkeepStored;
    if (!isCounted) {
      const values = [policy.name, dirtyCount, disabledCount, cleaningCount];
      statements.push({ ...SAVE_UPKEEP_COUNTS, values });
    }
    if (policy.kind === 'listed' && pool.events.some(({ event }) => CHANGES_SELECTIONS.includes(event))) {
      statements.push({ ...NOTE_THINGS, values: [policy.name] });
    }
    const tickets = ticketParameters(pool);
    if (tickets) statements.push({ ...SAVE_TICKETS, values: tickets });
    if (lastPlace !== before.lastPlace || openTickets !== before.openTickets) {
      statements.push({ ...SAVE_LINE, values: [policy.name, lastPlace, openTickets] });
    }
    if (policy !== before.policy || life !== before.life) {
      const change = { ...UPDATE_POLICY, values: [...policyParameters(policy), life] };
      // A deleted pool has no tokens, before and after each statement.
      if (life === 'live') statements.unshift(change);
      else statements.push(change);
    }
    const { added } = pool.idempotencyRecords;
    if (added.length > 0) {
      statements.push({ ...SAVE_RECORDS, values: recordParameters(policy.name, added, pool.now) });
    }
    try {
      await send(client, ...statements, COMMIT);
      if (statements.length > 0) this.#database.noteRoom();
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      // If PostgreSQL has refused, nothing is committed. After any other error, the outcome is unknown.
      if (error.isRefusal) throw error.isPassing ? error : new InvariantViolation(error);
      throw lastEventId === '' ? error : new CommitUnanswered(result, lastSeq, lastEventId, error);
    }
  }

  /**
   * Looks for the transaction's last event in the audit, under the pool's lock: the lost transaction has ended then.
   * @throws DomainError `unavailable` if the database cannot tell in time
   */
  async #wasCommitted(poolName: string, { lastSeq, lastEventId }: CommitUnanswered<unknown>): Promise<boolean> {
    const started = performance.now();
    for (;;) {
      try {
        const lock = { ...LOCK_POOL, values: [poolName] };
        const find = { ...FIND_EVENT, values: [poolName, lastSeq, lastEventId] };
        const [, , found] = await this.#database.use((client) => send(client, BEGIN, lock, find, COMMIT));
        return found?.rowCount === 1;
      } catch {
        if (performance.now() - started > RESOLVE_WITHIN_MS) {
          throw unavailable('the database was lost while it committed: whether anything was changed is unknown');
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}
