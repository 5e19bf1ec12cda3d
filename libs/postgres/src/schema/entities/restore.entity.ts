// A jump of a pool's numbers: after a restore, some above the newest that is left may have been given before.

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('restores')
@Check('restores_go_up', `next_seq > after_seq + 1 AND next_fence > after_fence + 1`)
export class RestoreEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  /** Of the newest event that was left; 0: none. */
  @Column({ name: 'after_seq', type: 'bigint' })
  afterSeq: string;

  /** Of the first event after it. */
  @PrimaryColumn({ name: 'next_seq', type: 'bigint' })
  nextSeq: string;

  /** Of the newest grant that was left; 0: none. */
  @Column({ name: 'after_fence', type: 'bigint' })
  afterFence: string;

  /** Of the first grant after it. */
  @Column({ name: 'next_fence', type: 'bigint' })
  nextFence: string;

  @Column({ name: 'recorded_at', type: 'timestamptz' })
  recordedAt: Date;
}
