// The answers of the routes of the line, for the OpenAPI document only: the routes send the readers' views unchanged.

import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import {
  END_REASONS,
  LEAVE_REASONS,
  TICKET_STATUSES,
  type Selector,
  type TicketEnd,
  type TicketPage,
  type TicketStatus,
  type TicketView,
} from '@app/tokens';
import { TIME } from '../openapi/time.js';
import { CURSOR, HOLDER, POOL, UUID } from '../tokens/token.responses.js';

@ApiSchema({ name: 'Ticket' })
export class Ticket implements TicketView {
  @ApiProperty(UUID)
  readonly id: string;

  @ApiProperty(POOL)
  readonly pool: string;

  @ApiProperty({
    enum: TICKET_STATUSES,
    enumName: 'TicketStatus',
    description: '`offered`: its tokens are kept for it until `claim_by`. `granted`: they were claimed.',
  })
  readonly status: TicketStatus;

  @ApiProperty({
    type: 'integer',
    minimum: 1,
    nullable: true,
    description: 'Its place among those that wait, 1 for the first; null when it does not wait.',
  })
  readonly position: number | null;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'How many wait in the pool.' })
  readonly waiting: number;

  @ApiProperty({ ...TIME, description: 'When the place was taken.' })
  readonly queued_at: string;

  @ApiProperty({
    ...TIME,
    nullable: true,
    description:
      'The latest instant at which it is offered its tokens, if nobody ends a lease early and the service is up; null where ' +
      'nothing limits how long leases are renewed, or nothing can be proven.',
  })
  readonly not_later_than: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'Until when the offer must be claimed; null without one.' })
  readonly claim_by: string | null;

  @ApiProperty({ ...TIME, description: 'When the place is lost without a sign of life: a claim.' })
  readonly patience_until: string;

  @ApiProperty({
    enum: [...LEAVE_REASONS, ...END_REASONS],
    enumName: 'TicketEnd',
    nullable: true,
    description: 'Why it ended: why it left the line, or how the leases of its offer ended. Null while it has not.',
  })
  readonly end_reason: TicketEnd | null;

  @ApiProperty({ type: 'integer', minimum: 1, maximum: 100, description: 'How many tokens it waits for.' })
  readonly count: number;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description: 'Which attributes the tokens must have; null for any token, and where the user is not shown.',
    example: { country: 'de' },
  })
  readonly select: Selector | null;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'Null where it is not shown.' })
  readonly user_id: string | null;
}

@ApiSchema({ name: 'TicketList' })
export class TicketList implements TicketPage {
  @ApiProperty({ type: [Ticket], description: 'Those that wait or have an offer, in the order of their places.' })
  readonly tickets: Ticket[];

  @ApiProperty(CURSOR)
  readonly next_cursor: string | null;
}

@ApiSchema({ name: 'TicketCancellation' })
export class TicketCancellation {
  @ApiProperty({ enum: [true] })
  readonly cancelled: true;

  @ApiProperty(UUID)
  readonly ticket_id: string;
}
