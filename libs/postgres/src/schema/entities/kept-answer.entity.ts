// The result of a request with an idempotency key. Its effect's transaction stores it; a day later it is deleted.

import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('kept_answers')
@Index('kept_answers_by_age', ['pool', 'keptAt'])
export class KeptAnswerEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  pool: string;

  @PrimaryColumn({ name: 'use_case', type: 'text', collation: 'C' })
  useCase: string;

  @PrimaryColumn({ type: 'text', collation: 'C' })
  key: string;

  /** A hash of the request. The service refuses a different request with the same key. */
  @Column({ type: 'text' })
  fingerprint: string;

  /** The use case's result; null if it has none. */
  @Column({ type: 'jsonb', nullable: true })
  value: unknown;

  @Column({ name: 'kept_at', type: 'timestamptz' })
  keptAt: Date;
}
