// The DataSource of the TypeORM command line (migration:show, migration:revert …), from the app's own options.

import { createDataSource } from '@app/postgres';

const url = process.env['MIGRATION_DATABASE_URL'] ?? process.env['DATABASE_URL'];
if (!url)
  throw new Error('DATABASE_URL must name the database, such as postgres://user:password@localhost:5432/tokens');

export default createDataSource(url);
