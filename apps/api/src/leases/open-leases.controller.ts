// The routes of leases over all pools: what somebody holds, the end of all of it, and whether a lease is still open.

import { Body, Controller, Get, Post, Query, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import {
  leaseFor,
  TokenPoolService,
  TokenReader,
  verificationFor,
  type Caller,
  type LeaseName,
  type LeasePage,
} from '@app/tokens';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { Gone } from '../http/gone.decorator.js';
import { HttpProblem } from '../http/problem.js';
import { ReadingTurns } from '../http/reading-turns.js';
import { BODY, OF_POOL, Operation } from '../openapi/operation.decorator.js';
import { oneWhose } from '../tokens/whose.js';
import { ReleasedCount } from '../tokens/token.responses.js';
import { LeasesQuery, ReleaseLeasesBody, VerifyBody } from './lease.requests.js';
import { LeaseList, Verification } from './lease.responses.js';

@ApiTags('leases')
@UseGuards(DeclaredInputGuard)
@UseInterceptors(ReadingTurns)
@Controller('api/leases')
export class OpenLeasesController {
  constructor(
    private readonly service: TokenPoolService,
    private readonly reader: TokenReader,
  ) {}

  @Get()
  @RequireScope('read', 'the answer')
  @Operation('listLeases', {
    summary: 'What somebody holds, over all pools',
    description:
      'By `holder` or `user_id`, in the order of pools and fences. A key without `operate` finds the leases that it took. A page ' +
      'may end before its `limit`, even without a lease: go on while there is a `next_cursor`.',
    answer: LeaseList,
    problems: ['position_unknown'],
  })
  async list(
    @Query() { limit = '100', cursor, ...who }: LeasesQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<LeasePage> {
    const keyId = caller.mayOperate ? undefined : (caller.keyId ?? undefined);
    const query = { whose: oneWhose(who), pools: caller.pools, keyId, limit: Number(limit), cursor };
    const page = await this.reader.until(gone).leases(query);
    return { ...page, leases: page.leases.map((lease) => leaseFor(caller, lease)) };
  }

  @Post('release')
  @ApiBody({ type: ReleaseLeasesBody })
  @RequireScope('operate', 'the body, or all')
  @Operation('releaseLeases', {
    summary: 'End everything that somebody holds',
    description:
      'Every lease of `holder` or `user_id` that is open when it begins, for the reason `revoked`; with `pool` those of that pool. ' +
      'One transaction a pool: sent again, it ends what is left.',
    answer: ReleasedCount,
    problems: [...BODY, ...OF_POOL],
  })
  async release(
    @Body() { pool, note, ...who }: ReleaseLeasesBody,
    @CurrentCaller() caller: Caller,
  ): Promise<ReleasedCount> {
    return { released: await this.service.revokeAll(oneWhose(who), note, { caller, within: pool }) };
  }

  @Post('verify')
  @ApiBody({ type: VerifyBody })
  @RequireScope(['read', 'use', 'operate'], 'the answer')
  @Operation('verifyLease', {
    summary: 'Whether a lease is open',
    description:
      'By `lease_id`, or by `token_id` and `fence`. Only `lease_id` shows the secret. A lease that is over, or never was, is no error: `valid` is false then.',
    answer: Verification,
    problems: BODY,
  })
  async verify(
    @Body() body: VerifyBody,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<Verification> {
    const verified = await this.reader.until(gone).verify(nameOf(body), caller.pools);
    const { secret, ...lease } = verificationFor(caller, verified);
    const { pool, token_id: tokenId } = lease;
    return {
      ...lease,
      secret: pool === null || tokenId === null ? null : this.service.openSecret(pool, tokenId, secret),
    };
  }
}

/** @throws HttpProblem `invalid_request` unless the body names a lease in one of the two ways */
function nameOf({ lease_id, token_id, fence }: VerifyBody): LeaseName {
  if (lease_id !== undefined && token_id === undefined && fence === undefined) return { leaseId: lease_id };
  if (lease_id === undefined && token_id !== undefined && fence !== undefined) return { tokenId: token_id, fence };
  throw new HttpProblem(
    'invalid_request',
    'lease_id, or token_id and fence, must be given to say which lease is meant',
  );
}
