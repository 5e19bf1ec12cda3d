// The routes of things: what the tokens of a listed pool stand for.

import { Body, Controller, Patch, Put, UseGuards } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import { TokenPoolService, tokenFor, type Caller, type ImportResult, type TokenView } from '@app/tokens';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { TOKEN_ID, TokenId } from '../http/token-id.pipe.js';
import { BODY, OF_POOL, OF_TOKEN, Operation } from '../openapi/operation.decorator.js';
import { POOL_NAME_PARAM, PoolName } from '../pools/pool-name.pipe.js';
import { Token } from '../tokens/token.responses.js';
import { tokenOf } from '../tokens/token-of.js';
import { ChangeTokenBody, ImportBody } from './thing.requests.js';
import { ImportAnswer } from './thing.responses.js';

@ApiTags('tokens')
@UseGuards(DeclaredInputGuard)
@Controller('api')
export class ThingsController {
  constructor(private readonly service: TokenPoolService) {}

  @Put('pools/:name/tokens')
  @ApiParam(POOL_NAME_PARAM)
  @ApiBody({ type: ImportBody })
  @RequireScope('operate', 'the path')
  @Operation('importTokens', {
    summary: 'Put things into a listed pool, and change those that are there',
    description:
      'One transaction, all or nothing: the same list twice changes nothing. A body may have 1 MB here. What a thing does not give ' +
      'stays as it is.',
    answer: ImportAnswer,
    problems: [...BODY, ...OF_POOL, 'pool_not_listed', 'pool_limit_reached', 'secrets_off'],
  })
  import(
    @PoolName() pool: string,
    @Body() { tokens, missing = 'keep' }: ImportBody,
    @CurrentCaller() caller: Caller,
  ): Promise<ImportResult> {
    return this.service.importThings(pool, tokens, missing === 'delete_when_free', { caller });
  }

  @Patch('tokens/:id')
  @ApiParam(TOKEN_ID)
  @ApiBody({ type: ChangeTokenBody, required: false })
  @RequireScope('operate', 'its token')
  @Operation('changeToken', {
    summary: 'Change the name, the attributes or the secret of a token of a listed pool',
    description: 'Also while it is held; its holder learns of it from the events. What is left out stays as it is.',
    answer: Token,
    problems: [...BODY, ...OF_TOKEN, 'token_deleted', 'pool_not_listed', 'token_exists', 'secrets_off'],
  })
  async change(
    @TokenId() id: string,
    @Body() change: ChangeTokenBody,
    @CurrentCaller() caller: Caller,
  ): Promise<TokenView> {
    return tokenFor(caller, tokenOf(await this.service.changeThing(id, change, { caller })));
  }
}
