// The route of the event stream.

import { Controller, Get, Query, Res, UseGuards } from '@nestjs/common';
import { ApiParam, ApiProduces, ApiTags } from '@nestjs/swagger';
import { maySee, type Caller, type OwnedEvent } from '@app/tokens';
import type { Response } from 'express';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { Gone } from '../http/gone.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { POOL_NAME_PARAM, PoolName } from '../pools/pool-name.pipe.js';
import { TokenEvent } from '../tokens/token.responses.js';
import { OpenStreams } from './open-streams.js';
import { LAST_EVENT_ID, LastEventId, StreamQuery } from './stream.requests.js';

@ApiTags('pools')
@UseGuards(DeclaredInputGuard)
@Controller('api/pools')
export class StreamController {
  constructor(private readonly streams: OpenStreams) {}

  @Get(':name/events/stream')
  @ApiParam(POOL_NAME_PARAM)
  @LAST_EVENT_ID
  @ApiProduces('text/event-stream')
  @RequireScope('read', 'the path')
  @Operation('streamPoolEvents', {
    summary: 'What happens in a pool, as it happens: the feed as server-sent events',
    description:
      'Each message is an event: its `id` is the `seq`, its `data` the event as JSON, as the schema says. Messages ' +
      'without `data` tell how far the reader is, also where the filter lets nothing through. A reader that comes back ' +
      'with the last id (as `EventSource` does by itself) misses nothing and gets nothing twice. Every 15 s there ' +
      'is a sign of life. A reader that takes nothing for 10 s is cut off. 503 with `Retry-After` also when ' +
      'the process has as many streams open as it may have. 410 when events after the place are not kept any more: ' +
      '`begins_after` says after which there are some. 410, too, when this database has never given the place, as it was restored or ' +
      'replaced: what the reader has is another history, and `begins_after` says where to begin anew.',
    answer: TokenEvent,
    problems: ['pool_not_found', 'history_dropped', 'position_unknown'],
  })
  async stream(
    @PoolName() poolName: string,
    @Query() { after, lastEventId, token_id: tokenId, user_id: userId }: StreamQuery,
    @LastEventId() lastId: string | undefined,
    @CurrentCaller() viewer: Caller,
    @Gone() gone: AbortSignal,
    @Res() res: Response,
  ): Promise<void> {
    const place = lastId || lastEventId || after || '0';
    const isWanted = ({ token_id, user_id, key_id }: OwnedEvent): boolean =>
      (tokenId === undefined || token_id === tokenId) &&
      (userId === undefined || (user_id === userId && maySee(viewer, key_id)));
    await this.streams.serve(res, {
      poolName,
      after: place === 'latest' ? place : Number(place),
      isWanted,
      viewer,
      gone,
    });
  }
}
