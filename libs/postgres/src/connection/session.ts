// How this process connects: the settings of its sessions, and the pooler between it and the database.

import type { ClientBase } from 'pg';
import type { DataSourceOptions as AnyDataSourceOptions } from 'typeorm';
import { share } from './pipeline.js';

/** How long a caller waits for a new or a free connection. */
const CONNECT_TIMEOUT_MS = 2000;
/** When the driver stops waiting for a result and drops the connection: the network may have gone silent. */
const ANSWER_TIMEOUT_MS = 3500;

/**
 * The server enforces these limits. If the process is suspended in a transaction, PostgreSQL takes its locks back after
 * 2 s, and no other transaction waits for a lock much longer than that. Each limit exceeds the one before it, so the
 * first to fire names the cause. A second attempt after the longest of them ends within 5 s.
 */
const SESSION = {
  idle_in_transaction_session_timeout: '2000',
  lock_timeout: '2500',
  statement_timeout: '3000',
  // Each hot statement reads a range of one index. A plan that was made for a small table would scan all of it.
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  // The forms of values and the isolation must not depend on settings of the role, the database or the server.
  default_transaction_isolation: 'read committed',
  extra_float_digits: '1',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  client_encoding: 'UTF8',
  // To start workers takes twenty times as long as the reads themselves.
  max_parallel_workers_per_gather: '0',
};

/** The settings as options of a new connection, for its whole session. */
const FOR_SESSION = Object.entries(SESSION)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ');

/** Splits off a URL's options for the session: the driver would use them instead of ours, and not merge the two. */
export function sessionOf(given: string): { url: string; options: string } {
  if (!given.includes('?')) return { url: given, options: '' };
  const url = new URL(given);
  const options = url.searchParams.get('options') ?? '';
  for (const name of ['options', 'query_timeout', ...Object.keys(SESSION)]) url.searchParams.delete(name);
  return { url: url.href, options };
}

/** The settings for one transaction, in a session that a pooler gives to another client afterwards. */
const FOR_TRANSACTION = {
  name: 'settings',
  text: `SELECT ${Object.entries(SESSION)
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(', ')}`,
};

/**
 * The pooler between this process and the database.
 * - `none`: no pooler, or one that gives each connection a session of its own.
 * - `transaction`: a pooler that gives each transaction any free session, such as PgBouncer with
 *   pool_mode = transaction. The process prepares no statements and sets the limits in each transaction.
 * - `transaction-prepared`: a pooler that also supports prepared statements (PgBouncer from 1.21 with
 *   max_prepared_statements > 0).
 */
export type Pooler = 'none' | 'transaction' | 'transaction-prepared';

export interface DataSourceOptions {
  /**
   * The most connections of this process. The commands of a pool use one at a time; reads use the rest. Default: 10.
   */
  readonly poolSize?: number;
  /** Default: `none`. */
  readonly pooler?: Pooler;
}

type PostgresOptions = Extract<AnyDataSourceOptions, { type: 'postgres' }>;

/** What TypeORM needs to connect. */
export function connectionOptions(
  given: string,
  { poolSize = 10, pooler = 'none' }: DataSourceOptions = {},
): PostgresOptions {
  const { url, options } = sessionOf(given);
  const isShared = pooler !== 'none';
  return {
    type: 'postgres',
    url,
    poolSize,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    applicationName: 'token-pool',
    // The pool replaces a connection that breaks while idle when it needs the next one.
    poolErrorHandler: () => {},
    extra: {
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
      // PostgreSQL takes the later of two options with the same name.
      options: isShared ? options || undefined : `${options} ${FOR_SESSION}`.trim(),
      onConnect: (client: ClientBase) => {
        outliveLoss(client);
        if (isShared) share(client, { prepares: pooler === 'transaction-prepared', settings: FOR_TRANSACTION });
      },
    },
  };
}

/**
 * A broken connection emits `error`, which would end the process if it had no listener. Its next statement fails
 * anyway.
 */
const outliveLoss = (client: ClientBase): void => void client.on('error', () => undefined);
