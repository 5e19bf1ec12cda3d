// The audit in partitions: what there is becomes the first one as it is, and from then on each month has its own.
// An event's instant rises with its seq, so a pool's feed goes through the partitions in their order.

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Months made ahead of the present one. The service keeps as many (statements.ts). */
const MONTHS_AHEAD = 3;

export class EventPartitions1700000000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Needs the table alone, for a moment: no row is looked at.
    await runner.query(`
      -- expands: a table of this name, with these rows, is there again before this transaction ends
      ALTER TABLE token_events RENAME TO token_events_beginning`);
    await runner.query(`
      CREATE TABLE token_events (LIKE token_events_beginning INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
      PARTITION BY RANGE (recorded_at)`);
    await runner.query(`ALTER TABLE token_events DROP CONSTRAINT token_events_until`);
    // The constraint that was checked saves looking at each row.
    await runner.query(`
      DO $$ BEGIN
        EXECUTE format('ALTER TABLE token_events ATTACH PARTITION token_events_beginning FOR VALUES FROM (MINVALUE) TO (%L)',
          (SELECT substring(pg_get_constraintdef(oid) FROM '''([^'']+)''') FROM pg_constraint
            WHERE conrelid = 'token_events_beginning'::regclass AND conname = 'token_events_until'));
      END $$`);
    await runner.query(`ALTER TABLE token_events_beginning DROP CONSTRAINT token_events_until`);
    await runner.query(`
      CREATE TRIGGER token_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON token_events
      FOR EACH STATEMENT EXECUTE FUNCTION token_events_are_append_only()`);

    // Read from the catalogue, so that it is never out of step with what there is. begins_at is null for the first one.
    await runner.query(`
      CREATE VIEW event_partitions AS
      SELECT c.relname::text AS name,
        substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''([^'']+)''\\)')::timestamptz AS begins_at,
        substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS ends_at
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'token_events'::regclass`);

    // A partition is made apart and then attached, which stops nobody from writing; CREATE … PARTITION OF would.
    // Unique keys of the whole table would have to hold recorded_at, and then refuse nothing: so each partition has its own.
    const schema = await currentSchema(runner);
    await runner.query(`
      -- expands: its indexes are those of tables that nobody knows yet
      CREATE FUNCTION make_event_partitions(until timestamptz) RETURNS integer
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp SET timezone = 'UTC' AS $$
      DECLARE
        made integer := 0;
        begins timestamptz := (SELECT max(ends_at) FROM event_partitions);
        name text;
      BEGIN
        IF begins > until THEN RETURN 0; END IF;
        IF until > now() + interval '5 years' THEN RAISE EXCEPTION 'no partitions are made that far ahead'; END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('make_event_partitions', 0));
        LOOP
          begins := (SELECT max(ends_at) FROM event_partitions);
          EXIT WHEN begins > until;
          name := 'token_events_' || to_char(begins, 'YYYY_MM');
          EXECUTE format('CREATE TABLE %I (LIKE token_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
          EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY (pool, seq)', name, 'PK_' || name);
          EXECUTE format('CREATE INDEX %I ON %I (token_id, seq)', name || '_of_token', name);
          EXECUTE format('CREATE UNIQUE INDEX %I ON %I (pool, token_id, fence) WHERE event IN (''released'', ''expired'')',
            name || '_one_end_per_lease', name);
          EXECUTE format('CREATE INDEX %I ON %I USING gist (tstzrange(occurred_at, recorded_at)) WHERE event = ''expired''',
            name || '_overdue', name);
          EXECUTE format('CREATE TRIGGER token_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION token_events_are_append_only()', name);
          EXECUTE format('ALTER TABLE token_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, begins, begins + interval '1 month');
          made := made + 1;
        END LOOP;
        RETURN made;
      END $$`);
    await runner.query(`SELECT make_event_partitions(clock_timestamp() + interval '${MONTHS_AHEAD} months')`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION make_event_partitions(timestamptz)`);
    await runner.query(`DROP VIEW event_partitions`);
    await runner.query(`ALTER TABLE token_events DETACH PARTITION token_events_beginning`);
    await runner.query(`INSERT INTO token_events_beginning SELECT * FROM token_events`);
    await runner.query(`DROP TABLE token_events`);
    await runner.query(`ALTER TABLE token_events_beginning RENAME TO token_events`);
    await runner.query(`ALTER TABLE token_events ADD CONSTRAINT token_events_until CHECK (recorded_at < 'infinity')`);
  }
}

async function currentSchema(runner: QueryRunner): Promise<string> {
  const [row] = (await runner.query('SELECT quote_ident(current_schema()) AS schema')) as { schema: string }[];
  return row!.schema;
}
