// A pool's row: its policy and its counters. Every command locks this row before anything else.
//
// Every transaction updates this row, and PostgreSQL prepares each check of a table for each statement. So a check
// here is about what every transaction changes; a trigger holds the rest (POOL_BOUNDS).

import { policyFields, POOL_KINDS, POOL_LIVES, type PolicyField } from '@app/tokens';
import { Check, Column, Entity, PrimaryColumn, type ColumnType } from 'typeorm';

/** Its policy has a column for each field of the domain's table, added below. */
@Entity('pools')
@Check('pools_things', `thing_count = CASE WHEN kind = 'listed' THEN token_count ELSE 0 END`)
@Check('pools_line', `open_tickets = 0 OR (open_tickets > 0 AND line_fence = last_fence)`)
@Check('pools_upkeep', `upkeep_seq = last_seq`)
@Check('pools_deleted', `life <> 'deleted' OR token_count = 0`)
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

  /** The last seq with which a thing differed from before, or a disabled token came back. */
  @Column({ name: 'things_seq', type: 'bigint', default: 0 })
  thingsSeq: string;

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
   * The last seq, in a pool whose tokens may be kept back between two users; null in any other. The last release does
   * not change it, so it changes no such pool.
   */
  @Column({ name: 'upkeep_seq', type: 'bigint', nullable: true })
  upkeepSeq: string | null;

  /** The dirty and the disabled tokens that nobody holds. */
  @Column({ name: 'dirty_count', type: 'integer', default: 0 })
  dirtyCount: number;

  @Column({ name: 'disabled_count', type: 'integer', default: 0 })
  disabledCount: number;

  /** The leases of those who clean. */
  @Column({ name: 'cleaning_count', type: 'integer', default: 0 })
  cleaningCount: number;

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

for (const { name, wire, type, nullable = false, columnDefault } of policyFields) {
  Column({ name: wire, type: COLUMN_TYPES[type], nullable, default: columnDefault })(PoolEntity.prototype, name);
}

const anyOf = (column: string, words: readonly string[]): string =>
  `NEW.${column} IN (${words.map((word) => `'${word}'`).join(', ')})`;

/** Version 0.1.0 gave these no upper bound, and writes beside this one during an upgrade. */
const UNBOUNDED = ['max_lifetime_seconds', 'idle_ttl_seconds'];

function boundsOf(field: PolicyField): string[] {
  const value = `NEW.${field.wire}`;
  switch (field.type) {
    case 'whole':
      return [`${value} BETWEEN ${field.least} AND ${field.most}`];
    case 'seconds':
      return UNBOUNDED.includes(field.wire) ? [`${value} > 0`] : [`${value} > 0 AND ${value} <= ${field.most}`];
    case 'word':
      return [anyOf(field.wire, field.words)];
    case 'boolean':
      return [];
  }
}

/**
 * The conditions of the trigger `pools_in_bounds`, which refuses a row where one is false. Null meets those that a
 * column may be null for, as it meets checks.
 */
export const POOL_BOUNDS: readonly string[] = [
  `NEW.name ~ '^[a-z0-9][a-z0-9-]{0,62}$'`,
  anyOf('kind', POOL_KINDS),
  anyOf('life', POOL_LIVES),
  'NEW.clock_offset_us >= 0 AND (NEW.clock_offset_us = 0 OR NEW.clock_offset_at IS NOT NULL)',
  ...policyFields.flatMap(boundsOf),
  ...policyFields.flatMap(({ wire, elasticOnly }) =>
    elasticOnly ? [`NEW.${wire} IS NULL OR NEW.kind = 'elastic'`] : [],
  ),
];

/** The columns that they are about: the trigger stays out of every statement that writes none of them. */
export const BOUNDED_COLUMNS: readonly string[] = [
  ...['name', 'kind', 'life', 'clock_offset_us', 'clock_offset_at'],
  ...policyFields.flatMap((field) => (boundsOf(field).length > 0 ? [field.wire] : [])),
];
