// The event stream, and the live feed that supplies it.

import { Module } from '@nestjs/common';
import { FeedReader, LiveFeed, PoolReader } from '@app/tokens';
import type { Logger } from 'pino';
import { FAIR_QUEUE } from '../http/fair-queue.js';
import { KeysModule } from '../keys/keys.module.js';
import { LOGGER, logFields } from '../logger.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { OpenStreams } from './open-streams.js';
import { StreamController } from './stream.controller.js';

@Module({
  imports: [KeysModule],
  controllers: [StreamController],
  providers: [
    OpenStreams,
    {
      provide: LiveFeed,
      useFactory: (reader: FeedReader, pools: PoolReader, metrics: StreamMetrics, logger: Logger) =>
        new LiveFeed(
          reader,
          pools,
          {
            arrived: (delaySeconds) => metrics.arrived(delaySeconds),
            failed: (error) => logger.warn(logFields(error), 'streams wait: the feeds cannot be read'),
          },
          (keyId, read) => FAIR_QUEUE.read(keyId, read),
        ),
      inject: [FeedReader, PoolReader, StreamMetrics, LOGGER],
    },
  ],
  exports: [LiveFeed],
})
export class StreamModule {}
