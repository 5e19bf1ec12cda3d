// The key routes: create, list, rotate and revoke keys, within the rights of the key that asks.

import { Body, Controller, Delete, Get, Post, Query, UseGuards } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import { ApiKeys, KeyRing, OLD_SECRET_SECONDS, type LiveKey } from '@app/keys';
import { RequireScope } from '../access/require-scope.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { BODY, Operation } from '../openapi/operation.decorator.js';
import { Issuer } from './issuer.decorator.js';
import { KEY_ID_PARAM, KeyId } from './key-id.pipe.js';
import { CreateKeyBody, KeysQuery, RotateKeyBody } from './key.requests.js';
import { ApiKey, ApiKeyList, IssuedApiKey } from './key.responses.js';

@ApiTags('keys')
@UseGuards(DeclaredInputGuard)
@Controller('api/keys')
export class KeysController {
  constructor(
    private readonly keys: ApiKeys,
    private readonly ring: KeyRing,
  ) {}

  @Post()
  @RequireScope('keys', 'the answer')
  @ApiBody({ type: CreateKeyBody })
  @Operation('createKey', {
    summary: 'Make a key that may do no more than the one that asks',
    description: 'The answer is the only one that shows it.',
    status: 201,
    answer: IssuedApiKey,
    problems: BODY,
  })
  create(@Body() { pools = null, ...body }: CreateKeyBody, @Issuer() issuer: LiveKey): Promise<IssuedApiKey> {
    return this.keys.create({ ...body, pools }, issuer);
  }

  @Get()
  @RequireScope('keys', 'the answer')
  @Operation('listKeys', {
    summary: 'The keys that may do no more than the one that asks, by id',
    description: 'Also those that are over.',
    answer: ApiKeyList,
    problems: ['position_unknown'],
  })
  list(@Query() { limit = '100', cursor }: KeysQuery, @Issuer() issuer: LiveKey): Promise<ApiKeyList> {
    return this.keys.list({ limit: Number(limit), cursor }, issuer) as Promise<ApiKeyList>;
  }

  @Post(':id/rotate')
  @RequireScope('keys', 'the answer')
  @ApiParam(KEY_ID_PARAM)
  @ApiBody({ type: RotateKeyBody, required: false })
  @Operation('rotateKey', {
    summary: 'Give a key a new secret',
    description:
      'The secret before it stays good for a while, so that its holders can change over one by one. A key that another ' +
      'key gave takes the scope `operate`, too: its new secret opens its leases.',
    answer: IssuedApiKey,
    problems: [...BODY, 'key_not_found'],
  })
  async rotate(
    @KeyId() id: string,
    @Body() { old_secret_seconds = OLD_SECRET_SECONDS }: RotateKeyBody,
    @Issuer() issuer: LiveKey,
  ): Promise<IssuedApiKey> {
    const issued = await this.keys.rotate(id, old_secret_seconds, issuer);
    this.ring.forget(id);
    return issued;
  }

  @Delete(':id')
  @RequireScope('keys', 'the answer')
  @ApiParam(KEY_ID_PARAM)
  @Operation('revokeKey', {
    summary: 'End a key for good',
    description: 'Within 5 s it is good for nothing, in any process. It stays listed.',
    answer: ApiKey,
    problems: ['key_not_found'],
  })
  async revoke(@KeyId() id: string, @Issuer() issuer: LiveKey): Promise<ApiKey> {
    const revoked = await this.keys.revoke(id, issuer);
    this.ring.forget(id);
    return revoked;
  }
}
