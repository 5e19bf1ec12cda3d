// The help of `npm run -s admin -- keys`.

import { SCOPES } from '@app/keys';

const MEANINGS: Record<(typeof SCOPES)[number], string> = {
  read: 'see tokens, pools, events and the stream',
  use: 'take tokens; release and keep alive what this key took',
  operate: 'release and keep alive anything; clean up, make and delete tokens, audit',
  pools: 'make and change pools',
  keys: 'give, list and revoke keys that may do no more than itself; rotate those it gave (with operate: any of them)',
  metrics: 'GET /metrics',
};

export const HELP = `keys: who may use the service, when it runs with AUTH=keys

Usage: npm run -s admin -- keys COMMAND [OPTION…]

Commands:
  create --name NAME --scopes SCOPE[,SCOPE…] [--pools POOL[,POOL…]] [--expires WHEN]
                      makes a key, and shows it: once, here, and never again
  list                all keys, with their last use
  rotate ID [--old-for SECONDS]
                      gives a key a new secret; the old one stays good for so long (default: a day)
  revoke ID           ends a key: within 5 s it is good for nothing, in any process

Scopes, each for the key's pools only:
${SCOPES.map((scope) => `  ${scope.padEnd(8)}  ${MEANINGS[scope]}`).join('\n')}
  all       all of them

Options:
  --name NAME         for people: whose it is, or what for
  --pools POOL,…      left out: all pools, also those to come
  --expires WHEN      90d, 12h, 30m, or a time such as 2027-01-01T00:00:00Z; left out: never
  --old-for SECONDS   0 to 2592000 (30 days); with 0 the old secret is over at once
  --json              JSON, of lists one object a line
  --help              this

DATABASE_URL names the database (MIGRATION_DATABASE_URL, where that is set); it is migrated first. Without it, it is the
embedded one of npm start in ./.data, whether or not the service is running.

Exit codes: 0 done; 1 refused, such as an unknown key, or the database cannot be reached; 2 the command line is wrong.

Examples:
  npm run -s admin -- keys create --name admin --scopes all
  npm run -s admin -- keys create --name kiosk-7 --scopes use,read --pools seats,desks --expires 90d
  npm run -s admin -- keys rotate 0A1b2C3d4E5f --old-for 3600`;
