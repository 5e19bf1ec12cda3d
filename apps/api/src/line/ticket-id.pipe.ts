// Checks the ticket id in a path, which is any UUID, and gives it in lower case.

import { Param, type PipeTransform } from '@nestjs/common';
import { isUuid } from '../uuid.js';
import { HttpProblem } from '../http/problem.js';

class TicketIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (!isUuid(id)) throw new HttpProblem('invalid_request', 'the ticket id in the path must be a UUID');
    return id.toLowerCase();
  }
}

export const TicketId = (): ParameterDecorator => Param('id', new TicketIdPipe());

/** Declares the path parameter in the OpenAPI document. */
export const TICKET_ID = {
  name: 'id',
  schema: { type: 'string', format: 'uuid' },
  description: 'The ticket.',
} as const;
