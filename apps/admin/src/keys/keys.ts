// The command `keys`: npm run -s admin -- keys --help

import { startLocalPostgres } from '@app/local-postgres';
import { ApiKeys, type ApiKeyView } from '@app/keys';
import { createDataSource, migrate, PostgresApiKeyStore } from '@app/postgres';
import type { Command } from '../command.js';
import { databaseUrl } from '../environment.js';
import { readCommand, type KeyCommand } from './key-command.js';
import { HELP } from './help.js';
import { issued, listed, revoked } from './output.js';

const DATA = '.data/postgres';
const PAGE = 1000;

export const keys: Command = {
  summary: 'creates, lists, rotates and revokes keys',
  help: HELP,
  async run(args) {
    const { command, isJson } = readCommand(args, Date.now());
    console.log(command.name === 'help' ? HELP : await onDatabase((all) => done(command, all, isJson)));
    return 0;
  },
};

async function done(command: Exclude<KeyCommand, { name: 'help' }>, keys: ApiKeys, isJson: boolean): Promise<string> {
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
  const ofOwner = databaseUrl('MIGRATION_DATABASE_URL');
  const given = databaseUrl('DATABASE_URL') ?? ofOwner;
  // If the service uses the embedded database, the command joins it and leaves it running.
  const isProduction = process.env['NODE_ENV'] === 'production';
  const local = given ? undefined : await startLocalPostgres({ directory: DATA, production: isProduction });
  try {
    const serviceUrl = given ?? local!.url;
    // The migration URL leads past a pooler, as the role that owns the schema.
    const url = ofOwner ?? serviceUrl;
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
