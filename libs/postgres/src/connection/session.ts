// How this process connects: the limits of its sessions, and what stands between it and the database.

import type { ClientBase } from 'pg';
import type { DataSourceOptions as AnyDataSourceOptions } from 'typeorm';
import { share } from './pipeline.js';

/** How long a connection may take to be made or to come free, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000;
/** When the driver gives up on an answer and drops the connection: the network may have gone silent. */
const ANSWER_TIMEOUT_MS = 3500;

/**
 * Limits of the server's own, so that a process that was stopped in the middle of a transaction holds a pool
 * for 2 s at most, and nobody waits for a lock for much longer than that. Each is longer than the one before it, so that
 * it is known what went wrong; and what is tried again after the longest is done within 5 s.
 */
const SESSION = {
  idle_in_transaction_session_timeout: '2000',
  lock_timeout: '2500',
  statement_timeout: '3000',
  // Each hot statement is a range of one index. A plan made while a table was small would scan it all.
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  // What is written and read back must not depend on what somebody has set for the role, the database or the server.
  default_transaction_isolation: 'read committed',
  extra_float_digits: '1',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  client_encoding: 'UTF8',
  // Starting workers takes twenty times as long as what they would read.
  max_parallel_workers_per_gather: '0',
};

/** For a whole session, when it begins. */
const FOR_SESSION = Object.entries(SESSION)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ');

/** What a URL says for the session, apart from the URL: the driver would take it instead of ours, not beside it. */
export function sessionOf(given: string): { url: string; options: string } {
  if (!given.includes('?')) return { url: given, options: '' };
  const url = new URL(given);
  const options = url.searchParams.get('options') ?? '';
  for (const name of ['options', 'query_timeout', ...Object.keys(SESSION)]) url.searchParams.delete(name);
  return { url: url.href, options };
}

/** For one transaction, in a session that is somebody else's afterwards. */
const FOR_TRANSACTION = {
  name: 'settings',
  text: `SELECT ${Object.entries(SESSION)
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(', ')}`,
};

/**
 * What stands between this process and the database.
 * - `none`: nothing, or what gives each connection a session of its own.
 * - `transaction`: a pooler that gives each transaction whatever session is free, such as PgBouncer with
 *   pool_mode = transaction. Nothing is prepared, and the limits are set in each transaction.
 * - `transaction-prepared`: one that also knows prepared statements (PgBouncer from 1.21, max_prepared_statements > 0).
 */
export type Pooler = 'none' | 'transaction' | 'transaction-prepared';

export interface DataSourceOptions {
  /** Connections of this process. One transaction runs per pool at a time; reads take the rest. */
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
    // A connection that breaks while idle is replaced when the next one is needed.
    poolErrorHandler: () => {},
    extra: {
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
      // Of two that name the same, the later one holds.
      options: isShared ? options || undefined : `${options} ${FOR_SESSION}`.trim(),
      onConnect: (client: ClientBase) => {
        outliveLoss(client);
        if (isShared) share(client, { prepares: pooler === 'transaction-prepared', settings: FOR_TRANSACTION });
      },
    },
  };
}

/** A connection says by an event that it broke. The next statement on it fails anyway; without a listener, the process would. */
const outliveLoss = (client: ClientBase): void => void client.on('error', () => undefined);
