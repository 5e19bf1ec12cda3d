// A jump of a pool's numbers. Numbers above the newest event that a restore left may have been in use before it.

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('restores')
@Check('restores_go_up', `next_seq > after_seq + 1 AND next_fence > after_fence + 1`)
export class RestoreEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  /** The seq of the newest event that was left; 0 if there was none. */
  @Column({ name: 'after_seq', type: 'bigint' })
  afterSeq: string;

  /** The seq of the first event after the restore. */
  @PrimaryColumn({ name: 'next_seq', type: 'bigint' })
  nextSeq: string;

  /** The fence of the newest grant that was left; 0 if there was none. */
  @Column({ name: 'after_fence', type: 'bigint' })
  afterFence: string;

  /** The fence of the first grant after the restore. */
  @Column({ name: 'next_fence', type: 'bigint' })
  nextFence: string;

  @Column({ name: 'recorded_at', type: 'timestamptz' })
  recordedAt: Date;
}
