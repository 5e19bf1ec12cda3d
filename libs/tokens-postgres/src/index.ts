// What the app joins to the domain's ports, and what ormconfig.ts and the start need.

export { afterRestore, type RaisedPool } from './after-restore.js';
export { connectionsOf } from './connections-of.js';
export { createDataSource, type DataSourceOptions, type Pooler } from './data-source.js';
export { isMigrated, lookAt, migrate } from './migrate.js';
export { PostgresApiKeyStore } from './postgres-api-key-store.js';
export { keepEventsFor } from './keep-events-for.js';
export { PostgresEventRetention } from './postgres-event-retention.js';
export { PostgresTokenPoolRepository } from './postgres-token-pool-repository.js';
export { clockBehind, roomForEvents } from './room-for-events.js';
export { PostgresTokenReader } from './postgres-token-reader.js';
