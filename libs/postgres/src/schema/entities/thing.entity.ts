// The thing that a token of a listed pool stands for. Its row is joined only where a pool is listed.

import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

@Entity('things')
@Unique('things_name', ['pool', 'name'])
@Check('things_attributes', `attributes ->> '@pool' = pool`)
// TypeORM does not know the operator class of this index.
@Index('things_by_attributes', { synchronize: false })
export class ThingEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ name: 'token_id', type: 'uuid' })
  tokenId: string;

  @Column({ type: 'text', collation: 'C' })
  name: string;

  /**
   * The attributes, and the pool under the key `@pool`, which no attribute can have: so one index finds the tokens of
   * one pool by their attributes.
   */
  @Column({ type: 'jsonb' })
  attributes: unknown;
}
