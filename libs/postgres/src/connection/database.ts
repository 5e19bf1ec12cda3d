// The adapters' access to PostgreSQL: it lends connections, sends statements and classifies failures.

import type { Pool, PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { callerGone, DomainError } from '@app/tokens';
import { cancel } from './cancel.js';
import {
  pipeline,
  isInTransaction,
  named,
  type QueryResult,
  type Query,
  type Statement,
  type Value,
} from './pipeline.js';

export const BEGIN = named('begin', 'BEGIN ISOLATION LEVEL READ COMMITTED');
export const COMMIT = named('commit', 'COMMIT');
const ROLLBACK = named('rollback', 'ROLLBACK');
const BEGIN_SNAPSHOT = named('begin_snapshot', 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');

/** PostgreSQL refused a statement, or the connection to it failed. */
export class DatabaseFailure extends Error {
  /** Another attempt may succeed: the connection was lost, say, or another transaction held a lock. */
  readonly isPassing: boolean;
  /** PostgreSQL itself refused the statement, so it has changed nothing. */
  readonly isRefusal: boolean;
  /** The reason in words that may be shown to any caller. */
  readonly reason: string;
  /** No partition exists for the month of an event. */
  readonly isMissingPartition: boolean;
  /** The disk of the database is full; reads still work. */
  readonly isFull: boolean;
  /** PostgreSQL cannot store a value of the caller. This catches what the checks of the request have missed. */
  readonly isInvalidValue: boolean;
  /** The connection is lost. An error of a statement leaves its connection usable. */
  readonly isLoss: boolean;

  constructor(cause: unknown) {
    super('the database failed', { cause });
    const code = (cause as { code?: unknown } | null)?.code;
    const sqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : null;
    this.isLoss = sqlState === null || LOSS.some((start) => sqlState.startsWith(start));
    this.isInvalidValue = sqlState !== null && INVALID_VALUE.includes(sqlState);
    this.isRefusal = sqlState !== null && !sqlState.startsWith('08') && !sqlState.startsWith('57P');
    // The routine identifies the error; the message depends on the server's language.
    this.isMissingPartition = sqlState === '23514' && (cause as { routine?: unknown }).routine === 'ExecFindPartition';
    this.isPassing =
      sqlState === null || this.isMissingPartition || PASSING.some((start) => sqlState.startsWith(start));
    this.isFull = sqlState === '53100';
    const [, reason] = REASONS.find(([start]) => sqlState?.startsWith(start)) ?? [];
    this.reason = reason ?? (this.isMissingPartition ? 'there is no room for events of this month' : OUT_OF_REACH);
  }
}

/** Out of range, not a time, not in the form of its type, or not in the encoding of the database. */
const INVALID_VALUE = ['22003', '22007', '22008', '22009', '22P02', '22P05', '22021'];

/**
 * The connection was lost (08), or an operator, a crash (57P) or a time limit on the transaction ended it (25P03,
 * 25P04). A read-only database (25006) counts too: the address may lead to a new primary by now.
 */
const LOSS = ['08', '57P', '25P03', '25P04', '25006'];

const OUT_OF_REACH = 'the database cannot be reached in time';
const REASONS: readonly (readonly [sqlState: string, reason: string])[] = [
  ['25006', 'the database is read-only'],
  ['28', 'the database refuses to let the service in'],
  ['3D000', 'the database is not there'],
  ['53100', 'the disk of the database is full'],
  ['53200', 'the database is out of memory'],
  ['53300', 'the database has no connection left'],
  ['58', 'the database cannot read or write its files'],
];

/**
 * Connection lost (08); ended or refused by an operator or a time limit (57); no disk space, memory or connections
 * (53); files that PostgreSQL cannot read or write (58); a transaction that was idle or open for too long (25P03,
 * 25P04); serialisation failure (40); lock timeout (55P03); a standby or a read-only database (25006); a password that
 * an operator is changing (28); a database that an operator is restoring (3D000).
 */
const PASSING = ['08', '57', '53', '58', '25P03', '25P04', '25006', '28', '3D000', '40', '55P03'];

/**
 * How long after the first attempt a second one may begin. Each takes 5.5 s at most: 2 s for a connection and 3.5 s for
 * an answer. So a caller has an answer within 10 s, whatever happens.
 */
const RETRY_WITHIN_MS = 4000;

const UNCHANGED = 'nothing was changed';

export const unavailable = (detail = `${OUT_OF_REACH}; ${UNCHANGED}`): DomainError =>
  new DomainError('unavailable', detail, { retryAfterSeconds: 1 });

/** The error after all attempts, when none of them has changed anything. */
export const unchanged = ({ reason }: DatabaseFailure): DomainError => unavailable(`${reason}; ${UNCHANGED}`);

export class Database {
  readonly #pool: Pool;
  readonly #trust: Trust;

  /** @param gone fires when the only caller of these statements has disconnected; no further statement is sent then */
  constructor(
    source: DataSource,
    private readonly gone?: AbortSignal,
  ) {
    this.#pool = poolOf(source);
    this.#trust = Trust.in(this.#pool);
  }

  /**
   * Runs several read-only statements that see the database as of one instant.
   * @param look runs a second time from the start if the connection is lost
   * @throws DomainError `unavailable`; the caller's error if the caller has disconnected
   */
  snapshot<T>(look: (ask: <Row>(statement: Statement, values: Value[]) => Promise<Row[]>) => Promise<T>): Promise<T> {
    return this.#withRetry(async (client) => {
      await this.#ask(client, BEGIN_SNAPSHOT);
      const seen = await look(async (statement, values) => {
        return (await this.#ask(client, { ...statement, values })).rows as never;
      });
      await this.#ask(client, COMMIT);
      return seen;
    }, false);
  }

  /**
   * Lends a connection. It rolls back a transaction that the work leaves open, also after a failed statement. It closes
   * the connection only if that was lost.
   * @throws DatabaseFailure if no connection can be had, and what the work throws
   */
  async use<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let isLost = false;
    try {
      return await work(client);
    } catch (error) {
      isLost = isLoss(error);
      if (error instanceof DatabaseFailure && error.isFull) fullAt.set(this.#pool, performance.now());
      throw error;
    } finally {
      isLost ||= !(await isCleared(client));
      this.#trust.note(client, isLost);
      client.release(isLost);
    }
  }

  async #connect(): Promise<PoolClient> {
    for (;;) {
      const client = await orFailure(this.#pool.connect());
      if (this.#trust.isIn(client)) return client;
      client.release(true);
    }
  }

  /** Closes the connections that are idle now before their next use, because they lead to the wrong server. */
  distrust(): void {
    this.#trust.suspectAll();
  }

  /** Notes that a write has succeeded, so the disk has space again. */
  noteRoom(): void {
    fullAt.delete(this.#pool);
  }

  async read<Row>(statement: Statement, values: Value[]): Promise<Row[]> {
    return (await this.run(statement, values)).rows as Row[];
  }

  /**
   * Runs one statement outside a transaction, and a second time if the connection is lost: running it twice must do no
   * harm.
   * @throws DomainError `unavailable`, or `invalid_request` for a value that PostgreSQL cannot store
   */
  run(statement: Statement, values: Value[]): Promise<QueryResult> {
    const writes = /\b(INSERT|UPDATE|DELETE)\b/.test(statement.text);
    return this.#withRetry((client) => this.#ask(client, { ...statement, values }), writes);
  }

  async #ask(client: PoolClient, query: Query): Promise<QueryResult> {
    if (this.gone?.aborted) throw callerGone();
    const results = send(client, query);
    const [result] = this.gone ? await until(this.gone, client, results) : await results;
    return result as QueryResult;
  }

  /** Makes a second attempt if the first one fails in a way that may pass, such as a lost connection. */
  async #withRetry<T>(attempt: (client: PoolClient) => Promise<T>, writes: boolean): Promise<T> {
    const began = performance.now();
    let isUnchanged = true;
    for (let isRetry = false; ; isRetry = true) {
      if (this.gone?.aborted) throw callerGone();
      let isSent = false;
      try {
        return await this.use((client) => {
          isSent = true;
          return attempt(client);
        });
      } catch (error) {
        if (!(error instanceof DatabaseFailure)) throw error;
        if (error.isInvalidValue)
          throw new DomainError('invalid_request', 'the database cannot store a value of the request');
        if (!error.isPassing) throw error;
        // A statement may have written although its result was lost.
        isUnchanged &&= error.isRefusal || !isSent || !writes;
        if (isRetry || performance.now() - began > RETRY_WITHIN_MS)
          throw isUnchanged ? unchanged(error) : unavailable(error.reason);
      }
    }
  }
}

/**
 * How long no write is expected to succeed after the disk was full. A write only to test that would take disk space.
 */
const FULL_FOR_MS = 10_000;
const fullAt = new WeakMap<Pool, number>();

/** Whether a write failed in the last 10 s because the disk is full, and none has succeeded since. */
export const isFull = (source: DataSource): boolean =>
  performance.now() - (fullAt.get(poolOf(source)) ?? -Infinity) < FULL_FOR_MS;

/** The reason for an error of the database or of the connection, in words that may be shown to any caller. */
export const reasonOf = (error: unknown): string => new DatabaseFailure(error).reason;

/**
 * Tracks which connections still seem to work. After a loss, every connection that was last used before it is closed
 * unused. Otherwise a dead server would cost one timeout of seconds for each connection, one after the other.
 */
class Trust {
  static readonly #ofPools = new WeakMap<Pool, Trust>();

  readonly #lastUse = new WeakMap<PoolClient, number>();
  #lostAt = -Infinity;

  static in(pool: Pool): Trust {
    const trust = this.#ofPools.get(pool) ?? new Trust();
    this.#ofPools.set(pool, trust);
    return trust;
  }

  isIn(client: PoolClient): boolean {
    return (this.#lastUse.get(client) ?? Infinity) > this.#lostAt;
  }

  note(client: PoolClient, isLost: boolean): void {
    if (isLost) this.suspectAll();
    else this.#lastUse.set(client, performance.now());
  }

  suspectAll(): void {
    this.#lostAt = performance.now();
  }
}

/** Whether the connection failed, also if a caller has wrapped that error. */
const isLoss = (error: unknown): boolean =>
  error instanceof DatabaseFailure ? error.isLoss : error instanceof Error && isLoss(error.cause);

/** Rolls back an open transaction. False if that fails: the connection must be closed then. */
async function isCleared(client: PoolClient): Promise<boolean> {
  if (!isInTransaction(client)) return true;
  return send(client, ROLLBACK).then(
    () => true,
    () => false,
  );
}

/** Most statements end by themselves sooner than a request to cancel them would take effect. */
const CANCEL_AFTER_MS = 100;

/** The results of the running statements, which are cancelled soon after the caller has disconnected. */
async function until(gone: AbortSignal, client: PoolClient, results: Promise<QueryResult[]>): Promise<QueryResult[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let cancelling: Promise<void> | undefined;
  const giveUp = (): void => {
    timer = setTimeout(() => void (cancelling = cancel(client)), CANCEL_AFTER_MS);
  };
  gone.addEventListener('abort', giveUp);
  try {
    return await results;
  } finally {
    gone.removeEventListener('abort', giveUp);
    clearTimeout(timer);
    await cancelling;
  }
}

/**
 * TypeORM's own pool of connections. TypeORM's query runner would send each statement alone and wait for its result.
 */
const poolOf = (source: DataSource): Pool => (source.driver as unknown as { master: Pool }).master;

/**
 * Sends several statements in one packet and returns their results in the same order.
 * @throws DatabaseFailure
 */
export const send = (client: PoolClient, ...queries: Query[]): Promise<QueryResult[]> =>
  orFailure(pipeline(client, queries));

async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new DatabaseFailure(error);
  }
}
