// Which leases were overdue at an instant though nobody had written it down yet: an index of the spans between the two.
// Only an `expired` event has an entry, so what grants and releases costs as much as before.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class OverdueThen1700000000009 implements MigrationInterface {
  /** CONCURRENTLY takes none: others go on writing meanwhile. */
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // Partitions that are made later get it from make_event_partitions.
    await runner.query(`DROP INDEX IF EXISTS token_events_beginning_overdue`);
    await runner.query(`
      CREATE INDEX CONCURRENTLY token_events_beginning_overdue ON token_events_beginning
      USING gist (tstzrange(occurred_at, recorded_at)) WHERE event = 'expired'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX token_events_beginning_overdue`);
  }
}
