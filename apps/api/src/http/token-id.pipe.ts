// Checks the token id in a path, which is any UUID, and gives it in lower case.

import { Param, type PipeTransform } from '@nestjs/common';
import { isUuid } from '../uuid.js';
import { HttpProblem } from './problem.js';

class TokenIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (!isUuid(id)) throw new HttpProblem('invalid_token_id', 'the token id in the path must be a UUID');
    return id.toLowerCase();
  }
}

export const TokenId = (): ParameterDecorator => Param('id', new TokenIdPipe());

/** Declares the path parameter in the OpenAPI document. */
export const TOKEN_ID = { name: 'id', schema: { type: 'string', format: 'uuid' }, description: 'The token.' } as const;
