// The routes of leases: allocate, keep alive, release.

import { Body, Controller, HttpStatus, Post, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import {
  DEFAULT_POOL,
  LineReader,
  LineService,
  ticketFor,
  TokenPoolService,
  toIso,
  type LeaseClaim,
  type PlaceRequest,
  type Renewal,
  type StatusAfter,
  type TicketView,
} from '@app/tokens';
import type { Response } from 'express';
import { RequireScope } from '../access/require-scope.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { leavePlace } from '../http/admission.js';
import { goneOf } from '../http/gone.decorator.js';
import { CurrentRequest, Idempotent, type RequestContext } from '../http/idempotency.js';
import { HttpProblem } from '../http/problem.js';
import { TOKEN_ID, TokenId } from '../http/token-id.pipe.js';
import { HeldRequests } from '../line/held-requests.js';
import { Ticket } from '../line/ticket.responses.js';
import { PoolMetrics } from '../metrics/pool-metrics.js';
import { BODY, OF_LEASE, OF_POOL, Operation } from '../openapi/operation.decorator.js';
import { granted, grantFor } from './granted.js';
import { askerOf } from './whose.js';
import { AllocateBody, KeepAliveBody, ReleaseBody, type LeaseClaimBody } from './token.requests.js';
import { GrantAnswer, ReleaseAnswer, RenewalAnswer } from './token.responses.js';

const RELEASE = {
  summary: 'End the open lease of a token',
  description:
    'What is given of a lease must be that of the open one; otherwise nothing changes. `force`, for the scope `operate`, ends ' +
    'it whatever `release_authority` says, for the reason `revoked`. `note` says why, in the event, and `condition` how the token ' +
    'is now.',
  answer: ReleaseAnswer,
  problems: [...BODY, ...OF_LEASE],
};

@ApiTags('tokens')
@UseGuards(DeclaredInputGuard)
@Controller('api/tokens')
export class LeasesController {
  constructor(
    private readonly service: TokenPoolService,
    private readonly line: LineService,
    private readonly tickets: LineReader,
    private readonly held: HeldRequests,
    private readonly metrics: PoolMetrics,
  ) {}

  @Post('allocate')
  @ApiBody({ type: AllocateBody, required: false })
  @RequireScope('use', 'the body')
  @Operation('allocateToken', {
    summary: 'Hand out the token that is free for the longest',
    description:
      'A full pool evicts the oldest active lease or that of the user who holds the most, or refuses: its policy ' +
      'decides. It may also limit how many leases a user or an API key holds. A paused pool refuses. `token_id` or `name` asks for a ' +
      'certain token, for which no lease is ended, and `select` for one with certain attributes. `count` asks for several at once, ' +
      'all or none. In a pool with `max_waiting`, nobody passes those who wait in line, and `wait_seconds` takes a place there: ' +
      'the place stays when the time is over.',
    answer: GrantAnswer,
    also: { status: 202, answer: Ticket, description: 'A place in the line; it is kept.' },
    problems: [
      ...BODY,
      ...OF_POOL,
      'pool_paused',
      'pool_exhausted',
      'quota_exceeded',
      'line_full',
      'ticket_ended',
      'token_not_found',
      'token_in_use',
      'token_disabled',
      'unsatisfiable',
    ],
  })
  @Idempotent()
  allocate(
    @Body() body: AllocateBody,
    @CurrentRequest() context: RequestContext,
    @Res({ passthrough: true }) res: Response,
  ): Promise<GrantAnswer | TicketView> {
    const { pool = DEFAULT_POOL, token_id, name, select, wait_seconds, count = 1 } = body;
    mustBeOneAtMost(body);
    const { userId, holder } = askerOf(body);
    const request = { userId, holder, select, ttlSeconds: body.ttl_seconds, metadata: body.metadata };
    if (wait_seconds === undefined && count === 1) {
      return this.service
        .allocate(pool, { ...request, tokenId: token_id, name }, context)
        .then((grant) => grantFor(context.caller, pool, grant));
    }
    const named = token_id === undefined ? (name === undefined ? null : 'name') : 'token_id';
    if (named) throw new HttpProblem('invalid_request', `${named} must not be given beside wait_seconds or count`);
    return this.#wait(pool, { ...request, count }, wait_seconds, context, res);
  }

  async #wait(
    pool: string,
    request: PlaceRequest,
    waitSeconds: number | undefined,
    context: RequestContext,
    res: Response,
  ): Promise<GrantAnswer | TicketView> {
    const { caller, idempotency } = context;
    if (waitSeconds) this.held.mustHaveRoom();
    const allocated = await this.line.allocate(pool, request, waitSeconds, context);
    if ('grants' in allocated) return granted(pool, allocated.grants, caller);
    const { ticketId } = allocated;
    if (waitSeconds) leavePlace(res);
    const grants = await this.held.hold(pool, ticketId, waitSeconds ?? 0, goneOf(res), (wait) =>
      this.line.claim(pool, ticketId, wait, context),
    );
    if (!grants) {
      res.status(HttpStatus.ACCEPTED);
      return ticketFor(caller, await this.tickets.ticket(ticketId));
    }
    // The caller does not know the ticket, so nobody would claim again.
    if (!idempotency) this.line.takeBackIfUndelivered(pool, grants, context);
    return granted(pool, grants, caller);
  }

  @Post(':id/release')
  @ApiParam(TOKEN_ID)
  @ApiBody({ type: ReleaseBody, required: false })
  @RequireScope(['use', 'operate'], 'its token')
  @Operation('releaseToken', RELEASE)
  @Idempotent()
  release(
    @TokenId() id: string,
    @Body() body: ReleaseBody,
    @CurrentRequest() { caller, idempotency }: RequestContext,
  ): Promise<ReleaseAnswer> {
    return this.service
      .release(
        id,
        { ...claimOf(body), force: body.force, note: body.note, condition: body.condition },
        { caller, idempotency },
      )
      .then((status) => released(id, status));
  }

  @Post('release/:id')
  @ApiParam(TOKEN_ID)
  @ApiBody({ type: ReleaseBody, required: false })
  @RequireScope(['use', 'operate'], 'its token')
  @Operation('releaseTokenById', { ...RELEASE, summary: `${RELEASE.summary} (the same route, written the other way)` })
  @Idempotent()
  releaseById(
    @TokenId() id: string,
    @Body() body: ReleaseBody,
    @CurrentRequest() context: RequestContext,
  ): Promise<ReleaseAnswer> {
    return this.release(id, body, context);
  }

  @Post(':id/keep-alive')
  @ApiParam(TOKEN_ID)
  @ApiBody({ type: KeepAliveBody })
  @RequireScope(['use', 'operate'], 'its token')
  @Operation('keepTokenAlive', {
    summary: 'Renew the open lease of a token',
    description:
      '`lease_id` or `user_id` says whose lease is meant. The new time counts from now; a renewal never ends it earlier.',
    answer: RenewalAnswer,
    problems: [...BODY, ...OF_LEASE, 'not_renewable'],
  })
  @Idempotent()
  keepAlive(
    @TokenId() id: string,
    @Body() body: KeepAliveBody,
    @CurrentRequest() { caller, idempotency }: RequestContext,
  ): Promise<RenewalAnswer> {
    const renewal = this.service.keepAlive(id, claimOf(body), body.ttl_seconds, { caller, idempotency });
    return this.metrics.renewal(renewal).then((lease) => renewed(id, lease));
  }
}

const WAYS = ['token_id', 'name', 'select'] as const;

/** @throws HttpProblem `invalid_request` when a request says in two ways which token it asks for */
function mustBeOneAtMost(given: Pick<AllocateBody, 'token_id' | 'name' | 'select'>): void {
  const [first, second] = WAYS.filter((way) => given[way] !== undefined);
  if (second) throw new HttpProblem('invalid_request', `${second} must not be given beside ${first}`);
}

const claimOf = ({ lease_id, user_id, fence }: LeaseClaimBody): LeaseClaim => ({
  leaseId: lease_id,
  userId: user_id,
  fence,
});

/** A repeated answer that an older version has recorded says whether it deleted the token, or is null. */
const released = (tokenId: string, status: StatusAfter | boolean | null): ReleaseAnswer => ({
  ok: true,
  token_id: tokenId,
  status: typeof status === 'string' ? status : status ? 'deleted' : 'available',
});

const renewed = (tokenId: string, { userId, holder = null, fence, renewedAt, expiresAt }: Renewal): RenewalAnswer => ({
  token_id: tokenId,
  user_id: userId,
  holder,
  fence,
  renewed_at: toIso(renewedAt),
  expires_at: toIso(expiresAt),
});
