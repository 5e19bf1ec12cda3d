// The variables of the service that its operator's commands read, too: docs/configuration.md.

import { UsageError } from './usage-error.js';

const MAX_RETENTION_DAYS = 36_500;

/** An empty one is none. @throws UsageError for what is no URL of PostgreSQL; it is not shown, as it may hold a password */
export function databaseUrl(name: 'DATABASE_URL' | 'MIGRATION_DATABASE_URL'): string | undefined {
  const url = process.env[name] || undefined;
  if (url === undefined || (/^postgres(ql)?:\/\/\S+$/.test(url) && URL.canParse(url))) return url;
  throw new UsageError(`${name} is (not shown); allowed is postgres://user:password@host:port/name`);
}

/** Where the schema is changed: past a pooler, and as the role that owns it. @throws UsageError where nothing names it */
export function ownersUrl(): string {
  const url = databaseUrl('MIGRATION_DATABASE_URL');
  if (url !== undefined) return url;
  const { DATABASE_POOLER = 'none' } = process.env;
  // A migration's lock belongs to a session, which a pooler does not keep.
  if (DATABASE_POOLER !== 'none') {
    throw new UsageError(
      `MIGRATION_DATABASE_URL must name the database past the pooler, with DATABASE_POOLER=${DATABASE_POOLER}`,
    );
  }
  const service = databaseUrl('DATABASE_URL');
  if (service !== undefined) return service;
  throw new UsageError('MIGRATION_DATABASE_URL or DATABASE_URL must name the database');
}

/** For how many days events are kept at least; null: for ever. @throws UsageError */
export function eventRetentionDays(): number | null {
  const { EVENT_RETENTION_DAYS: text } = process.env;
  if (text === undefined) return null;
  const days = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : NaN;
  if (days <= MAX_RETENTION_DAYS) return days;
  throw new UsageError(
    `EVENT_RETENTION_DAYS is ${JSON.stringify(text)}; allowed is a whole number from 1 to ${MAX_RETENTION_DAYS}`,
  );
}
