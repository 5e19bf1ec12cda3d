// A place in the line of a pool, from the moment at which it is taken until a day after its end.

import { TICKET_STATUSES } from '@app/tokens';
import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

@Entity('tickets')
@Unique('tickets_place', ['pool', 'place'])
@Check('tickets_status', `status IN (${TICKET_STATUSES.map((status) => `'${status}'`).join(', ')})`)
@Check('tickets_end', `(status = 'ended') = (end_reason IS NOT NULL)`)
@Check('tickets_offer', `(status = 'waiting') <= (claim_by IS NULL)`)
@Index('tickets_by_id', ['id'])
@Index('tickets_waiting', ['pool', 'place'], { where: `status = 'waiting'` })
@Index('tickets_selecting', ['pool', 'place'], { where: `status = 'waiting' AND selector IS NOT NULL` })
@Index('tickets_patience', ['pool', 'patienceUntil'], { where: `status = 'waiting'` })
@Index('tickets_offered', ['pool', 'place'], { where: `status = 'offered'` })
@Index('tickets_over', ['pool', 'changedAt'], { where: `status IN ('granted', 'ended')` })
export class TicketEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ type: 'uuid' })
  id: string;

  /** Commands count the places of a pool under its lock. */
  @Column({ type: 'bigint' })
  place: string;

  @Column({ name: 'user_id', type: 'uuid' })
  userId: string;

  @Column({ type: 'text', nullable: true })
  holder: string | null;

  @Column({ name: 'key_id', type: 'text', nullable: true })
  keyId: string | null;

  @Column({ type: 'integer' })
  count: number;

  @Column({ type: 'jsonb', nullable: true })
  selector: unknown;

  @Column({ name: 'ttl_seconds', type: 'double precision', nullable: true })
  ttlSeconds: number | null;

  @Column({ type: 'jsonb', nullable: true })
  metadata: unknown;

  @Column({ name: 'queued_at', type: 'timestamptz' })
  queuedAt: Date;

  @Column({ name: 'not_later_than', type: 'timestamptz', nullable: true })
  notLaterThan: Date | null;

  @Column({ name: 'hold_seconds', type: 'double precision', nullable: true })
  holdSeconds: number | null;

  @Column({ name: 'claim_seconds', type: 'double precision' })
  claimSeconds: number;

  @Column({ name: 'patience_until', type: 'timestamptz' })
  patienceUntil: Date;

  @Column({ type: 'text' })
  status: string;

  @Column({ name: 'end_reason', type: 'text', nullable: true })
  endReason: string | null;

  /** The leases of the offer, each as its token and its fence. */
  @Column({ type: 'jsonb' })
  leases: unknown;

  @Column({ name: 'claim_by', type: 'timestamptz', nullable: true })
  claimBy: Date | null;

  /** The instant of the last change. */
  @Column({ name: 'changed_at', type: 'timestamptz' })
  changedAt: Date;
}
