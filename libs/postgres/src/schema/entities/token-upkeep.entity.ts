// What happens to a token between two users. Most tokens have no row.

import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('token_upkeep')
@Check(
  'token_upkeep_disabled',
  `(disabled_at IS NULL) = (disabled_reason IS NULL) AND (disabled_at IS NULL) = (disabled_by IS NULL)`,
)
@Check('token_upkeep_cleaning', `cleaning_fence IS NULL OR dirty_since IS NOT NULL`)
@Index('token_upkeep_dirty', ['pool', 'dirtySince', 'tokenId'], { where: `dirty_since IS NOT NULL` })
@Index('token_upkeep_out', ['pool', 'tokenId'], { where: `disabled_at IS NOT NULL` })
export class TokenUpkeepEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ name: 'token_id', type: 'uuid' })
  tokenId: string;

  /** Since when it must be cleaned, also while somebody cleans it. */
  @Column({ name: 'dirty_since', type: 'timestamptz', nullable: true })
  dirtySince: Date | null;

  /** Until when it rests, while it is dirty. Of a free token, `free_since` says that. */
  @Column({ name: 'rests_until', type: 'timestamptz', nullable: true })
  restsUntil: Date | null;

  @Column({ name: 'failed_cleanings', type: 'integer', default: 0 })
  failedCleanings: number;

  /** The different users of its last leases, as far back as these did not end by their own release. */
  @Column({ name: 'unclean_users', type: 'uuid', array: true, default: '{}' })
  uncleanUsers: string[];

  @Column({ name: 'disabled_reason', type: 'text', nullable: true })
  disabledReason: string | null;

  @Column({ name: 'disabled_at', type: 'timestamptz', nullable: true })
  disabledAt: Date | null;

  /** The id of an API key, `open` or `system`. */
  @Column({ name: 'disabled_by', type: 'text', nullable: true })
  disabledBy: string | null;

  /** The open lease of who cleans it. */
  @Column({ name: 'cleaning_fence', type: 'bigint', nullable: true })
  cleaningFence: string | null;
}
