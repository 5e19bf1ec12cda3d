// The service with a further route that does nothing: shows the cost of HTTP, Express, Nest, the checks and the log.

import { Body, Controller, HttpCode, Module, Post, UseGuards, type DynamicModule } from '@nestjs/common';
import { AppModule } from '../../../apps/api/src/app.module.js';
import { assembleApp } from '../../../apps/api/src/app.setup.js';
import { readConfig } from '../../../apps/api/src/config.js';
import { DeclaredInputGuard } from '../../../apps/api/src/http/declared-input.guard.js';
import { CurrentRequest, type RequestContext } from '../../../apps/api/src/http/idempotency.js';
import { createLogger } from '../../../apps/api/src/logger.js';
import { serveDocument } from '../../../apps/api/src/openapi/openapi.js';
import { AllocateBody } from '../../../apps/api/src/tokens/token.requests.js';
import type { GrantAnswer } from '../../../apps/api/src/tokens/token.responses.js';
import { answerTo } from './answer.js';

@UseGuards(DeclaredInputGuard)
@Controller('api/tokens')
class NoOpController {
  @Post('no-op')
  @HttpCode(200)
  answer(@Body() { pool = 'default', user_id = '' }: AllocateBody, @CurrentRequest() _: RequestContext): GrantAnswer {
    return answerTo(user_id, pool);
  }
}

@Module({})
class AppWithNoOp {
  static of(app: DynamicModule): DynamicModule {
    return { module: AppWithNoOp, imports: [app], controllers: [NoOpController] };
  }
}

export async function listen(): Promise<void> {
  const config = readConfig(process.env);
  const logger = await createLogger(config);
  const app = await assembleApp(
    AppWithNoOp.of(AppModule.forRoot(config, config.databaseUrl as string, logger)),
    config,
    logger,
  );
  serveDocument(app);
  process.on('SIGTERM', () => void app.close().then(() => process.exit()));
  await app.listen(config.port, config.host);
}
