// The variables that the commands share with the service: docs/configuration.md.

import { secretsKeysOf } from '@app/tokens';
import { UsageError } from './usage-error.js';

const MAX_RETENTION_DAYS = 36_500;

/**
 * Reads a URL of PostgreSQL; an empty variable counts as unset.
 * @throws UsageError for another text, which the message does not quote because it may contain a password
 */
export function databaseUrl(name: 'DATABASE_URL' | 'MIGRATION_DATABASE_URL'): string | undefined {
  const url = process.env[name] || undefined;
  if (url === undefined) return url;
  if (/^postgres(ql)?:\/\/\S+$/.test(url) && URL.canParse(url) && isDecodable(url)) return url;
  throw new UsageError(`${name} is (not shown); allowed is postgres://user:password@host:port/name`);
}

/** The driver decodes each part of a URL, and its error would not name the variable. */
function isDecodable(url: string): boolean {
  try {
    return decodeURIComponent(url) !== '';
  } catch {
    return false;
  }
}

/**
 * The URL for changes of the schema: past any pooler, as the role that owns the schema.
 * @throws UsageError when no variable names it
 */
export function ownersUrl(): string {
  const url = databaseUrl('MIGRATION_DATABASE_URL');
  if (url !== undefined) return url;
  const { DATABASE_POOLER = 'none' } = process.env;
  // The advisory lock of a migration needs a session, which a transaction pooler does not keep.
  if (DATABASE_POOLER !== 'none') {
    throw new UsageError(
      `MIGRATION_DATABASE_URL must name the database past the pooler, with DATABASE_POOLER=${DATABASE_POOLER}`,
    );
  }
  const service = databaseUrl('DATABASE_URL');
  if (service !== undefined) return service;
  throw new UsageError('MIGRATION_DATABASE_URL or DATABASE_URL must name the database');
}

/** The least days that the database keeps events; null: for ever. @throws UsageError */
export function eventRetentionDays(): number | null {
  const { EVENT_RETENTION_DAYS: text } = process.env;
  if (text === undefined) return null;
  const days = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : NaN;
  if (days <= MAX_RETENTION_DAYS) return days;
  throw new UsageError(
    `EVENT_RETENTION_DAYS is ${JSON.stringify(text)}; allowed is a whole number from 1 to ${MAX_RETENTION_DAYS}`,
  );
}

/** The keys for the secrets of things. @throws UsageError when there is none, and for another text, which it hides */
export function secretsKeys(): Buffer[] {
  const { SECRETS_KEY: text } = process.env;
  if (text === undefined) throw new UsageError('SECRETS_KEY must give the keys, the new one first');
  const keys = secretsKeysOf(text);
  if (keys) return keys;
  throw new UsageError(
    'SECRETS_KEY is (not shown); allowed is 32 bytes in base64, or several such keys with commas between them',
  );
}
