// What a request with an idempotency key was answered: written with its effect, forgotten after a day.

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

  /** A hash over the request: another one with the same key is refused. */
  @Column({ type: 'text' })
  fingerprint: string;

  /** What the use case answered; null where it has nothing to say but that it is done. */
  @Column({ type: 'jsonb', nullable: true })
  value: unknown;

  @Column({ name: 'kept_at', type: 'timestamptz' })
  keptAt: Date;
}
