// The first step to partitions: from here on the table refuses events of later than the month after this one. What is in it
// already is looked through by the next migration, while requests go on.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class EventsUntil1700000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // A whole month away at least, so that nobody meets the limit between this migration and the next. A pool's time may
    // be ahead of the clock: it never goes back.
    await runner.query(`
      DO $$ BEGIN
        EXECUTE format('ALTER TABLE token_events ADD CONSTRAINT token_events_until CHECK (recorded_at < %L) NOT VALID',
          (SELECT (date_trunc('month', greatest(clock_timestamp(), max(last_at)) AT TIME ZONE 'UTC')
            + interval '2 months') AT TIME ZONE 'UTC' FROM pools));
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE token_events DROP CONSTRAINT token_events_until`);
  }
}
