// What cannot be undone does not hang on one look at one clock: events are dropped by the third-newest day on which the clock was
// seen, one partition a day at most. So a clock that is days ahead for a moment drops nothing, as it shows one day of those.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ClockDays1700000000024 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "clock_days" (
        "day" date NOT NULL,
        "has_dropped" boolean NOT NULL DEFAULT false,
        CONSTRAINT "PK_clock_days" PRIMARY KEY ("day")
      )`);
    const asOwner = await ownersRights(runner);
    // The days ahead of the clock were seen by one that was wrong. Twenty are kept for an investigation.
    await runner.query(`
      -- expands: the last release drops later, and never what this one would keep
      CREATE OR REPLACE FUNCTION expired_partition() RETURNS text LANGUAGE plpgsql ${asOwner} AS $$
      DECLARE
        today date := clock_timestamp()::date;
      BEGIN
        DELETE FROM clock_days WHERE day > today OR day < today - 20;
        INSERT INTO clock_days (day) VALUES (today) ON CONFLICT DO NOTHING;
        IF (SELECT has_dropped FROM clock_days WHERE day = today) THEN RETURN NULL; END IF;
        RETURN (SELECT name FROM event_partitions, audit_retention,
            (SELECT day FROM clock_days ORDER BY day DESC LIMIT 1 OFFSET 2) seen
          WHERE ends_at <= seen.day::timestamptz - make_interval(days => days) ORDER BY ends_at LIMIT 1);
      END $$`);
    await runner.query(`
      -- expands: the same, and that it was done today is written down
      CREATE OR REPLACE FUNCTION drop_expired_events() RETURNS text LANGUAGE plpgsql ${asOwner} SET lock_timeout = '1s' AS $$
      DECLARE
        name text := expired_partition();
        missing record;
      BEGIN
        IF name IS NULL OR NOT pg_try_advisory_xact_lock(hashtextextended('drop_expired_events', 0)) THEN
          RETURN NULL;
        END IF;
        SELECT * INTO missing FROM expired_events() WHERE NOT is_covered LIMIT 1;
        IF FOUND THEN
          RAISE EXCEPTION 'there is no snapshot of pool % as of seq %: % is not dropped', missing.pool, missing.seq, name;
        END IF;
        ${FORGET}
        UPDATE clock_days SET has_dropped = true WHERE day = clock_timestamp()::date;
        EXECUTE format('DROP TABLE %I', name);
        RETURN name;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    const asOwner = await ownersRights(runner);
    await runner.query(`
      CREATE OR REPLACE FUNCTION expired_partition() RETURNS text LANGUAGE plpgsql ${asOwner} AS $$
      BEGIN
        RETURN (SELECT name FROM event_partitions, audit_retention
          WHERE ends_at <= clock_timestamp() - make_interval(days => days) ORDER BY ends_at LIMIT 1);
      END $$`);
    await runner.query(`
      CREATE OR REPLACE FUNCTION drop_expired_events() RETURNS text LANGUAGE plpgsql ${asOwner} SET lock_timeout = '1s' AS $$
      DECLARE
        name text := expired_partition();
        missing record;
      BEGIN
        IF name IS NULL OR NOT pg_try_advisory_xact_lock(hashtextextended('drop_expired_events', 0)) THEN
          RETURN NULL;
        END IF;
        SELECT * INTO missing FROM expired_events() WHERE NOT is_covered LIMIT 1;
        IF FOUND THEN
          RAISE EXCEPTION 'there is no snapshot of pool % as of seq %: % is not dropped', missing.pool, missing.seq, name;
        END IF;
        ${FORGET}
        EXECUTE format('DROP TABLE %I', name);
        RETURN name;
      END $$`);
    await runner.query(`DROP TABLE "clock_days"`);
  }
}

/** What is known from before the new beginning goes with the partition. */
const FORGET = `UPDATE event_snapshots s SET is_beginning = true FROM expired_events() e WHERE s.pool = e.pool AND s.seq = e.seq;
        DELETE FROM event_snapshot_tokens t USING event_snapshots s
          WHERE s.pool = t.pool AND s.is_beginning AND t.seq < s.seq;
        DELETE FROM event_snapshots o USING event_snapshots s
          WHERE s.pool = o.pool AND s.is_beginning AND o.seq < s.seq;`;

/** UTC, so that a day begins at the same moment for all. */
async function ownersRights(runner: QueryRunner): Promise<string> {
  const [{ schema }] = (await runner.query('SELECT quote_ident(current_schema()) AS schema')) as [{ schema: string }];
  return `SECURITY DEFINER SET search_path = ${schema}, pg_temp SET timezone = 'UTC'`;
}
