// What a pool's events came to up to one of them, when they are not kept any more.

import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('event_snapshots')
export class EventSnapshotEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ type: 'bigint' })
  seq: string;

  /** Of the event with that seq. */
  @Column({ name: 'recorded_at', type: 'timestamptz' })
  recordedAt: Date;

  @Column({ name: 'last_fence', type: 'bigint' })
  lastFence: string;

  @Column({ name: 'last_eviction_at', type: 'timestamptz', nullable: true })
  lastEvictionAt: Date | null;

  @Column({ name: 'token_count', type: 'integer' })
  tokenCount: number;

  @Column({ name: 'lease_count', type: 'integer' })
  leaseCount: number;

  /** Of the event with that seq, and with it of all before. */
  @Column({ type: 'bytea' })
  hash: Buffer;

  /** The events up to it were dropped. Only what drops them writes it. */
  @Column({ name: 'is_beginning', type: 'boolean', default: false })
  isBeginning: boolean;
}
