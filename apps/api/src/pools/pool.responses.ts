// The answers of the pool routes, for the OpenAPI document only: the routes send the readers' views unchanged.

import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import {
  FINDINGS_KEPT,
  POOL_KINDS,
  type AuditReport,
  type FeedPage,
  type PoolKind,
  type PoolView,
  type RestoreView,
  type WirePolicy,
} from '@app/tokens';
import { TIME } from '../openapi/time.js';
import { TokenEvent } from '../tokens/token.responses.js';
import { answered, withPolicy } from './policy-fields.js';

const COUNT = { type: 'integer', minimum: 0 } as const;

@ApiSchema({ name: 'PoolCounts' })
export class PoolCounts {
  @ApiProperty({ ...COUNT, example: 100 })
  readonly total: number;

  @ApiProperty({ ...COUNT, example: 93 })
  readonly available: number;

  @ApiProperty({ ...COUNT, example: 7 })
  readonly active: number;

  @ApiProperty({
    ...COUNT,
    required: false,
    example: 0,
    description: 'Tokens that rest after a lease, in a pool that keeps tokens back.',
  })
  readonly cooling?: number;

  @ApiProperty({
    ...COUNT,
    required: false,
    example: 0,
    description: 'Tokens that wait to be cleaned, in a pool that keeps tokens back.',
  })
  readonly dirty?: number;

  @ApiProperty({
    ...COUNT,
    required: false,
    example: 0,
    description: 'Tokens that somebody cleans, in a pool that keeps tokens back.',
  })
  readonly cleaning?: number;

  @ApiProperty({
    ...COUNT,
    required: false,
    example: 0,
    description: 'Tokens that are out of service, in a pool that keeps tokens back.',
  })
  readonly disabled?: number;
}

class PoolIdentity {
  @ApiProperty({ example: 'default' })
  readonly name: string;

  @ApiProperty({ enum: POOL_KINDS, enumName: 'PoolKind' })
  readonly kind: PoolKind;
}

@ApiSchema({ name: 'Pool' })
export class Pool extends withPolicy<WirePolicy, PoolIdentity>(answered, PoolIdentity) implements PoolView {
  @ApiProperty({ type: PoolCounts, description: 'At this moment: an overdue lease counts as over.' })
  readonly counts: PoolCounts;

  @ApiProperty({ ...COUNT, description: 'The `seq` of the newest event.', example: 107 })
  readonly last_seq: number;

  @ApiProperty({
    required: false,
    format: 'date-time',
    description: 'The instant of which all of it is, where one was asked for.',
  })
  readonly as_of?: string;
}

@ApiSchema({ name: 'PoolList' })
export class PoolList {
  @ApiProperty({ type: [Pool] })
  readonly pools: Pool[];
}

@ApiSchema({ name: 'PoolDeletion' })
export class PoolDeletion {
  @ApiProperty({ enum: [true] })
  readonly deleted: boolean;

  @ApiProperty({ example: 'desks' })
  readonly pool: string;
}

@ApiSchema({ name: 'PoolRestore' })
export class PoolRestore implements RestoreView {
  @ApiProperty({ ...COUNT, description: 'The `seq` of the newest event that was left; 0: none.' })
  readonly after_seq: number;

  @ApiProperty({ ...COUNT, description: 'The `seq` of the first event after it.' })
  readonly next_seq: number;

  @ApiProperty({ ...COUNT, description: 'The fence of the newest grant that was left; 0: none.' })
  readonly after_fence: number;

  @ApiProperty({ ...COUNT, description: 'The fence of the first grant after it.' })
  readonly next_fence: number;

  @ApiProperty(TIME)
  readonly recorded_at: string;
}

@ApiSchema({ name: 'PoolEventFeed' })
export class PoolEventFeed implements FeedPage {
  @ApiProperty({ example: 'default' })
  readonly pool: string;

  @ApiProperty({ type: [TokenEvent], description: 'Oldest first, without gaps.' })
  readonly events: TokenEvent[];

  @ApiProperty({ ...COUNT, description: 'The `seq` of the newest event of the pool, on this page or not.' })
  readonly last_seq: number;

  @ApiProperty({
    type: [PoolRestore],
    description:
      'The gaps after where the page begins, oldest first: the database was put back to an earlier state, and the ' +
      'numbers went on further up. As good as always empty.',
  })
  readonly restores: PoolRestore[];

  @ApiPropertyOptional({
    ...COUNT,
    description: 'With `actor` or `request_id`: up to which `seq` events were looked at.',
  })
  readonly scanned_to?: number;
}

@ApiSchema({ name: 'PoolAudit' })
export class PoolAudit implements AuditReport {
  @ApiProperty({ example: 'default' })
  readonly pool: string;

  @ApiProperty({ ...COUNT, description: 'All events up to this `seq` were read.' })
  readonly last_seq: number;

  @ApiProperty({ ...COUNT })
  readonly tokens: number;

  @ApiProperty({ ...COUNT, description: 'Leases without an end in the audit, overdue ones among them.' })
  readonly open_leases: number;

  @ApiProperty({
    pattern: '^[0-9a-f]{64}$',
    description: 'The hash of the last event, and with it of all before.',
  })
  readonly last_hash: string;

  @ApiProperty({
    type: 'integer',
    description:
      'Events up to this seq are not kept any more: what they came to is taken from a snapshot. 0: all are there.',
  })
  readonly begins_after: number;

  @ApiProperty({ description: 'Whether nothing was found.' })
  readonly is_sound: boolean;

  @ApiProperty({ type: [String], maxItems: FINDINGS_KEPT, description: 'What is wrong, in words: the first of it.' })
  readonly findings: readonly string[];

  @ApiProperty({ ...COUNT, description: 'How much is wrong, shown in `findings` or not.' })
  readonly finding_count: number;
}
