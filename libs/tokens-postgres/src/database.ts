// The connection to PostgreSQL as the adapters use it: statements sent as they are, failures told apart.

import type { Pool, PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { DomainError } from '@app/tokens';
import { exchange, named, type Answer, type Question, type Statement, type Value } from './exchange.js';

export const BEGIN = named('begin', 'BEGIN');
export const COMMIT = named('commit', 'COMMIT');
export const ROLLBACK = named('rollback', 'ROLLBACK');
const BEGIN_SNAPSHOT = named('begin_snapshot', 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');

/** The database, or the way to it, failed. Whether the statement was refused or lost, its transaction is not committed. */
export class DatabaseFailure extends Error {
  /** It may work at the next try: the connection was lost, or somebody else's lock was in the way. */
  readonly isPassing: boolean;
  /** The database itself said no, so it has not done it. */
  readonly isRefusal: boolean;

  constructor(cause: unknown) {
    super('the database failed', { cause });
    const code = (cause as { code?: unknown } | null)?.code;
    const sqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : null;
    this.isRefusal = sqlState !== null && !sqlState.startsWith('08') && !sqlState.startsWith('57P');
    this.isPassing = sqlState === null || PASSING.some((start) => sqlState.startsWith(start));
  }
}

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

  /** @throws DatabaseFailure */
  async connect(): Promise<PoolClient> {
    for (;;) {
      const client = await orFailure(this.#pool.connect());
      if (this.#trust.isIn(client)) return client;
      client.release(true);
    }
  }

  /** Gives a connection back. After a failure nobody knows what state it is in: it is closed, which also rolls back. */
  release(client: PoolClient, isClean: boolean): void {
    this.#trust.note(client, isClean);
    client.release(!isClean);
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
        return await this.#once(asking);
      } catch (error) {
        if (!(error instanceof DatabaseFailure) || !error.isPassing) throw error;
        if (triesLeft === 0) throw unavailable();
      }
    }
  }

  async #once<T>(asking: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let isClean = false;
    try {
      const answer = await asking(client);
      isClean = true;
      return answer;
    } finally {
      this.release(client, isClean);
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

  note(client: PoolClient, isClean: boolean): void {
    if (isClean) this.#lastUse.set(client, performance.now());
    else this.#lostAt = performance.now();
  }
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
