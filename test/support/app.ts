// The app as main.ts puts it together, listening, on a database of its own.

import type { AddressInfo } from 'node:net';
import { pino, type Logger } from 'pino';
import { createApp } from '../../apps/api/src/app.setup.js';
import { readConfig } from '../../apps/api/src/config.js';
import { createTestDatabase } from './database.js';

export interface TestApp {
  /** Where it listens. */
  readonly url: string;
  readonly port: number;
  readonly databaseUrl: string;
  /** Stops the app in order, as a signal does. */
  stop(): Promise<void>;
  /** Stops the app and drops its database. */
  close(): Promise<void>;
}

/** @param env the variables of docs/configuration.md; without them nothing is swept, and nothing is logged */
export async function startApp(
  env: Readonly<Record<string, string>> = {},
  logger: Logger = pino({ level: 'silent' }),
): Promise<TestApp> {
  const database = await createTestDatabase();
  const app = await startAppOn(database.url, env, logger);
  return { ...app, close: () => app.stop().finally(() => database.drop()) };
}

/** One more process on a database that is there: closing it is stopping it. */
export async function startAppOn(
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
  logger: Logger = pino({ level: 'silent' }),
): Promise<TestApp> {
  const config = readConfig({ PORT: '0', SWEEP_INTERVAL_MS: '0', ...env });
  const app = await createApp(config, databaseUrl, logger);
  const server = (await app.listen(config.port, config.host)) as { address(): AddressInfo };
  const { port } = server.address();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= app.close());
  return {
    url: `http://${config.host}:${port}`,
    port,
    databaseUrl,
    stop,
    close: stop,
  };
}
