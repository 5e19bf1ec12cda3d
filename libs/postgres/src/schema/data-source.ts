// Describes the database to TypeORM, for the app, the tests and ormconfig.ts.

import { DataSource } from 'typeorm';
import { ApiKeyEntity } from './entities/api-key.entity.js';
import { ClockDayEntity } from './entities/clock-day.entity.js';
import { AuditRetentionEntity } from './entities/audit-retention.entity.js';
import { EventSnapshotEntity } from './entities/event-snapshot.entity.js';
import { EventSnapshotTokensEntity } from './entities/event-snapshot-tokens.entity.js';
import { KeptAnswerEntity } from './entities/kept-answer.entity.js';
import { PoolEntity } from './entities/pool.entity.js';
import { RestoreEntity } from './entities/restore.entity.js';
import { TicketEntity } from './entities/ticket.entity.js';
import { ThingEntity } from './entities/thing.entity.js';
import { ThingSecretEntity } from './entities/thing-secret.entity.js';
import { TokenEventEntity } from './entities/token-event.entity.js';
import { TokenEntity } from './entities/token.entity.js';
import { TokenUpkeepEntity } from './entities/token-upkeep.entity.js';
import { connectionOptions, type DataSourceOptions } from '../connection/session.js';
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
import { Holders1700000000030 } from './migrations/1700000000030-holders.js';
import { LeasesOfHolder1700000000031 } from './migrations/1700000000031-leases-of-holder.js';
import { OverdueThen1700000000009 } from './migrations/1700000000009-overdue-then.js';
import { DeletedPools1700000000029 } from './migrations/1700000000029-deleted-pools.js';
import { PoolClocks1700000000026 } from './migrations/1700000000026-pool-clocks.js';
import { PoolsTokensEvents1700000000000 } from './migrations/1700000000000-pools-tokens-events.js';
import { PoolEvents1700000000027 } from './migrations/1700000000027-pool-events.js';
import { PausedAndSmallerPools1700000000028 } from './migrations/1700000000028-paused-and-smaller-pools.js';
import { Things1700000000032 } from './migrations/1700000000032-things.js';
import { Line1700000000033 } from './migrations/1700000000033-line.js';
import { PoolBounds1700000000034 } from './migrations/1700000000034-pool-bounds.js';
import { BetweenUsers1700000000035 } from './migrations/1700000000035-between-users.js';
import { ThingsSeq1700000000036 } from './migrations/1700000000036-things-seq.js';
import { Restores1700000000020 } from './migrations/1700000000020-restores.js';

/** A data source that is not connected yet: the caller initialises and destroys it. */
export function createDataSource(url: string, options?: DataSourceOptions): DataSource {
  return new DataSource({
    ...connectionOptions(url, options),
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
      ThingEntity,
      ThingSecretEntity,
      TicketEntity,
      TokenUpkeepEntity,
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
      PoolEvents1700000000027,
      PausedAndSmallerPools1700000000028,
      DeletedPools1700000000029,
      Holders1700000000030,
      LeasesOfHolder1700000000031,
      Things1700000000032,
      Line1700000000033,
      PoolBounds1700000000034,
      BetweenUsers1700000000035,
      ThingsSeq1700000000036,
    ],
    migrationsTableName: 'migrations',
    installExtensions: false,
  });
}
