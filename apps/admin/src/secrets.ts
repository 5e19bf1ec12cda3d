// Encrypts the secrets of things with a new key.

import { createDataSource, rotateSecrets } from '@app/postgres';
import { SecretBox } from '@app/tokens';
import { readArguments, refuseExcess, type Command } from './command.js';
import { databaseUrl, secretsKeys } from './environment.js';
import { UsageError } from './usage-error.js';

const HELP = `Usage: DATABASE_URL=postgres://… SECRETS_KEY=NEW,OLD npm run -s admin -- secrets rotate

Encrypts every secret with the first key of SECRETS_KEY. To change the key:

  1. Make one: openssl rand -base64 32
  2. Restart every process of the service with SECRETS_KEY=OLD,NEW, so that all can read both.
  3. Restart every process with SECRETS_KEY=NEW,OLD, so that all write the new one.
  4. Run this command with SECRETS_KEY=NEW,OLD. It may be run again.
  5. Restart every process with SECRETS_KEY=NEW.`;

export const secrets: Command = {
  summary: 'encrypts the secrets of things with a new key',
  help: HELP,
  async run(args) {
    const [action, ...more] = readArguments(args, {}).positionals;
    if (action !== 'rotate') throw new UsageError('secrets needs what to do: rotate');
    refuseExcess(more);
    const url = databaseUrl('DATABASE_URL');
    if (url === undefined) throw new UsageError('DATABASE_URL must name the database');
    const box = new SecretBox(secretsKeys());
    const source = await createDataSource(url, { poolSize: 1 }).initialize();
    try {
      const { secrets: all, rotated } = await rotateSecrets(source, box);
      console.log(`${all} secrets, all encrypted with the first key now; ${rotated} of them were not before`);
    } finally {
      await source.destroy();
    }
    return 0;
  },
};
