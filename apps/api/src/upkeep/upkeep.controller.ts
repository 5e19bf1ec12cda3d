// The routes between two users: take a token out of service, put it back, and clean it.

import { randomUUID } from 'node:crypto';
import { Body, Controller, Post, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import {
  DomainError,
  tokenFor,
  TokenPoolService,
  type CleanRequest,
  type OpenGrant,
  type TokenView,
} from '@app/tokens';
import type { Response } from 'express';
import { RequireScope } from '../access/require-scope.decorator.js';
import { leavePlace } from '../http/admission.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { Gone } from '../http/gone.decorator.js';
import { CurrentRequest, Idempotent, type RequestContext } from '../http/idempotency.js';
import { HttpProblem } from '../http/problem.js';
import { TOKEN_ID, TokenId } from '../http/token-id.pipe.js';
import { DIRTY, HeldRequests } from '../line/held-requests.js';
import { BODY, OF_POOL, OF_TOKEN, Operation } from '../openapi/operation.decorator.js';
import { POOL_NAME_PARAM, PoolName } from '../pools/pool-name.pipe.js';
import { userOfClient } from '../short-routes/client-id.js';
import { grantFor } from '../tokens/granted.js';
import { tokenOf } from '../tokens/token-of.js';
import { CleaningGrant, Token } from '../tokens/token.responses.js';
import { whose } from '../tokens/whose.js';
import { CleanBody, DisableBody, EnableBody } from './upkeep.requests.js';

@ApiTags('upkeep')
@UseGuards(DeclaredInputGuard)
@Controller('api')
export class UpkeepController {
  constructor(
    private readonly service: TokenPoolService,
    private readonly held: HeldRequests,
  ) {}

  @Post('tokens/:id/disable')
  @ApiParam(TOKEN_ID)
  @ApiBody({ type: DisableBody })
  @RequireScope('operate', 'its token')
  @Operation('disableToken', {
    summary: 'Take a token out of service',
    description:
      'It is not granted until it is enabled. The lease of a held one ends, or it is disabled when its lease ends.',
    answer: Token,
    problems: [...BODY, ...OF_TOKEN, 'token_deleted'],
  })
  async disable(
    @TokenId() id: string,
    @Body() { reason, when }: DisableBody,
    @CurrentRequest() { caller }: RequestContext,
  ): Promise<TokenView> {
    return tokenFor(caller, tokenOf(await this.service.disable(id, reason, when === 'when_free', { caller })));
  }

  @Post('tokens/:id/enable')
  @ApiParam(TOKEN_ID)
  @ApiBody({ type: EnableBody, required: false })
  @RequireScope('operate', 'its token')
  @Operation('enableToken', {
    summary: 'Put a token into service again',
    description:
      'One that was dirty when it was disabled must be cleaned first. One that is in service stays as it is.',
    answer: Token,
    problems: [...BODY, ...OF_TOKEN, 'token_deleted'],
  })
  async enable(
    @TokenId() id: string,
    @Body() { note }: EnableBody,
    @CurrentRequest() { caller }: RequestContext,
  ): Promise<TokenView> {
    return tokenFor(caller, tokenOf(await this.service.enable(id, note, { caller })));
  }

  @Post('pools/:name/clean')
  @ApiParam(POOL_NAME_PARAM)
  @ApiBody({ type: CleanBody, required: false })
  @RequireScope('use', 'the path')
  @Operation('cleanToken', {
    summary: 'Lease the token that is dirty for the longest, to clean it',
    description:
      'Who cleans it holds it as any other holder, for `clean_within_seconds`, and releases it with a `condition`: it is clean then, ' +
      'still dirty, or out of service. If the lease expires, the token is dirty again, and after `max_cleans` disabled.',
    answer: CleaningGrant,
    problems: [...BODY, ...OF_POOL, 'nothing_dirty', 'quota_exceeded'],
  })
  @Idempotent()
  async clean(
    @PoolName() name: string,
    @Body() { wait_seconds: waitSeconds = 0, select, metadata, ...who }: CleanBody,
    @CurrentRequest() context: RequestContext,
    @Gone() gone: AbortSignal,
    @Res({ passthrough: true }) res: Response,
  ): Promise<CleaningGrant> {
    const { holder, userId = holder === undefined ? randomUUID() : userOfClient(holder) } = whose(who);
    if (waitSeconds > 0) {
      this.held.mustHaveRoom();
      leavePlace(res);
    }
    const grant = await this.#wait(name, { userId, holder, select, metadata }, waitSeconds, context, gone);
    if (!grant) throw new HttpProblem('nothing_dirty', `no token of pool ${name} waits to be cleaned`);
    return { ...grantFor(context.caller, name, grant), status: 'cleaning', purpose: 'clean' };
  }

  /** Asks again as long as there is time, because another may have taken the token that became dirty. */
  async #wait(
    name: string,
    request: CleanRequest,
    waitSeconds: number,
    context: RequestContext,
    gone: AbortSignal,
  ): Promise<OpenGrant | null> {
    const until = performance.now() + waitSeconds * 1000;
    for (;;) {
      const left = Math.max(0, (until - performance.now()) / 1000);
      const grant = await this.held.hold(name, DIRTY, left, gone, () => this.#orNull(name, request, context));
      if (grant || left === 0 || gone.aborted || this.held.isStopping) return grant;
    }
  }

  async #orNull(name: string, request: CleanRequest, context: RequestContext): Promise<OpenGrant | null> {
    try {
      return await this.service.clean(name, request, context);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'nothing_dirty') return null;
      throw error;
    }
  }
}
