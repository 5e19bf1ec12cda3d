// Events that are older than they are kept may be dropped, a partition at a time, once snapshots say what they came to.
// For how long they are kept is the owner's to say; what drops them looks for itself whether it may.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class EventRetention1700000000021 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // No row: for ever.
    await runner.query(`
      CREATE TABLE "audit_retention" (
        "is_only" boolean NOT NULL DEFAULT true,
        "days" integer NOT NULL,
        CONSTRAINT "PK_audit_retention" PRIMARY KEY ("is_only"),
        CONSTRAINT "audit_retention_is_one_row" CHECK (is_only),
        CONSTRAINT "audit_retention_days" CHECK (days >= 1)
      )`);
    // is_beginning: the events up to it were dropped.
    await runner.query(`
      CREATE TABLE "event_snapshots" (
        "pool" text COLLATE "C" NOT NULL,
        "seq" bigint NOT NULL,
        "recorded_at" timestamp with time zone NOT NULL,
        "last_fence" bigint NOT NULL,
        "last_eviction_at" timestamp with time zone,
        "token_count" integer NOT NULL,
        "lease_count" integer NOT NULL,
        "hash" bytea NOT NULL,
        "is_beginning" boolean NOT NULL DEFAULT false,
        CONSTRAINT "PK_event_snapshots" PRIMARY KEY ("pool", "seq")
      )`);
    await runner.query(`
      CREATE TABLE "event_snapshot_tokens" (
        "pool" text COLLATE "C" NOT NULL,
        "seq" bigint NOT NULL,
        "part" integer NOT NULL,
        "tokens" jsonb NOT NULL,
        CONSTRAINT "PK_event_snapshot_tokens" PRIMARY KEY ("pool", "seq", "part")
      )`);

    const [{ schema }] = (await runner.query('SELECT quote_ident(current_schema()) AS schema')) as [{ schema: string }];
    const asOwner = `SECURITY DEFINER SET search_path = ${schema}, pg_temp SET timezone = 'UTC'`;
    await runner.query(`
      CREATE FUNCTION expired_partition() RETURNS text LANGUAGE plpgsql ${asOwner} AS $$
      BEGIN
        RETURN (SELECT name FROM event_partitions, audit_retention
          WHERE ends_at <= clock_timestamp() - make_interval(days => days) ORDER BY ends_at LIMIT 1);
      END $$`);
    // Of each pool the last event in that partition: an index's last entry a pool.
    await runner.query(`
      CREATE FUNCTION expired_events(OUT pool text, OUT seq bigint, OUT is_covered boolean) RETURNS SETOF record
      LANGUAGE plpgsql ${asOwner} AS $$
      #variable_conflict use_column
      DECLARE
        name text := expired_partition();
      BEGIN
        IF name IS NULL THEN RETURN; END IF;
        RETURN QUERY EXECUTE format('
          WITH RECURSIVE last AS (
            (SELECT pool, seq, hash FROM %1$I ORDER BY pool DESC, seq DESC LIMIT 1)
            UNION ALL
            SELECT e.* FROM last, LATERAL (
              SELECT pool, seq, hash FROM %1$I WHERE pool < last.pool ORDER BY pool DESC, seq DESC LIMIT 1) e
          )
          SELECT pool, seq, EXISTS (SELECT FROM event_snapshots s
            WHERE s.pool = last.pool AND s.seq = last.seq AND s.hash = coalesce(last.hash, s.hash)) FROM last', name);
      END $$`);
    await runner.query(`
      -- expands: what it drops is what the owner wants dropped, and the last release reads what is left
      CREATE FUNCTION drop_expired_events() RETURNS text LANGUAGE plpgsql ${asOwner} SET lock_timeout = '1s' AS $$
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
        UPDATE event_snapshots s SET is_beginning = true FROM expired_events() e WHERE s.pool = e.pool AND s.seq = e.seq;
        DELETE FROM event_snapshot_tokens t USING event_snapshots s
          WHERE s.pool = t.pool AND s.is_beginning AND t.seq < s.seq;
        DELETE FROM event_snapshots o USING event_snapshots s
          WHERE s.pool = o.pool AND s.is_beginning AND o.seq < s.seq;
        EXECUTE format('DROP TABLE %I', name);
        RETURN name;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION drop_expired_events()`);
    await runner.query(`DROP FUNCTION expired_events()`);
    await runner.query(`DROP FUNCTION expired_partition()`);
    await runner.query(`DROP TABLE "event_snapshot_tokens"`);
    await runner.query(`DROP TABLE "event_snapshots"`);
    await runner.query(`DROP TABLE "audit_retention"`);
  }
}
