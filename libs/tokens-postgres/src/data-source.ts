// The one description of the database for the app, the tests and ormconfig.ts.

import type { ClientBase } from 'pg';
import { DataSource } from 'typeorm';
import { ApiKeyEntity } from './entities/api-key.entity.js';
import { ClockDayEntity } from './entities/clock-day.entity.js';
import { AuditRetentionEntity } from './entities/audit-retention.entity.js';
import { EventSnapshotEntity } from './entities/event-snapshot.entity.js';
import { EventSnapshotTokensEntity } from './entities/event-snapshot-tokens.entity.js';
import { KeptAnswerEntity } from './entities/kept-answer.entity.js';
import { PoolEntity } from './entities/pool.entity.js';
import { RestoreEntity } from './entities/restore.entity.js';
import { TokenEventEntity } from './entities/token-event.entity.js';
import { TokenEntity } from './entities/token.entity.js';
import { share } from './exchange.js';
import { ClockDays1700000000024 } from './migrations/1700000000024-clock-days.js';
import { ApiKeys1700000000003 } from './migrations/1700000000003-api-keys.js';
import { KeptAnswers1700000000001 } from './migrations/1700000000001-kept-answers.js';
import { Callers1700000000002 } from './migrations/1700000000002-callers.js';
import { FairPolicy1700000000004 } from './migrations/1700000000004-fair-policy.js';
import { EventChain1700000000008 } from './migrations/1700000000008-event-chain.js';
import { EventPartitions1700000000007 } from './migrations/1700000000007-event-partitions.js';
import { EventRetention1700000000021 } from './migrations/1700000000021-event-retention.js';
import { KeyChanges1700000000025 } from './migrations/1700000000025-key-changes.js';
import { EventsChecked1700000000006 } from './migrations/1700000000006-events-checked.js';
import { EventsUntil1700000000005 } from './migrations/1700000000005-events-until.js';
import { OverdueThen1700000000009 } from './migrations/1700000000009-overdue-then.js';
import { PoolClocks1700000000026 } from './migrations/1700000000026-pool-clocks.js';
import { PoolsTokensEvents1700000000000 } from './migrations/1700000000000-pools-tokens-events.js';
import { Restores1700000000020 } from './migrations/1700000000020-restores.js';

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

/** Not connected yet: the caller initialises and destroys it. */
export function createDataSource(
  given: string,
  { poolSize = 10, pooler = 'none' }: DataSourceOptions = {},
): DataSource {
  const { url, options } = sessionOf(given);
  const isShared = pooler !== 'none';
  return new DataSource({
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
    entities: [
      PoolEntity,
      TokenEntity,
      TokenEventEntity,
      KeptAnswerEntity,
      ApiKeyEntity,
      RestoreEntity,
      AuditRetentionEntity,
      ClockDayEntity,
      EventSnapshotEntity,
      EventSnapshotTokensEntity,
    ],
    migrations: [
      PoolsTokensEvents1700000000000,
      KeptAnswers1700000000001,
      Callers1700000000002,
      ApiKeys1700000000003,
      FairPolicy1700000000004,
      EventsUntil1700000000005,
      EventsChecked1700000000006,
      EventPartitions1700000000007,
      EventChain1700000000008,
      OverdueThen1700000000009,
      Restores1700000000020,
      EventRetention1700000000021,
      ClockDays1700000000024,
      KeyChanges1700000000025,
      PoolClocks1700000000026,
    ],
    migrationsTableName: 'migrations',
    installExtensions: false,
  });
}

/** A connection says by an event that it broke. The next statement on it fails anyway; without a listener, the process would. */
const outliveLoss = (client: ClientBase): void => void client.on('error', () => undefined);
