// The routes, and the use cases behind them, on whatever keeps the pools.

import { Module } from '@nestjs/common';
import { CommandQueue, TokenPoolRepository, TokenPoolService, TokenReader } from '@app/tokens';
import { HealthController } from './health/health.controller.js';
import { PoolsController } from './pools/pools.controller.js';
import { ShortRoutesController } from './short-routes/short-routes.controller.js';
import { LeasesController } from './tokens/leases.controller.js';
import { TokensController } from './tokens/tokens.controller.js';

@Module({
  // The busiest first: Express asks the routes in this order.
  controllers: [LeasesController, TokensController, ShortRoutesController, PoolsController, HealthController],
  providers: [
    {
      provide: TokenPoolService,
      useFactory: (repository: TokenPoolRepository, reader: TokenReader) =>
        new TokenPoolService(new CommandQueue(repository), repository, reader),
      inject: [TokenPoolRepository, TokenReader],
    },
  ],
  exports: [TokenPoolService],
})
export class ApiModule {}
