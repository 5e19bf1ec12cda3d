// A day on which the clock was seen by what drops events: a date that one wrong look shows is not believed.

import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('clock_days')
export class ClockDayEntity {
  /** Of UTC. */
  @PrimaryColumn({ type: 'date', primaryKeyConstraintName: 'PK_clock_days' })
  day: string;

  /** A partition of events: one a day at most. */
  @Column({ name: 'has_dropped', type: 'boolean', default: false })
  hasDropped: boolean;
}
