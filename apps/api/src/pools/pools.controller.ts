// The routes of pools.

import { Body, Controller, Delete, Get, Patch, Post, Query, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import {
  eventFor,
  FeedReader,
  fromWire,
  PointInTimeReader,
  PoolReader,
  TokenPoolService,
  type AuditReport,
  type Caller,
  type FeedPage,
  type PoolView,
} from '@app/tokens';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { Gone } from '../http/gone.decorator.js';
import { ReadingTurns } from '../http/reading-turns.js';
import { BODY, OF_POOL, Operation } from '../openapi/operation.decorator.js';
import { Audits } from './audits.js';
import { POOL_NAME_PARAM, PoolName } from './pool-name.pipe.js';
import { ChangePoolBody, CreatePoolBody, DeletePoolQuery, FeedQuery } from './pool.requests.js';
import { AsOfQuery } from '../tokens/token.requests.js';
import { Pool, PoolAudit, PoolDeletion, PoolEventFeed, PoolList } from './pool.responses.js';

@ApiTags('pools')
@UseGuards(DeclaredInputGuard)
@UseInterceptors(ReadingTurns)
@Controller('api/pools')
export class PoolsController {
  constructor(
    private readonly service: TokenPoolService,
    private readonly reader: PoolReader,
    private readonly past: PointInTimeReader,
    private readonly feed: FeedReader,
    private readonly audits: Audits,
  ) {}

  @Get()
  @RequireScope('read', 'the answer')
  @Operation('listPools', {
    summary: 'All pools with their counts',
    description: '`default` and `elastic` are there from the first start.',
    answer: PoolList,
  })
  async list(@CurrentCaller() { pools: visible }: Caller, @Gone() gone: AbortSignal): Promise<{ pools: PoolView[] }> {
    return { pools: await this.reader.until(gone).pools(visible) };
  }

  @Get(':name')
  @ApiParam(POOL_NAME_PARAM)
  @RequireScope('read', 'the path')
  @Operation('getPool', {
    summary: 'A pool with its counts',
    description:
      'The policy and the counts are those of this instant, or of `as_of`; a lease that is overdue does not count as active. 404 also when the ' +
      'pool had no token at `as_of`, 410 when events that old are not kept any more, and without `as_of` when the pool was deleted.',
    answer: Pool,
    problems: [...OF_POOL, 'history_dropped'],
  })
  show(@PoolName() name: string, @Query() { as_of: at }: AsOfQuery, @Gone() gone: AbortSignal): Promise<PoolView> {
    return at === undefined ? this.reader.until(gone).pool(name) : this.past.until(gone).pool(name, at);
  }

  @Post()
  @ApiBody({ type: CreatePoolBody })
  @RequireScope('pools', 'its name')
  @Operation('createPool', {
    summary: 'Make a pool; a fixed one with all its tokens',
    description:
      'What is left out is as in `default` (fixed) or `elastic`. The name of a pool that was deleted opens it again: `seq` and ' +
      '`fence` go on.',
    status: 201,
    answer: Pool,
    problems: [...BODY, 'pool_exists'],
  })
  create(@Body() { name, kind, ...policy }: CreatePoolBody, @CurrentCaller() caller: Caller): Promise<PoolView> {
    return this.service.createPool(name, kind, fromWire(policy), caller);
  }

  @Patch(':name')
  @ApiParam(POOL_NAME_PARAM)
  @ApiBody({ type: ChangePoolBody, required: false })
  @RequireScope('pools', 'the path')
  @Operation('changePool', {
    summary: 'Change the policy of a pool, or make it larger or smaller',
    description:
      'Running leases keep what they were promised. A smaller `size` deletes free tokens at once, the longest free first, and held ' +
      'ones at the end of their leases; until then the pool evicts nothing.',
    answer: Pool,
    problems: [...BODY, ...OF_POOL],
  })
  change(@PoolName() name: string, @Body() policy: ChangePoolBody, @CurrentCaller() caller: Caller): Promise<PoolView> {
    return this.service.changePool(name, fromWire(policy), caller);
  }

  @Delete(':name')
  @ApiParam(POOL_NAME_PARAM)
  @RequireScope('pools', 'the path')
  @Operation('deletePool', {
    summary: 'Delete a pool with its tokens',
    description:
      'A pool with open leases is refused unless `force` ends them first. Afterwards the pool answers 410. Its events, stream and ' +
      'audit stay readable.',
    answer: PoolDeletion,
    problems: [...OF_POOL, 'token_in_use'],
  })
  delete(
    @PoolName() name: string,
    @Query() { force }: DeletePoolQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<PoolDeletion> {
    return this.service.deletePool(name, force === 'true', caller).then(() => ({ deleted: true, pool: name }));
  }

  @Get(':name/events')
  @ApiParam(POOL_NAME_PARAM)
  @RequireScope('read', 'the path')
  @Operation('listPoolEvents', {
    summary: 'What happened in a pool, oldest first, without gaps',
    description:
      'Folding all events gives the state of the tokens. With `actor` or `request_id` no more than 50,000 events after `after` ' +
      'are looked at: `scanned_to` says up to which, and so where to go on. 410 when events after `after` are not kept any ' +
      'more, and when this database has never given `after`, as it was restored or replaced: `begins_after` says where to begin anew.',
    answer: PoolEventFeed,
    problems: ['pool_not_found', 'history_dropped', 'position_unknown'],
  })
  async events(
    @PoolName() name: string,
    @Query() { after = '', limit = '100', actor, request_id: requestId }: FeedQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<FeedPage> {
    const feed = this.feed.until(gone);
    const place = [name, Number(after), Number(limit)] as const;
    // Without the scope `operate`, a search finds only what the caller's key may see.
    const keyId = caller.mayOperate ? undefined : (caller.keyId ?? undefined);
    const isFiltered = actor !== undefined || requestId !== undefined;
    const page = isFiltered ? await feed.search(...place, { actor, requestId, keyId }) : await feed.page(...place);
    return { ...page, events: page.events.map((event) => eventFor(caller, event)) };
  }

  @Get(':name/audit')
  @ApiParam(POOL_NAME_PARAM)
  @RequireScope('operate', 'the path')
  @Operation('auditPool', {
    summary: 'Read all events of a pool that are kept, check every rule, and compare with what is stored',
    description:
      'Takes no lock, and as long as the feed is long: some ten seconds for a million events. It ends when its caller hangs up. 503 ' +
      'with `Retry-After` while the process is at another one.',
    answer: PoolAudit,
    problems: ['pool_not_found'],
  })
  audit(@PoolName() name: string, @Gone() gone: AbortSignal): Promise<AuditReport> {
    return this.audits.audit(name, gone);
  }
}
