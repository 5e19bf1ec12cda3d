// A pool's row: its policy and its counters. Every command locks this row before anything else.

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('pools')
@Check('pools_name', `name ~ '^[a-z0-9][a-z0-9-]{0,62}$'`)
@Check('pools_kind', `kind IN ('fixed', 'elastic')`)
@Check('pools_size', `size BETWEEN 1 AND 1000000`)
@Check('pools_ttl', `ttl_seconds > 0 AND ttl_seconds <= 31536000`)
@Check('pools_max_lifetime', `max_lifetime_seconds > 0`)
@Check('pools_idle_ttl', `idle_ttl_seconds IS NULL OR (idle_ttl_seconds > 0 AND kind = 'elastic')`)
@Check('pools_on_exhausted', `on_exhausted IN ('evict_oldest', 'reject')`)
@Check('pools_release_authority', `release_authority IN ('anyone', 'holder')`)
@Check('pools_max_per_user', `max_per_user BETWEEN 1 AND 1000000`)
@Check('pools_max_per_key', `max_per_key BETWEEN 1 AND 1000000`)
@Check('pools_protect', `protect_seconds > 0 AND protect_seconds <= 31536000`)
@Check('pools_evict', `evict IN ('oldest', 'over_share_first')`)
@Check('pools_clock_offset', `clock_offset_us >= 0 AND (clock_offset_us = 0 OR clock_offset_at IS NOT NULL)`)
@Check('pools_counts', `token_count BETWEEN 0 AND size AND lease_count BETWEEN 0 AND token_count`)
export class PoolEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  name: string;

  @Column({ type: 'text' })
  kind: string;

  @Column({ type: 'integer' })
  size: number;

  @Column({ name: 'ttl_seconds', type: 'double precision' })
  ttlSeconds: number;

  @Column({ type: 'boolean' })
  renewable: boolean;

  @Column({ name: 'max_lifetime_seconds', type: 'double precision', nullable: true })
  maxLifetimeSeconds: number | null;

  @Column({ name: 'idle_ttl_seconds', type: 'double precision', nullable: true })
  idleTtlSeconds: number | null;

  @Column({ name: 'on_exhausted', type: 'text' })
  onExhausted: string;

  @Column({ name: 'release_authority', type: 'text' })
  releaseAuthority: string;

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

  @Column({ name: 'max_per_user', type: 'integer', nullable: true })
  maxPerUser: number | null;

  @Column({ name: 'max_per_key', type: 'integer', nullable: true })
  maxPerKey: number | null;

  @Column({ name: 'protect_seconds', type: 'double precision', nullable: true })
  protectSeconds: number | null;

  @Column({ type: 'text', default: 'oldest' })
  evict: string;

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
