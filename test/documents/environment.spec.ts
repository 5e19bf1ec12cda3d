// The service and `admin` read some variables each by itself, since no app knows another. They allow the same.

import { databaseUrl, eventRetentionDays, ownersUrl, secretsKeys } from '../../apps/admin/src/environment.js';
import { UsageError } from '../../apps/admin/src/usage-error.js';
import { readConfig } from '../../apps/api/src/config.js';

const NAMES = [
  'DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'DATABASE_POOLER',
  'EVENT_RETENTION_DAYS',
  'SECRETS_KEY',
] as const;
type Environment = Partial<Record<(typeof NAMES)[number], string>>;

/** Replaces the variables while `read` runs. */
function within<T>(given: Environment, read: () => T): T {
  const before = NAMES.map((name) => [name, process.env[name]] as const);
  const set = (name: string, text: string | undefined): void => {
    if (text === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = text;
  };
  for (const name of NAMES) set(name, given[name]);
  try {
    return read();
  } finally {
    for (const [name, text] of before) set(name, text);
  }
}

/** The value that is read; the name of the first variable in the message when it is refused. */
function outcome<T>(read: () => T): T | { readonly refused: string | undefined } {
  try {
    return read();
  } catch (error) {
    return { refused: /[A-Z_]{8,}/.exec((error as Error).message)?.[0] };
  }
}

const ofService = (given: Environment) => outcome(() => readConfig(given));
const ofAdmin = <T>(given: Environment, read: () => T) => outcome(() => within(given, read));

const URLS = [
  'postgres://user:p%40ss@host:5433/name',
  'postgresql://host/name?sslmode=require',
  'postgres://user:%zz@host/name',
  'postgres://host/%zz',
  'postgres://host:99999/name',
  'postgres://',
  'postgres://a b',
  'mysql://host/name',
  'host',
];

test.each(URLS)('a database URL: %s', (url) => {
  const service = ofService({ DATABASE_URL: url });
  const expected = 'refused' in service ? service : service.databaseUrl;
  expect(ofAdmin({ DATABASE_URL: url }, () => databaseUrl('DATABASE_URL'))).toEqual(expected);
});

test.each(['1', '90', '36500', '36501', '0', '-1', '1.5', '007', ' 7', 'x'])('days of retention: %j', (text) => {
  const service = ofService({ EVENT_RETENTION_DAYS: text });
  const expected = 'refused' in service ? service : service.eventRetentionDays;
  expect(ofAdmin({ EVENT_RETENTION_DAYS: text }, eventRetentionDays)).toEqual(expected);
});

test('behind a pooler both ask for the way past it', () => {
  const given = { DATABASE_URL: 'postgres://pooler/name', DATABASE_POOLER: 'transaction' };
  expect(ofService(given)).toEqual({ refused: 'MIGRATION_DATABASE_URL' });
  expect(ofAdmin(given, ownersUrl)).toEqual({ refused: 'MIGRATION_DATABASE_URL' });
});

test('what is refused is a usage error of admin, and shows no password', () => {
  const read = () => within({ DATABASE_URL: 'postgres://user:secret%zz@host/name' }, () => databaseUrl('DATABASE_URL'));
  expect(read).toThrow(UsageError);
  expect(read).toThrow(/^DATABASE_URL is \(not shown\); allowed is postgres:/);
});

const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
test.each([KEY, `${KEY}, ${KEY}`, '', KEY.slice(1), `${KEY},`, 'x'])('keys of secrets: %j', (text) => {
  const service = ofService({ SECRETS_KEY: text });
  const expected = 'refused' in service ? service : service.secretsKeys;
  expect(ofAdmin({ SECRETS_KEY: text }, secretsKeys)).toEqual(expected);
});
