// A job by itself: brings the database to this version's schema as the role that owns it, grants the role of DATABASE_URL
// what the service needs, and ends.
// Before a new version starts; then its processes need no right to change the schema.

import { keepEventsFor, migrate } from '@app/postgres';
import { readConfig } from './config.js';

try {
  const config = readConfig(process.env);
  const { databaseUrl: serviceUrl, migrationDatabaseUrl: url = serviceUrl, eventRetentionDays: days } = config;
  if (url === undefined) throw new Error('MIGRATION_DATABASE_URL or DATABASE_URL must name the database');
  const done = await migrate(url, { serviceUrl });
  await keepEventsFor(url, days);
  console.log(
    `the schema is this version's; migrations that ran: ${done.join(', ') || 'none'}; events are kept ${days === null ? 'for ever' : `for ${days} days`}`,
  );
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  console.error(`the schema is as it was: ${message || code}`);
  process.exitCode = 1;
}
