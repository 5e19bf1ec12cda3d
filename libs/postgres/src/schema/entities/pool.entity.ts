// A pool's row: its policy and its counters. Every command locks this row before anything else.

import { policyFields, POOL_KINDS, POOL_LIVES, type PolicyField } from '@app/tokens';
import { Check, Column, Entity, PrimaryColumn, type ColumnType } from 'typeorm';

/** Its policy has a column for each field of the domain's table, added below. */
@Entity('pools')
@Check('pools_name', `name ~ '^[a-z0-9][a-z0-9-]{0,62}$'`)
@Check('pools_kind', `kind IN (${POOL_KINDS.map((kind) => `'${kind}'`).join(', ')})`)
@Check('pools_things', `thing_count = CASE WHEN kind = 'listed' THEN token_count ELSE 0 END`)
@Check('pools_line', `open_tickets = 0 OR (open_tickets > 0 AND line_fence = last_fence)`)
@Check('pools_life', `life IN (${POOL_LIVES.map((life) => `'${life}'`).join(', ')})`)
@Check('pools_deleted', `life <> 'deleted' OR token_count = 0`)
@Check('pools_clock_offset', `clock_offset_us >= 0 AND (clock_offset_us = 0 OR clock_offset_at IS NOT NULL)`)
@Check('pools_counts', `token_count >= 0 AND lease_count BETWEEN 0 AND token_count`)
export class PoolEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  name: string;

  @Column({ type: 'text' })
  kind: string;

  /** A pool that is being deleted still has tokens, and answers as if it were deleted. */
  @Column({ type: 'text', default: 'live' })
  life: string;

  /** Commands increment it under the row's lock, so seqs have no gaps and events commit in their order. */
  @Column({ name: 'last_seq', type: 'bigint', default: 0 })
  lastSeq: string;

  @Column({ name: 'last_fence', type: 'bigint', default: 0 })
  lastFence: string;

  /** The instant of the last change or NOTE_CLOCK. A pool's time never goes back, even if the server's clock does. */
  @Column({ name: 'last_at', type: 'timestamptz', default: () => 'clock_timestamp()' })
  lastAt: Date;

  @Column({ name: 'token_count', type: 'integer', default: 0 })
  tokenCount: number;

  @Column({ name: 'lease_count', type: 'integer', default: 0 })
  leaseCount: number;

  /** The tokens of a listed pool; 0 in any other. The last release does not change it, so it changes no listed pool. */
  @Column({ name: 'thing_count', type: 'integer', default: 0 })
  thingCount: number;

  /** The number of the last place that was taken in the line. */
  @Column({ name: 'last_place', type: 'bigint', default: 0 })
  lastPlace: string;

  /** The tickets that wait or have an offer. */
  @Column({ name: 'open_tickets', type: 'integer', default: 0 })
  openTickets: number;

  /** The last fence. The last release does not change it, so it grants nothing while somebody waits. */
  @Column({ name: 'line_fence', type: 'bigint', default: 0 })
  lineFence: string;

  /**
   * The hash of the event `hashed_seq`, the newest in the chain. A version without hashes may have added later ones.
   */
  @Column({ name: 'last_hash', type: 'bytea', nullable: true })
  lastHash: Buffer | null;

  @Column({ name: 'hashed_seq', type: 'bigint', default: 0 })
  hashedSeq: string;

  /** The last event from before there was a hash chain. */
  @Column({ name: 'chained_after', type: 'bigint', default: 0 })
  chainedAfter: string;

  /** How far the clock was behind the pool's time when the clock showed `clock_offset_at` (pool-clock.ts). */
  @Column({ name: 'clock_offset_us', type: 'bigint', default: 0 })
  clockOffsetUs: string;

  @Column({ name: 'clock_offset_at', type: 'timestamptz', nullable: true })
  clockOffsetAt: Date | null;
}

const COLUMN_TYPES: Readonly<Record<PolicyField['type'], ColumnType>> = {
  whole: 'integer',
  seconds: 'double precision',
  boolean: 'boolean',
  word: 'text',
};

function condition(field: PolicyField): string | null {
  switch (field.type) {
    case 'whole':
      return `${field.wire} BETWEEN ${field.least} AND ${field.most}`;
    case 'seconds':
      return `${field.wire} > 0 AND ${field.wire} <= ${field.most}`;
    case 'word':
      return `${field.wire} IN (${field.words.map((word) => `'${word}'`).join(', ')})`;
    case 'boolean':
      return null;
  }
}

for (const field of policyFields) {
  const { name, wire, type, nullable = false, elasticOnly, columnDefault } = field;
  Column({ name: wire, type: COLUMN_TYPES[type], nullable, default: columnDefault })(PoolEntity.prototype, name);
  const check = condition(field);
  if (check === null) continue;
  const always = elasticOnly ? `${wire} IS NULL OR (${check} AND kind = 'elastic')` : check;
  Check(`pools_${wire.replace(/_seconds$/, '')}`, always)(PoolEntity);
}
