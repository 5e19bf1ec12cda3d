// The process: reads the configuration, starts the embedded database if no other is configured, then the service.

import type { AddressInfo } from 'node:net';
import { relative } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { startLocalPostgres } from '@app/local-postgres';
import { ApiKeyStore } from '@app/keys';
import { PoolReader, type PoolView } from '@app/tokens';
import { readConfig, type Config } from './config.js';
import { Lifetime } from './lifetime.js';
import { createLogger, type Logger } from './logger.js';
import { OFF, type Telemetry } from './telemetry/telemetry.js';

const DATA = '.data/postgres';

interface Database {
  readonly url: string;
  /** For people; contains no password. */
  readonly name: string;
}

// By default the heap may grow to four times its live size between collections; this limit costs hardly any time.
setFlagsFromString('--heap-growing-percent=50');

// A dynamic import, so that signal handlers exist before the framework loads, and the database starts meanwhile.
const loadApp = () => import('./app.setup.js');

const lifetime = new Lifetime();
lifetime.run(start, (error) => process.stderr.write(`token-pool-service: ${oneLine(error)}\n`));

async function start(): Promise<void> {
  const config = readConfig(process.env, process.stdout.isTTY);
  const logger = await createLogger(config);
  process.on('unhandledRejection', (error) => {
    logger.fatal({ err: error }, 'a rejection that nobody handled');
    process.exit(1);
  });
  const loading = loadApp();
  const database =
    config.databaseUrl === undefined ? await startDatabase(config) : externalDatabase(config.databaseUrl);
  const telemetry = await telemetryOf(config, logger);
  lifetime.onEnd(() => telemetry.end());
  const { createApp } = await loading;
  if (lifetime.isEnding) return;
  const app = await createApp(config, database.url, logger, telemetry);
  lifetime.onEnd(() => app.close());
  if (lifetime.isEnding) return;
  const server = (await app.listen(config.port, config.host)) as { address(): AddressInfo };
  if (config.auth === 'keys' && (await hasNoKey(app.get(ApiKeyStore)))) {
    logger.warn(
      'there is no key yet, so nobody can do anything: npm run -s admin -- keys create --name admin --scopes all',
    );
  }
  const pools = await app.get(PoolReader).pools();
  const url = urlOf(server.address());
  const facts = { url, database: database.name, pools: pools.map(({ name }) => name) };
  logger.info(facts, `listening on ${url}, with ${database.name}, pools ${pools.map(described).join(', ')}`);
}

async function telemetryOf({ hasTelemetry }: Config, logger: Logger): Promise<Telemetry> {
  if (!hasTelemetry) return OFF;
  const { startTelemetry } = await import('./telemetry/start-telemetry.js');
  return startTelemetry(logger);
}

async function startDatabase({ isProduction }: Config): Promise<Database> {
  // The driver reads PG* variables, which would redirect it from the embedded database to another server.
  for (const name of Object.keys(process.env)) if (name.startsWith('PG')) delete process.env[name];
  const server = await startLocalPostgres({ directory: DATA, production: isProduction });
  lifetime.onEnd(() => server.stop());
  const place = relative('', server.directory);
  const directory = place.startsWith('..') ? server.directory : place;
  return { url: server.url, name: `embedded PostgreSQL ${server.version} in ${directory}` };
}

function externalDatabase(url: string): Database {
  const { hostname, port, pathname } = new URL(url);
  return { url, name: `PostgreSQL at ${hostname}:${port || 5432}${pathname}` };
}

const hasNoKey = async (store: ApiKeyStore): Promise<boolean> =>
  (await store.list({ within: null, limit: 1 })).keys.length === 0;

const described = ({ name, kind, counts, size }: PoolView): string =>
  kind === 'fixed' ? `${name} (${counts.total} tokens)` : `${name} (${counts.total} of at most ${size} tokens)`;

const urlOf = ({ address, family, port }: AddressInfo): string =>
  `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;

/** The message of an error with its causes: some errors explain themselves only by their code, cause or parts. */
function oneLine(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(oneLine).join('; ');
  const { message, code, cause } = error as NodeJS.ErrnoException;
  const words = (message || code || String(error)).replaceAll(/\s*\n\s*/g, ' ');
  if (cause === undefined) return words;
  const why = oneLine(cause);
  return words.includes(why.replace(/\.$/, '')) ? words : `${words}: ${why}`;
}
