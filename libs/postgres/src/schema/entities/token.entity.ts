// A token that exists, with its open lease if it has one. Deleted tokens remain only in token_events.

import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('tokens')
@Check(
  'tokens_status_and_lease_agree',
  `(status = 'active' AND user_id IS NOT NULL AND lease_id IS NOT NULL AND fence IS NOT NULL
    AND expires_at IS NOT NULL AND last_activated_at IS NOT NULL AND free_since IS NULL)
   OR (status IN ('available', 'dirty', 'disabled') AND user_id IS NULL AND lease_id IS NULL AND fence IS NULL
    AND expires_at IS NULL AND free_since IS NOT NULL)`,
)
@Check('tokens_lease_has_a_length', `expires_at > last_activated_at`)
@Index('tokens_by_id', ['id'])
@Index('tokens_oldest', ['pool', 'fence'], { unique: true, where: `status = 'active'` })
@Index('tokens_due', ['pool', 'expiresAt'], { where: `status = 'active'` })
@Index('tokens_free', ['pool', 'freeSince', 'id'], { where: `status = 'available'` })
@Index('tokens_of_holder', ['holder', 'pool', 'fence'], { where: `holder IS NOT NULL` })
export class TokenEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ type: 'uuid' })
  id: string;

  /** The stored status. `expires_at` and the clock decide whether a lease still runs. */
  @Column({ type: 'text' })
  status: string;

  @Column({ name: 'user_id', type: 'uuid', nullable: true })
  userId: string | null;

  @Column({ name: 'lease_id', type: 'uuid', nullable: true })
  leaseId: string | null;

  /** The API key that took the lease; null if the service ran without keys. */
  @Column({ name: 'key_id', type: 'text', nullable: true })
  keyId: string | null;

  /** The name that the user of a lease gave instead of its id, and the lease: the version before leaves both behind. */
  @Column({ type: 'text', nullable: true })
  holder: string | null;

  @Column({ name: 'holder_fence', type: 'bigint', nullable: true })
  holderFence: string | null;

  @Column({ type: 'bigint', nullable: true })
  fence: string | null;

  /** Whether the token is deleted when its lease ends. */
  @Column({ type: 'boolean', default: false })
  leaving: boolean;

  // In a pool with a line: the latest deadline of the lease, however often it is renewed, the ticket that it is offered
  // to, and the lease that both are of: the version before leaves them behind.

  @Column({ name: 'hard_end_at', type: 'timestamptz', nullable: true })
  hardEndAt: Date | null;

  @Column({ name: 'offered_to', type: 'uuid', nullable: true })
  offeredTo: string | null;

  @Column({ name: 'line_fence', type: 'bigint', nullable: true })
  lineFence: string | null;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt: Date | null;

  /** In the future while it rests. Of a dirty token, since when it is dirty. */
  @Column({ name: 'free_since', type: 'timestamptz', nullable: true })
  freeSince: Date | null;

  /** The start of the latest lease, open or ended. */
  @Column({ name: 'last_activated_at', type: 'timestamptz', nullable: true })
  lastActivatedAt: Date | null;
}
