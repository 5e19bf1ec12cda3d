// The routes of tokens: lists, one token and its history, generation, deletion and cleanup.

import { Body, Controller, Delete, Get, Post, Query, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import {
  DEFAULT_POOL,
  detailsFor,
  eventFor,
  tokenFor,
  useFor,
  TokenPoolService,
  TokenReader,
  PointInTimeReader,
  type Caller,
  type EventPage,
  type HistoryPage,
  type PageRequest,
  type Token as GeneratedToken,
  type TokenDetailsView,
  type TokenPage,
  type TokenQuery,
  type TokenView,
} from '@app/tokens';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { Gone } from '../http/gone.decorator.js';
import { HttpProblem } from '../http/problem.js';
import { CurrentRequest, Idempotent, type RequestContext } from '../http/idempotency.js';
import { TOKEN_ID, TokenId } from '../http/token-id.pipe.js';
import { ReadingTurns } from '../http/reading-turns.js';
import { BODY, OF_LIST, OF_POOL, OF_TOKEN, Operation } from '../openapi/operation.decorator.js';
import { whose } from './whose.js';
import {
  AnyTokensQuery,
  AsOfQuery,
  DeleteQuery,
  CreateTokenBody,
  PageQuery,
  PoolBody,
  PoolQuery,
  TokensQuery,
} from './token.requests.js';
import {
  DeletionAnswer,
  ReleasedCount,
  Token,
  TokenDetails,
  TokenEventList,
  TokenHistory,
  TokenList,
} from './token.responses.js';

@ApiTags('tokens')
@UseGuards(DeclaredInputGuard)
@UseInterceptors(ReadingTurns)
@Controller('api/tokens')
export class TokensController {
  constructor(
    private readonly service: TokenPoolService,
    private readonly reader: TokenReader,
    private readonly past: PointInTimeReader,
  ) {}

  @Get()
  @RequireScope('read', 'the query')
  @Operation('listTokens', {
    summary: 'The tokens of a pool',
    description: '`active` oldest lease first, `available` in the order they will be handed out, `all` by id.',
    answer: TokenList,
    problems: ['invalid_status', ...OF_LIST],
  })
  list(@Query() query: AnyTokensQuery, @CurrentCaller() caller: Caller, @Gone() gone: AbortSignal): Promise<TokenPage> {
    return this.#page(selectionOf(query, query.status ?? 'all'), caller, gone);
  }

  @Get('available')
  @RequireScope('read', 'the query')
  @Operation('listAvailableTokens', {
    summary: 'The available tokens of a pool, in the order they will be handed out',
    description: 'The first of the list is the one that has been free for the longest.',
    answer: TokenList,
    problems: OF_LIST,
  })
  listAvailable(
    @Query() query: TokensQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<TokenPage> {
    return this.#page(selectionOf(query, 'available'), caller, gone);
  }

  @Get('active')
  @RequireScope('read', 'the query')
  @Operation('listActiveTokens', {
    summary: 'The active tokens of a pool, oldest lease first',
    description: 'A full pool that evicts ends the first of the list next.',
    answer: TokenList,
    problems: OF_LIST,
  })
  listActive(
    @Query() query: TokensQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<TokenPage> {
    return this.#page(selectionOf(query, 'active'), caller, gone);
  }

  @Get(':id')
  @ApiParam(TOKEN_ID)
  @RequireScope('read', 'its token')
  @Operation('getToken', {
    summary: 'A token, who holds it, and its latest uses',
    description:
      'Its latest 20 uses; `GET /api/tokens/{id}/history` has all of them. With `as_of` everything is as it was shown then: 404 before ' +
      'the token was made, 410 after it was deleted, and when events that old are not kept any more.',
    answer: TokenDetails,
    problems: [...OF_TOKEN, 'token_deleted', 'history_dropped'],
  })
  async show(
    @TokenId() id: string,
    @Query() { as_of: at }: AsOfQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<TokenDetailsView> {
    const details = at === undefined ? this.reader.until(gone).token(id) : this.past.until(gone).token(id, at);
    return detailsFor(caller, await details);
  }

  @Get(':id/events')
  @ApiParam(TOKEN_ID)
  @RequireScope('read', 'its token')
  @Operation('listTokenEvents', {
    summary: 'What happened to a token, newest first; also of a deleted one',
    description: 'Each with its `seq`, its place in the feed of the pool.',
    answer: TokenEventList,
    problems: [...OF_TOKEN, 'position_unknown'],
  })
  async events(
    @TokenId() id: string,
    @Query() query: PageQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<EventPage> {
    const page = await this.reader.until(gone).events(id, pageOf(query));
    return { ...page, events: page.events.map((event) => eventFor(caller, event)) };
  }

  @Get(':id/history')
  @ApiParam(TOKEN_ID)
  @RequireScope('read', 'its token')
  @Operation('listTokenUses', {
    summary: 'Who used a token and when, newest first; also of a deleted one',
    description: 'A use that is open has no `ended_at`.',
    answer: TokenHistory,
    problems: [...OF_TOKEN, 'position_unknown'],
  })
  async history(
    @TokenId() id: string,
    @Query() query: PageQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<HistoryPage> {
    const page = await this.reader.until(gone).history(id, pageOf(query));
    return { ...page, history: page.history.map((use) => useFor(caller, use)) };
  }

  @Post('cleanup')
  @ApiBody({ type: PoolBody, required: false })
  @RequireScope('operate', 'the body')
  @Operation('releaseActiveTokens', {
    summary: 'End every active lease of a pool',
    description: 'A former holder finds that `cleanup` ended the lease.',
    answer: ReleasedCount,
    problems: [...BODY, ...OF_POOL],
  })
  @Idempotent()
  cleanup(
    @Body() { pool = DEFAULT_POOL }: PoolBody,
    @CurrentRequest() { caller, idempotency }: RequestContext,
  ): Promise<ReleasedCount> {
    return this.service.cleanup(pool, { caller, idempotency }).then((released) => ({ released }));
  }

  @Delete('clear-active')
  @RequireScope('operate', 'the query')
  @Operation('clearActiveTokens', {
    summary: 'End every active lease of a pool (as cleanup does)',
    description: '`released` counts the leases that were ended.',
    answer: ReleasedCount,
    problems: [...OF_POOL],
  })
  @Idempotent()
  clearActive(@Query() query: PoolQuery, @CurrentRequest() context: RequestContext): Promise<ReleasedCount> {
    return this.cleanup(query, context);
  }

  @Post()
  @ApiBody({ type: CreateTokenBody, required: false })
  @RequireScope('operate', 'the body')
  @Operation('createToken', {
    summary: 'Make one token in an elastic pool, or put a thing into a listed one',
    description: 'Not beyond the `size` of the pool. A listed pool needs a `name`.',
    status: 201,
    answer: Token,
    problems: [
      ...BODY,
      ...OF_POOL,
      'pool_is_fixed',
      'pool_limit_reached',
      'pool_not_listed',
      'token_exists',
      'secrets_off',
    ],
  })
  @Idempotent()
  async create(
    @Body() { pool = DEFAULT_POOL, name, ...thing }: CreateTokenBody,
    @CurrentRequest() context: RequestContext,
  ): Promise<TokenView> {
    if (name !== undefined) return freshToken(await this.service.addThing(pool, { name, ...thing }, context), pool);
    if (thing.attributes !== undefined || thing.secret !== undefined) {
      throw new HttpProblem('invalid_request', 'name must be given beside attributes and secret');
    }
    return freshToken(await this.service.generate(pool, context), pool);
  }

  @Delete(':id')
  @ApiParam(TOKEN_ID)
  @RequireScope('operate', 'its token')
  @Operation('deleteToken', {
    summary: 'Delete a token of an elastic or a listed pool',
    description:
      'A token that is held is refused unless `force` ends its lease first, or `when=when_free` waits for its end. Its events and ' +
      'its history stay.',
    answer: DeletionAnswer,
    problems: [...OF_TOKEN, 'token_deleted', 'pool_is_fixed', 'token_in_use'],
  })
  async delete(
    @TokenId() id: string,
    @Query() { force, when }: DeleteQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<DeletionAnswer> {
    if (when === 'when_free') {
      if (force === 'true') throw new HttpProblem('invalid_request', 'force must not be given beside when=when_free');
      const deleted = await this.service.deleteWhenFree(id, { caller });
      return deleted ? { deleted, token_id: id } : { deleted, draining: true, token_id: id };
    }
    await this.service.delete(id, force === 'true', { caller });
    return { deleted: true, token_id: id };
  }

  async #page(query: TokenQuery, caller: Caller, gone: AbortSignal): Promise<TokenPage> {
    const keyId = caller.mayOperate ? undefined : (caller.keyId ?? undefined);
    const page = await this.reader.until(gone).tokens({ ...query, keyId });
    return { ...page, tokens: page.tokens.map((token) => tokenFor(caller, token)) };
  }
}

const selectionOf = (
  { pool = DEFAULT_POOL, user_id, holder, name, attribute: attributes, limit = '1000', cursor }: TokensQuery,
  status: TokenQuery['status'],
): TokenQuery => ({
  poolName: pool,
  status,
  ...whose({ user_id, holder }),
  name,
  attributes,
  limit: Number(limit),
  cursor,
});

const pageOf = ({ limit = '100', cursor }: PageQuery): PageRequest => ({ limit: Number(limit), cursor });

const freshToken = ({ id, thing }: GeneratedToken, pool: string): TokenView => ({
  id,
  pool,
  name: thing?.name ?? null,
  attributes: thing?.attributes ?? null,
  status: 'available',
  active_user_id: null,
  holder: null,
  lease_metadata: null,
  last_activated_at: null,
  expires_at: null,
  fence: null,
  draining: false,
  available_at: null,
  disabled_reason: null,
  disabled_at: null,
  disabled_by: null,
});
