// A job by itself: brings the database to this version's schema as the role that owns it, grants the role of DATABASE_URL
// what the service needs, and ends.
// Before a new version starts; then its processes need no right to change the schema.

import { migrate } from '@app/tokens-postgres';
import { readConfig } from './config.js';

try {
  const { databaseUrl: serviceUrl, migrationDatabaseUrl: url = serviceUrl } = readConfig(process.env);
  if (url === undefined) throw new Error('MIGRATION_DATABASE_URL or DATABASE_URL must name the database');
  const done = await migrate(url, { serviceUrl });
  console.log(`the schema is this version's; migrations that ran: ${done.join(', ') || 'none'}`);
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  console.error(`the schema is as it was: ${message || code}`);
  process.exitCode = 1;
}
