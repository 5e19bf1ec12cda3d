// A pool's state after one of its events. It replaces that event and the ones before it when they are dropped.

import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('event_snapshots')
export class EventSnapshotEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ type: 'bigint' })
  seq: string;

  /** The instant of the event with this seq. */
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

  /** The hash of the event with this seq, which covers all events before it. */
  @Column({ type: 'bytea' })
  hash: Buffer;

  /** Whether the events up to this one were dropped. Only the function that drops them sets this. */
  @Column({ name: 'is_beginning', type: 'boolean', default: false })
  isBeginning: boolean;
}
