// The connection to PostgreSQL as the adapters use it: statements sent as they are, failures told apart.

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

/** The database, or the way to it, failed. Whether the statement was refused or lost, its transaction is not committed. */
export class DatabaseFailure extends Error {
  /** It may work at the next try: the connection was lost, or somebody else's lock was in the way. */
  readonly isPassing: boolean;
  /** The database itself said no, so it has not done it. */
  readonly isRefusal: boolean;
  /** What is known of it, for everybody. */
  readonly why: string;
  /** There is no partition for the month of an event. */
  readonly isMissingPartition: boolean;
  /** There is no room on its disk: it still reads. */
  readonly isFull: boolean;
  /** It is a value of the caller's that it cannot take. What is asked for is checked before; this is for what slipped through. */
  readonly isOfValue: boolean;
  /** The connection is of no use any more. An error of a statement says nothing about its connection. */
  readonly isLoss: boolean;

  constructor(cause: unknown) {
    super('the database failed', { cause });
    const code = (cause as { code?: unknown } | null)?.code;
    const sqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : null;
    this.isLoss = sqlState === null || LOSS.some((start) => sqlState.startsWith(start));
    this.isOfValue = sqlState !== null && OF_VALUE.includes(sqlState);
    this.isRefusal = sqlState !== null && !sqlState.startsWith('08') && !sqlState.startsWith('57P');
    // The message would be in the server's language.
    this.isMissingPartition = sqlState === '23514' && (cause as { routine?: unknown }).routine === 'ExecFindPartition';
    this.isPassing =
      sqlState === null || this.isMissingPartition || PASSING.some((start) => sqlState.startsWith(start));
    this.isFull = sqlState === '53100';
    const [, why] = WHY.find(([start]) => sqlState?.startsWith(start)) ?? [];
    this.why = why ?? (this.isMissingPartition ? 'there is no room for events of this month' : OUT_OF_REACH);
  }
}

/** Out of range, not a time, not in the form of its type, not in the encoding. */
const OF_VALUE = ['22003', '22007', '22008', '22009', '22P02', '22P05', '22021'];

/**
 * Connection lost (08), cut by an operator or a crash (57P), or by a time limit on an idle or long transaction. Or it leads to
 * a database that is read-only (25006): the address may lead to a new primary by now.
 */
const LOSS = ['08', '57P', '25P03', '25P04', '25006'];

const OUT_OF_REACH = 'the database cannot be reached in time';
const WHY: readonly (readonly [sqlState: string, why: string])[] = [
  ['25006', 'the database is read-only'],
  ['28', 'the database refuses to let the service in'],
  ['3D000', 'the database is not there'],
  ['53100', 'the disk of the database is full'],
  ['53200', 'the database is out of memory'],
  ['53300', 'the database has no connection left'],
  ['58', 'the database cannot read or write its files'],
];

/**
 * Connection lost (08), cut or refused by an operator or a time limit (57), no room, memory or connections (53), files that
 * cannot be read or written (58), idle in transaction for too long (25P03, 25P04), serialisation failure (40), lock not to be
 * had in time (55P03), a standby or read-only (25006), a password that is being changed (28), a database being put back (3D000).
 */
const PASSING = ['08', '57', '53', '58', '25P03', '25P04', '25006', '28', '3D000', '40', '55P03'];

const UNCHANGED = 'nothing was changed';

export const unavailable = (detail = `${OUT_OF_REACH}; ${UNCHANGED}`): DomainError =>
  new DomainError('unavailable', detail, { retryAfterSeconds: 1 });

/** After all tries, none of which has changed anything. */
export const unchanged = ({ why }: DatabaseFailure): DomainError => unavailable(`${why}; ${UNCHANGED}`);

export class Database {
  readonly #pool: Pool;
  readonly #trust: Trust;

  /** @param gone for whom it is asked, if for one caller: nothing more is sent once that one has hung up */
  constructor(
    source: DataSource,
    private readonly gone?: AbortSignal,
  ) {
    this.#pool = poolOf(source);
    this.#trust = Trust.in(this.#pool);
  }

  /** Several statements that see the database as of one instant, and change nothing. They may run twice. */
  snapshot<T>(look: (ask: <Row>(statement: Statement, values: Value[]) => Promise<Row[]>) => Promise<T>): Promise<T> {
    return this.#twice(async (client) => {
      await this.#ask(client, BEGIN_SNAPSHOT);
      const seen = await look(async (statement, values) => {
        return (await this.#ask(client, { ...statement, values })).rows as never;
      });
      await this.#ask(client, COMMIT);
      return seen;
    }, false);
  }

  /**
   * Lends a connection. A transaction that is still open afterwards is rolled back, also after a statement that failed;
   * only a connection that was lost is closed.
   * @throws DatabaseFailure, and what the work throws
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

  /** Connections that are idle now are not used again: they lead to the wrong place. */
  distrust(): void {
    this.#trust.suspectAll();
  }

  /** Something was written: there is room again. */
  noteRoom(): void {
    fullAt.delete(this.#pool);
  }

  async read<Row>(statement: Statement, values: Value[]): Promise<Row[]> {
    return (await this.run(statement, values)).rows as Row[];
  }

  /** One statement outside of a transaction, which may as well run twice. */
  run(statement: Statement, values: Value[]): Promise<QueryResult> {
    const writes = /\b(INSERT|UPDATE|DELETE)\b/.test(statement.text);
    return this.#twice((client) => this.#ask(client, { ...statement, values }), writes);
  }

  async #ask(client: PoolClient, query: Query): Promise<QueryResult> {
    if (this.gone?.aborted) throw callerGone();
    const results = send(client, query);
    const [answer] = this.gone ? await until(this.gone, client, results) : await results;
    return answer as QueryResult;
  }

  /** What is asked is asked a second time when the connection turns out to be lost. */
  async #twice<T>(asking: (client: PoolClient) => Promise<T>, writes: boolean): Promise<T> {
    let isUnchanged = true;
    for (let triesLeft = 1; ; triesLeft--) {
      if (this.gone?.aborted) throw callerGone();
      let isSent = false;
      try {
        return await this.use((client) => {
          isSent = true;
          return asking(client);
        });
      } catch (error) {
        if (!(error instanceof DatabaseFailure)) throw error;
        if (error.isOfValue)
          throw new DomainError('invalid_request', 'a value that is given is beyond what can be stored');
        if (!error.isPassing) throw error;
        // A statement that writes may have done so though its answer was lost.
        isUnchanged &&= error.isRefusal || !isSent || !writes;
        if (triesLeft === 0) throw isUnchanged ? unchanged(error) : unavailable(error.why);
      }
    }
  }
}

/** For so long after a write for which the disk had no room, none is expected to succeed: trying it for that alone would take room. */
const FULL_FOR_MS = 10_000;
const fullAt = new WeakMap<Pool, number>();

/** Whether the database has refused to write of late, and has not written since, because its disk is full. */
export const isFull = (source: DataSource): boolean =>
  performance.now() - (fullAt.get(poolOf(source)) ?? -Infinity) < FULL_FOR_MS;

/** What is known of an error of the database's or of the way to it, for everybody. */
export const whyOf = (error: unknown): string => new DatabaseFailure(error).why;

/**
 * Which connections are still believed in. When one was lost, those that were last used before that are suspected
 * of the same and closed unused: otherwise each would have to fall silent in turn, seconds apart.
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

/** Whether it was the connection that failed, whatever error was made of that. */
const isLoss = (error: unknown): boolean =>
  error instanceof DatabaseFailure ? error.isLoss : error instanceof Error && isLoss(error.cause);

/** Whether no transaction is open on it, after one that was is rolled back. */
async function isCleared(client: PoolClient): Promise<boolean> {
  if (!isInTransaction(client)) return true;
  return send(client, ROLLBACK).then(
    () => true,
    () => false,
  );
}

/** Most statements end sooner by themselves than by a request of their own. */
const CANCEL_AFTER_MS = 100;

/** The results to what runs on a connection, which is given up soon after its caller has gone. */
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

/** TypeORM's own pool, without its query builder in between: it would ask for each answer apart. */
const poolOf = (source: DataSource): Pool => (source.driver as unknown as { master: Pool }).master;

/** Several statements of one transaction, sent in one go; the results in the same order. @throws DatabaseFailure */
export const send = (client: PoolClient, ...queries: Query[]): Promise<QueryResult[]> =>
  orFailure(pipeline(client, queries));

async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new DatabaseFailure(error);
  }
}
