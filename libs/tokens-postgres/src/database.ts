// The connection to PostgreSQL as the adapters use it: statements sent as they are, failures told apart.

import type { Pool, PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { DomainError } from '@app/tokens';
import {
  exchange,
  isInTransaction,
  named,
  type Answer,
  type Question,
  type Statement,
  type Value,
} from './exchange.js';

export const BEGIN = named('begin', 'BEGIN');
export const COMMIT = named('commit', 'COMMIT');
const ROLLBACK = named('rollback', 'ROLLBACK');
const BEGIN_SNAPSHOT = named('begin_snapshot', 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');

/** The database, or the way to it, failed. Whether the statement was refused or lost, its transaction is not committed. */
export class DatabaseFailure extends Error {
  /** It may work at the next try: the connection was lost, or somebody else's lock was in the way. */
  readonly isPassing: boolean;
  /** The database itself said no, so it has not done it. */
  readonly isRefusal: boolean;
  /** The connection is of no use any more. An error of a statement says nothing about its connection. */
  readonly isLoss: boolean;

  constructor(cause: unknown) {
    super('the database failed', { cause });
    const code = (cause as { code?: unknown } | null)?.code;
    const sqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : null;
    this.isLoss = sqlState === null || LOSS.some((start) => sqlState.startsWith(start));
    this.isRefusal = sqlState !== null && !sqlState.startsWith('08') && !sqlState.startsWith('57P');
    this.isPassing = sqlState === null || PASSING.some((start) => sqlState.startsWith(start));
  }
}

/** Connection lost (08), cut by an operator or a crash (57P), or by a time limit on an idle or long transaction. */
const LOSS = ['08', '57P', '25P03', '25P04'];

/**
 * Connection lost (08), cut or refused by an operator or a time limit (57), too many connections (53300),
 * idle in transaction for too long (25P03), serialisation failure (40), lock not to be had in time (55P03).
 */
const PASSING = ['08', '57', '53', '25P03', '40', '55P03'];

export const unavailable = (detail = 'the database cannot be reached in time; nothing was changed'): DomainError =>
  new DomainError('unavailable', detail, { retryAfterSeconds: 1 });

export class Database {
  readonly #pool: Pool;
  readonly #trust: Trust;

  constructor(source: DataSource) {
    this.#pool = poolOf(source);
    this.#trust = Trust.in(this.#pool);
  }

  /** Several statements that see the database as of one instant, and change nothing. They may run twice. */
  snapshot<T>(look: (ask: <Row>(statement: Statement, values: Value[]) => Promise<Row[]>) => Promise<T>): Promise<T> {
    return this.#twice(async (client) => {
      await send(client, BEGIN_SNAPSHOT);
      const seen = await look(async (statement, values) => {
        const [result] = await send(client, { ...statement, values });
        return result?.rows as never;
      });
      await send(client, COMMIT);
      return seen;
    });
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

  async read<Row>(statement: Statement, values: Value[]): Promise<Row[]> {
    return (await this.run(statement, values)).rows as Row[];
  }

  /** One statement outside of a transaction, which may as well run twice. */
  run(statement: Statement, values: Value[]): Promise<Answer> {
    return this.#twice(async (client) => (await send(client, { ...statement, values }))[0] as Answer);
  }

  /** What is asked is asked a second time when the connection turns out to be lost. */
  async #twice<T>(asking: (client: PoolClient) => Promise<T>): Promise<T> {
    for (let triesLeft = 1; ; triesLeft--) {
      try {
        return await this.use(asking);
      } catch (error) {
        if (!(error instanceof DatabaseFailure) || !error.isPassing) throw error;
        if (triesLeft === 0) throw unavailable();
      }
    }
  }
}

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
    if (isLost) this.#lostAt = performance.now();
    else this.#lastUse.set(client, performance.now());
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

/** TypeORM's own pool, without its query builder in between: it would ask for each answer apart. */
const poolOf = (source: DataSource): Pool => (source.driver as unknown as { master: Pool }).master;

/** The connections of this process: those that there are, the idle ones of them, and how many callers wait for one. */
export function connectionsOf(source: DataSource): { total: number; idle: number; waiting: number } {
  const { totalCount, idleCount, waitingCount } = poolOf(source);
  return { total: totalCount, idle: idleCount, waiting: waitingCount };
}

/** Several statements of one transaction, sent in one go; the answers in the same order. @throws DatabaseFailure */
export const send = (client: PoolClient, ...questions: Question[]): Promise<Answer[]> =>
  orFailure(exchange(client, questions));

async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new DatabaseFailure(error);
  }
}
