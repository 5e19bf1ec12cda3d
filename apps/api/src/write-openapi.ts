// Writes openapi.json, without a database.

import { writeFile } from 'node:fs/promises';
import { Global, Module } from '@nestjs/common';
import { ApiKeyStore } from '@app/keys';
import {
  AuditSource,
  FeedReader,
  LineReader,
  PointInTimeReader,
  PoolReader,
  TokenPoolRepository,
  TokenReader,
} from '@app/tokens';
import { pino } from 'pino';
import { ApiModule } from './api.module.js';
import { assembleApp } from './app.setup.js';
import { CONFIG, readConfig } from './config.js';
import { Readiness } from './health/readiness.js';
import { LOGGER } from './logger.js';
import { Connections } from './metrics/connections.js';
import { OFF, TELEMETRY } from './telemetry/telemetry.js';
import { buildDocument } from './openapi/openapi.js';

const STUBBED = [
  TokenPoolRepository,
  TokenReader,
  LineReader,
  PoolReader,
  FeedReader,
  PointInTimeReader,
  AuditSource,
  ApiKeyStore,
  Readiness,
  Connections,
  CONFIG,
  LOGGER,
];

/** Stands in for everything that the controllers inject: building the document calls none of it. */
@Global()
@Module({
  providers: [...STUBBED.map((provide) => ({ provide, useValue: {} })), { provide: TELEMETRY, useValue: OFF }],
  exports: [...STUBBED, TELEMETRY],
})
class NoPersistence {}

@Module({ imports: [NoPersistence, ApiModule] })
class DocumentedApp {}

const app = await assembleApp(DocumentedApp, readConfig({}), pino({ level: 'silent' }));
await writeFile('openapi.json', `${JSON.stringify(buildDocument(app), null, 2)}\n`);
await app.close();
