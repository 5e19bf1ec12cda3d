// The id of a key in a path: 12 letters and digits.

import { Param, type PipeTransform } from '@nestjs/common';
import { KEY_ID } from '@app/keys';
import { HttpProblem } from '../http/problem.js';

class KeyIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (KEY_ID.test(id)) return id;
    throw new HttpProblem('invalid_request', 'the id of the key in the path must be 12 letters and digits');
  }
}

export const KeyId = (): ParameterDecorator => Param('id', new KeyIdPipe());

/** Declares the path parameter in the OpenAPI document. */
export const KEY_ID_PARAM = {
  name: 'id',
  schema: { type: 'string', pattern: KEY_ID.source },
  description: 'The key: its second part.',
} as const;
