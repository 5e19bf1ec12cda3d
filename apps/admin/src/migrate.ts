// Migrates the database to this version's schema before its processes start, so that they need no right to change it.

import { keepEventsFor, migrate as migrateSchema } from '@app/postgres';
import { readArguments, refuseExcess, type Command } from './command.js';
import { databaseUrl, eventRetentionDays, ownersUrl } from './environment.js';

const HELP = `Usage: MIGRATION_DATABASE_URL=postgres://owner… DATABASE_URL=postgres://service… npm run -s admin -- migrate

Runs the migrations as the role that owns the schema (MIGRATION_DATABASE_URL, else DATABASE_URL), and grants the role of
DATABASE_URL what the service needs. EVENT_RETENTION_DAYS says how long events are kept at least. When it fails, the schema
is as it was.`;

export const migrate: Command = {
  summary: 'brings the schema to this version, as its owner',
  help: HELP,
  async run(args) {
    refuseExcess(readArguments(args, {}).positionals);
    const days = eventRetentionDays();
    const url = ownersUrl();
    const done = await migrateSchema(url, { serviceUrl: databaseUrl('DATABASE_URL') });
    await keepEventsFor(url, days);
    const kept = days === null ? 'for ever' : `for ${days} days`;
    console.log(
      `the schema is this version's; migrations that ran: ${done.join(', ') || 'none'}; events are kept ${kept}`,
    );
    return 0;
  },
};
