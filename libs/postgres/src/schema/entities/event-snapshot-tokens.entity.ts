// The tokens of a snapshot, some thousands a row: so they are written, read and dropped in moments.

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
