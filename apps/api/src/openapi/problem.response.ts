// The schema of every error.

import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { END_REASONS, LEAVE_REASONS } from '@app/tokens';
import { PROBLEMS, type ProblemCode, type ProblemDocument } from '../http/problem.js';

@ApiSchema({ name: 'Problem' })
export class Problem implements ProblemDocument {
  @ApiProperty({ description: 'Names the kind of problem, as `error` does.', format: 'uri' })
  readonly type: string;

  @ApiProperty({ description: 'The kind of problem in words; the same for every one of its kind.' })
  readonly title: string;

  @ApiProperty({ type: 'integer', minimum: 400, maximum: 599 })
  readonly status: number;

  @ApiProperty({ description: 'What was wrong this time, and with which field.' })
  readonly detail: string;

  @ApiProperty({ enum: Object.keys(PROBLEMS), enumName: 'ErrorCode', description: 'The stable code.' })
  readonly error: ProblemCode;

  @ApiProperty({ description: 'Also in the header `x-request-id`, and in the log.' })
  readonly request_id: string;

  @ApiPropertyOptional({ description: 'Of the short routes: the same as `detail`.' })
  readonly message?: string;

  @ApiPropertyOptional({
    enum: [...END_REASONS, ...LEAVE_REASONS, 'granted'],
    enumName: 'ProblemEndReason',
    description:
      'Of `lease_ended`: how the lease ended. Of `ticket_ended`: why the ticket left the line, or how its offer ended; `granted` when its ' +
      'lease is over.',
  })
  readonly end_reason?: string;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'Of `lease_ended`: when the lease ended.' })
  readonly ended_at?: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    description: 'Of `pool_exhausted` in a pool with a line: the position that the caller would have there.',
  })
  readonly position_if_queued?: number;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'With `position_if_queued`: the `not_later_than` of that place.',
  })
  readonly not_later_than_if_queued?: string | null;

  @ApiPropertyOptional({
    type: 'integer',
    description:
      'The seq after which there are events; 0: all are there. Of `history_dropped`, and of `position_unknown` of feed and stream: begin there.',
  })
  readonly begins_after?: number;

  @ApiPropertyOptional({
    type: 'integer',
    description: 'Of `position_unknown`: the seq of the newest event of the pool.',
  })
  readonly last_seq?: number;
}
