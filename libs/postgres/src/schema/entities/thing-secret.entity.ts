// The secret of a thing, encrypted (secret-box.ts). No other table, event or log contains it.

import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('thing_secrets')
export class ThingSecretEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ name: 'token_id', type: 'uuid' })
  tokenId: string;

  @Column({ type: 'bytea' })
  sealed: Buffer;
}
