// Assembles the app, identically for the process and for the tests.

import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import { KeyRing } from '@app/keys';
import { LineService, TokenPoolService } from '@app/tokens';
import { AccessGuard } from './access/access.guard.js';
import { identify } from './access/identify.js';
import type { Config } from './config.js';
import { answerHeaders, type Headers } from './http/answer-headers.js';
import { CheckedPipe } from './http/checked.pipe.js';
import { Admission } from './http/admission.js';
import { answerPreflight, cors, corsHeaders } from './http/cors.js';
import { FAIR_QUEUE } from './http/fair-queue.js';
import { HttpAdapter } from './http/http-adapter.js';
import { inOrder } from './http/in-order.js';
import { jsonBody } from './http/json-body.js';
import { ownPages } from './http/own-pages.js';
import { ProblemFilter } from './http/problem.filter.js';
import { requestLog } from './http/request-log.js';
import { NestLogger } from './logger.js';
import { Exposition } from './metrics/exposition.js';
import { HttpMetrics } from './metrics/http-metrics.js';
import { operationsOf, serveDocument } from './openapi/openapi.js';
import { SHORT_ROUTES } from './short-routes/short-routes.controller.js';
import { OFF, type Telemetry } from './telemetry/telemetry.js';

/** Connects to the database and opens the first pools; does not listen. The caller closes the app. */
export async function createApp(
  config: Config,
  databaseUrl: string,
  logger: Logger,
  telemetry: Telemetry = OFF,
): Promise<NestExpressApplication> {
  const app = await assembleApp(AppModule.forRoot(config, databaseUrl, logger, telemetry), config, logger, telemetry);
  telemetry.measure((withDatabase) => app.get(Exposition).families(withDatabase));
  const document = serveDocument(app);
  app.get(HttpMetrics).announce(() => operationsOf(document()));
  try {
    return await app.init();
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** Creates the app with its middleware, guards, pipes and filters; does not initialise it. */
export async function assembleApp(
  module: DynamicModule | Type,
  config: Config,
  logger: Logger,
  telemetry: Telemetry = OFF,
): Promise<NestExpressApplication> {
  const headers = answerHeaders(config.hstsSeconds);
  const allow = corsHeaders(config.corsOrigins);
  const headersFor = (origin: string | undefined): Headers => [...headers, ...allow(origin)];
  const admission = new Admission(SHORT_ROUTES, headersFor);
  const app = await NestFactory.create<NestExpressApplication>(
    module,
    new HttpAdapter(admission, headersFor, config.keepAliveTimeoutMs),
    {
      logger: new NestLogger(logger),
      abortOnError: false,
      bodyParser: false,
    },
  );
  const metrics = app.get(HttpMetrics);
  admission.onTurnedAway((what) => metrics.turnedAway(what));
  app.set('trust proxy', config.trustProxy);
  const handlers = [
    ...telemetry.handlers,
    requestLog(logger, metrics, headers),
    config.corsOrigins.length > 0 ? cors(allow) : undefined,
    config.auth === 'open' ? ownPages(config) : undefined,
    identify(config, () => app.get(KeyRing)),
    config.corsOrigins.length > 0 ? answerPreflight : undefined,
    jsonBody,
    admission.count,
    FAIR_QUEUE.handle,
  ];
  app.use(inOrder(handlers.filter((handler) => handler !== undefined)));
  if (config.auth === 'keys') app.useGlobalGuards(new AccessGuard(app.get(TokenPoolService), app.get(LineService)));
  app.useGlobalPipes(new CheckedPipe());
  app.useGlobalFilters(new ProblemFilter(logger, SHORT_ROUTES));
  return app;
}
