// The adapters that an app binds to the domain's ports, and what ormconfig.ts and the app's start need.

export { afterRestore } from './commands/after-restore.js';
export { rotateSecrets } from './commands/rotate-secrets.js';
export { connectionsOf } from './connection/connections-of.js';
export type { DataSourceOptions, Pooler } from './connection/session.js';
export { reasonOf } from './connection/database.js';
export { createDataSource } from './schema/data-source.js';
export { isMigrated, obstacleOf, migrate } from './schema/migrate.js';
export { PostgresApiKeyStore } from './keys/postgres-api-key-store.js';
export { keepEventsFor } from './audit/keep-events-for.js';
export { PostgresEventRetention } from './audit/postgres-event-retention.js';
export { PostgresTokenPoolRepository } from './commands/postgres-token-pool-repository.js';
export { clockBehindSeconds, partitionsUntil } from './schema/warnings.js';
export { PostgresAuditSource } from './audit/postgres-audit-source.js';
export { PostgresEventPartitions } from './audit/postgres-event-partitions.js';
export { PostgresLineReader } from './reading/postgres-line-reader.js';
export { PostgresFeedReader } from './reading/postgres-feed-reader.js';
export { PostgresPointInTimeReader } from './reading/postgres-point-in-time-reader.js';
export { PostgresPoolReader } from './reading/postgres-pool-reader.js';
export { PostgresTokenReader } from './reading/postgres-token-reader.js';
