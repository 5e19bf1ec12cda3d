// A day that the clock showed when the service was about to drop events. Events are dropped only after several such
// days, so a clock that is wrong once drops nothing.

import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('clock_days')
export class ClockDayEntity {
  /** The date in UTC. */
  @PrimaryColumn({ type: 'date', primaryKeyConstraintName: 'PK_clock_days' })
  day: string;

  /** Whether the service has dropped a partition on that day: it drops at most one a day. */
  @Column({ name: 'has_dropped', type: 'boolean', default: false })
  hasDropped: boolean;
}
