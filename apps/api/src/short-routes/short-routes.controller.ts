// The pool `elastic` in five short routes, which have error statuses of their own.

import { Body, Controller, Delete, Post, UseGuards } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import {
  DomainError,
  ELASTIC_POOL,
  holderOf,
  TokenPoolService,
  type CommandContext,
  type Caller,
  type DomainErrorCode,
} from '@app/tokens';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { CurrentRequest, Idempotent, type RequestContext } from '../http/idempotency.js';
import { HttpProblem } from '../http/problem.js';
import { PoolMetrics } from '../metrics/pool-metrics.js';
import { BODY, Operation } from '../openapi/operation.decorator.js';
import { userOfClient } from './client-id.js';
import { AssignTokenBody, KeepTokenAliveBody, TokenBody } from './short-route.requests.js';
import { Message, ShortToken } from './short-route.responses.js';

/** The errors of these routes also contain `message`. */
export const SHORT_ROUTES: ReadonlySet<string> = new Set([
  '/generate-token',
  '/assign-token',
  '/keep-alive',
  '/unblock-token',
  '/delete-token',
]);

const NOT_ASSIGNED = {
  status: 403,
  codes: ['token_not_found', 'token_deleted', 'token_not_active'],
} as const satisfies Refusals;
const NOT_ASSIGNED_TO_CLIENT = {
  status: 403,
  codes: [...NOT_ASSIGNED.codes, 'stale_lease'],
} as const satisfies Refusals;
const NONE_FREE = { status: 404, codes: ['pool_exhausted'] } as const satisfies Refusals;
const UNKNOWN = { status: 404, codes: ['token_not_found', 'token_deleted'] } as const satisfies Refusals;

interface Refusals {
  readonly status: number;
  readonly codes: readonly DomainErrorCode[];
}

@ApiTags('short routes')
@UseGuards(DeclaredInputGuard)
@Controller()
export class ShortRoutesController {
  constructor(
    private readonly service: TokenPoolService,
    private readonly metrics: PoolMetrics,
  ) {}

  @Post('generate-token')
  @RequireScope('operate', 'elastic')
  @Operation('generateToken', {
    summary: 'Make a token',
    description: 'In the pool `elastic`, not beyond its `size`.',
    status: 201,
    answer: ShortToken,
    problems: ['pool_deleted', 'pool_limit_reached'],
  })
  @Idempotent()
  generate(@CurrentRequest() context: RequestContext): Promise<ShortToken> {
    return this.service.generate(ELASTIC_POOL, context).then(({ id }) => ({ token: id }));
  }

  @Post('assign-token')
  @ApiBody({ type: AssignTokenBody })
  @RequireScope('use', 'elastic')
  @Operation('assignToken', {
    summary: 'Assign a free token to a client',
    description: 'The one that is free for the longest. A client is any text; the same text is always the same user.',
    answer: ShortToken,
    problems: [...BODY, NONE_FREE, 'pool_deleted', 'pool_paused', 'quota_exceeded'],
  })
  @Idempotent()
  assign(@Body() { client_id }: AssignTokenBody, @CurrentRequest() context: RequestContext): Promise<ShortToken> {
    const request = { userId: userOfClient(client_id), holder: nameOf(client_id), metadata: { client_id } };
    const granting = this.service.allocate(ELASTIC_POOL, request, context);
    return answering(NONE_FREE, granting).then(({ tokenId }) => ({ token: tokenId }));
  }

  @Post('keep-alive')
  @ApiBody({ type: KeepTokenAliveBody })
  @RequireScope(['use', 'operate'], 'elastic')
  @Operation('keepAssignedTokenAlive', {
    summary: 'Keep an assigned token for another while',
    description:
      'The time counts from now, and never ends earlier than before. With `client_id` only if the token is assigned to that client.',
    answer: Message,
    problems: [...BODY, NOT_ASSIGNED_TO_CLIENT, 'not_renewable', 'lease_handle_required'],
  })
  @Idempotent()
  keepAlive(
    @Body() body: KeepTokenAliveBody,
    @CurrentRequest() { caller, idempotency }: RequestContext,
  ): Promise<Message> {
    const renewal = this.metrics.renewal(this.#keepAlive(body, { caller, idempotency }));
    return answering(NOT_ASSIGNED_TO_CLIENT, renewal).then(() => message('Token keep-alive refreshed'));
  }

  @Post('unblock-token')
  @ApiBody({ type: TokenBody })
  @RequireScope(['use', 'operate'], 'elastic')
  @Operation('unblockToken', {
    summary: 'Make an assigned token free again',
    description: 'The client that it was assigned to.',
    answer: Message,
    problems: [...BODY, NOT_ASSIGNED, 'lease_handle_required'],
  })
  @Idempotent()
  unblock(@Body() { token }: TokenBody, @CurrentRequest() { caller, idempotency }: RequestContext): Promise<Message> {
    const context = { caller, within: ELASTIC_POOL, idempotency };
    return answering(NOT_ASSIGNED, this.service.release(token, {}, context)).then(() => message('Token unblocked'));
  }

  @Post('delete-token')
  @ApiBody({ type: TokenBody })
  @RequireScope('operate', 'elastic')
  @Operation('deleteAssignedToken', {
    summary: 'Delete a token; if it is assigned, that is ended first',
    description: 'Its events and its history stay.',
    answer: Message,
    problems: [...BODY, UNKNOWN],
  })
  delete(@Body() { token }: TokenBody, @CurrentCaller() caller: Caller): Promise<Message> {
    return answering(UNKNOWN, this.service.delete(token, true, { caller, within: ELASTIC_POOL })).then(() =>
      message('Token deleted successfully!'),
    );
  }

  @Delete('delete-token')
  @ApiBody({ type: TokenBody })
  @RequireScope('operate', 'elastic')
  @Operation('removeAssignedToken', {
    summary: 'Delete a token (as POST does)',
    description: 'Its events and its history stay.',
    answer: Message,
    problems: [...BODY, UNKNOWN],
  })
  remove(@Body() body: TokenBody, @CurrentCaller() caller: Caller): Promise<Message> {
    return this.delete(body, caller);
  }

  /**
   * Without a client id, renews the lease of the current holder. The domain requires a user id, so that a late request
   * cannot renew the lease of a successor.
   */
  async #keepAlive({ token, client_id }: KeepTokenAliveBody, context: CommandContext): Promise<void> {
    const within = { ...context, within: ELASTIC_POOL };
    const userId = client_id === undefined ? await this.service.holderOf(token, within) : userOfClient(client_id);
    if (userId === null) throw new DomainError('token_not_active', `token ${token} has no open lease`);
    await this.service.keepAlive(token, { userId }, undefined, within);
  }
}

/** A client id may be any text; one that is not a name of a holder as it is stands only in the metadata. */
const nameOf = (clientId: string): string | undefined => (holderOf(clientId) === clientId ? clientId : undefined);

const message = (text: string): Message => ({ message: text });

async function answering<T>({ status, codes }: Refusals, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof DomainError && codes.includes(error.code) ? HttpProblem.of(error, status) : error;
  }
}
