// Keys on the command line: npm run -s keys -- --help

import { startLocalPostgres } from '@app/local-postgres';
import { ApiKeys, withoutSecrets, type ApiKeyView } from '@app/keys';
import { DomainError } from '@app/tokens';
import { createDataSource, migrate, PostgresApiKeyStore } from '@app/postgres';
import { readCommand, type Command } from './command.js';
import { HELP } from './help.js';
import { issued, listed, revoked } from './output.js';
import { UsageError } from './usage-error.js';

const EXIT = { done: 0, refused: 1, usage: 2, noDatabase: 3 } as const;
const DATA = '.data/postgres';
const PAGE = 1000;

try {
  const { command, isJson } = readCommand(process.argv.slice(2), Date.now());
  console.log(command.name === 'help' ? HELP : await onDatabase((keys) => done(command, keys, isJson)));
} catch (error) {
  process.exitCode = exitCodeOf(error);
  const { message, code } = error as Error & { code?: string };
  console.error(`keys: ${withoutSecrets(message || String(code))}`);
  if (error instanceof UsageError) console.error('npm run -s keys -- --help says what there is');
}

async function done(command: Exclude<Command, { name: 'help' }>, keys: ApiKeys, isJson: boolean): Promise<string> {
  switch (command.name) {
    case 'create':
      return issued(await keys.create(command.request, null), isJson);
    case 'list':
      return listed(await allKeys(keys), isJson);
    case 'rotate':
      return issued(await keys.rotate(command.id, command.oldForSeconds, null), isJson);
    case 'revoke':
      return revoked(await keys.revoke(command.id, null), isJson);
  }
}

async function allKeys(keys: ApiKeys): Promise<ApiKeyView[]> {
  const all: ApiKeyView[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await keys.list({ limit: PAGE, cursor }, null);
    all.push(...page.keys);
    if (page.next_cursor === null) return all;
    cursor = page.next_cursor;
  }
}

async function onDatabase<T>(work: (keys: ApiKeys) => Promise<T>): Promise<T> {
  const { DATABASE_URL, MIGRATION_DATABASE_URL, NODE_ENV } = process.env;
  const given = DATABASE_URL || MIGRATION_DATABASE_URL;
  // Where the service runs on it, it is joined, and left running.
  const isProduction = NODE_ENV === 'production';
  const local = given ? undefined : await startLocalPostgres({ directory: DATA, production: isProduction });
  try {
    const serviceUrl = given ?? local!.url;
    // Past a pooler, and as the role that owns the schema, where there is one.
    const url = MIGRATION_DATABASE_URL || serviceUrl;
    await migrate(url, { serviceUrl });
    const source = await createDataSource(url, { poolSize: 1 }).initialize();
    try {
      return await work(new ApiKeys(new PostgresApiKeyStore(source)));
    } finally {
      await source.destroy();
    }
  } finally {
    await local?.stop();
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof DomainError && error.code !== 'unavailable' ? EXIT.refused : EXIT.noDatabase;
}
