// The query and header of the event stream.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { isSeq, PlaceField, SeqField, UuidField } from '../http/fields.js';
import { HttpProblem } from '../http/problem.js';

export class StreamQuery {
  @PlaceField({
    optional: true,
    description: 'The `seq` after which to begin; `latest`: with what happens from now on; 0 when left out or empty',
  })
  after?: string;

  @SeqField({ optional: true, description: '`Last-Event-ID` as readers send it that cannot set headers' })
  lastEventId?: string;

  @UuidField({ optional: true, description: 'Events of this token only' })
  token_id?: string;

  @UuidField({ optional: true, description: 'Events of leases of this user only' })
  user_id?: string;
}

/**
 * The id of the last message of a reader that reconnects. An empty one, which some readers send before the first
 * message, counts as none.
 * @throws HttpProblem `invalid_request`
 */
export const LastEventId = createParamDecorator((_: unknown, context: ExecutionContext): string | undefined => {
  const given = context.switchToHttp().getRequest<Request>().headers['last-event-id'];
  if (given === undefined || given === '') return undefined;
  if (isSeq(given)) return given;
  throw new HttpProblem('invalid_request', 'Last-Event-ID must be the id of a message of this stream');
});

/** Declares the header in the OpenAPI document. */
export const LAST_EVENT_ID = ApiHeader({
  name: 'Last-Event-ID',
  required: false,
  description: 'The id of the last message that the reader has: the stream goes on after it, whatever `after` says.',
  schema: { type: 'integer', minimum: 0 },
});
