// The audit. A trigger keeps the table append-only, and no foreign key ties it to another table, so events outlive
// tokens. The table is partitioned by recorded_at, and each partition has its own keys. TypeORM cannot describe that,
// so this entity describes the first partition, and test/database/schema.spec.ts compares all others with it.

import { EVENT_KINDS, LINE_EVENTS, POOL_EVENTS, UPKEEP_EVENTS } from '@app/tokens';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

const quoted = (word: string): string => `'${word}'`;

@Entity('token_events_beginning')
@Check('token_events_event', `event IN (${EVENT_KINDS.map(quoted).join(', ')})`)
@Check('token_events_token', `(event IN (${POOL_EVENTS.map(quoted).join(', ')})) = (token_id IS NULL)`)
@Check(
  'token_events_lease',
  `(event IN ('generated', 'described', 'deleted', ${[...UPKEEP_EVENTS, ...POOL_EVENTS].map(quoted).join(', ')})) = (fence IS NULL) AND (fence IS NULL AND event NOT IN (${LINE_EVENTS.map(quoted).join(', ')})) = (user_id IS NULL)
   AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
   AND (fence IS NULL) = (expires_at IS NULL)`,
)
@Index('token_events_of_token', ['tokenId', 'seq'])
// This index is on an expression, so TypeORM must not compare it.
@Index('token_events_beginning_overdue', { synchronize: false })
@Index('token_events_one_end_per_lease', ['pool', 'tokenId', 'fence'], {
  unique: true,
  where: `event IN ('released', 'expired')`,
})
export class TokenEventEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ type: 'bigint' })
  seq: string;

  @Column({ type: 'uuid' })
  id: string;

  /** Null for an event of the pool itself. */
  @Column({ name: 'token_id', type: 'uuid', nullable: true })
  tokenId: string | null;

  @Column({ type: 'text' })
  event: string;

  @Column({ type: 'text', nullable: true })
  reason: string | null;

  @Column({ name: 'occurred_at', type: 'timestamptz' })
  occurredAt: Date;

  @Column({ name: 'recorded_at', type: 'timestamptz' })
  recordedAt: Date;

  // The lease as it was after the event. The handle serves to recognise a lease that has ended.

  @Column({ name: 'user_id', type: 'uuid', nullable: true })
  userId: string | null;

  @Column({ type: 'bigint', nullable: true })
  fence: string | null;

  @Column({ name: 'lease_id', type: 'uuid', nullable: true })
  leaseId: string | null;

  @Column({ name: 'activated_at', type: 'timestamptz', nullable: true })
  activatedAt: Date | null;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt: Date | null;

  /** The API key that took the lease; null if the service ran without keys. */
  @Column({ name: 'key_id', type: 'text', nullable: true })
  keyId: string | null;

  /** The API key that sent the command, or `system`; null if the service ran without keys. */
  @Column({ type: 'text', nullable: true })
  actor: string | null;

  @Column({ name: 'request_id', type: 'text', nullable: true })
  requestId: string | null;

  /** The caller's own data about the lease. */
  @Column({ type: 'jsonb', nullable: true })
  metadata: unknown;

  // The pool's counters after the event, so that a reader finds a past fill level without folding events.

  @Column({ name: 'tokens_after', type: 'integer', nullable: true })
  tokensAfter: number | null;

  @Column({ name: 'leases_after', type: 'integer', nullable: true })
  leasesAfter: number | null;

  /** The name that the user of the lease gave instead of its id. */
  @Column({ type: 'text', nullable: true })
  holder: string | null;

  /** SHA-256 over this event and the hash before it (event-chain.ts). */
  @Column({ type: 'bytea', nullable: true })
  hash: Buffer | null;
}
