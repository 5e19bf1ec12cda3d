// The tokens of a snapshot, some thousands in a row, so that writing, reading and dropping them is fast.

import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('event_snapshot_tokens')
export class EventSnapshotTokensEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ type: 'bigint' })
  seq: string;

  @PrimaryColumn({ type: 'integer' })
  part: number;

  @Column({ type: 'jsonb' })
  tokens: unknown;
}
