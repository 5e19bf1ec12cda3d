// The first schema: pools, tokens, token_events.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PoolsTokensEvents1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The pool's row changes with every batch: room on its page keeps those updates off the index (HOT).
    await runner.query(`
      CREATE TABLE "pools" (
        "name" text COLLATE "C" NOT NULL,
        "kind" text NOT NULL,
        "size" integer NOT NULL,
        "ttl_seconds" double precision NOT NULL,
        "renewable" boolean NOT NULL,
        "max_lifetime_seconds" double precision,
        "idle_ttl_seconds" double precision,
        "on_exhausted" text NOT NULL,
        "release_authority" text NOT NULL,
        "last_seq" bigint NOT NULL DEFAULT 0,
        "last_fence" bigint NOT NULL DEFAULT 0,
        "last_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
        "token_count" integer NOT NULL DEFAULT 0,
        "lease_count" integer NOT NULL DEFAULT 0,
        CONSTRAINT "PK_pools" PRIMARY KEY ("name"),
        CONSTRAINT "pools_name" CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
        CONSTRAINT "pools_kind" CHECK (kind IN ('fixed', 'elastic')),
        CONSTRAINT "pools_size" CHECK (size BETWEEN 1 AND 1000000),
        CONSTRAINT "pools_ttl" CHECK (ttl_seconds > 0 AND ttl_seconds <= 31536000),
        CONSTRAINT "pools_max_lifetime" CHECK (max_lifetime_seconds > 0),
        CONSTRAINT "pools_idle_ttl" CHECK (idle_ttl_seconds IS NULL OR (idle_ttl_seconds > 0 AND kind = 'elastic')),
        CONSTRAINT "pools_on_exhausted" CHECK (on_exhausted IN ('evict_oldest', 'reject')),
        CONSTRAINT "pools_release_authority" CHECK (release_authority IN ('anyone', 'holder')),
        CONSTRAINT "pools_counts" CHECK (token_count BETWEEN 0 AND size AND lease_count BETWEEN 0 AND token_count)
      ) WITH (fillfactor = 20)`);

    await runner.query(`
      CREATE TABLE "tokens" (
        "pool" text COLLATE "C" NOT NULL,
        "id" uuid NOT NULL,
        "status" text NOT NULL,
        "user_id" uuid,
        "lease_id" uuid,
        "fence" bigint,
        "expires_at" timestamp with time zone,
        "free_since" timestamp with time zone,
        "last_activated_at" timestamp with time zone,
        CONSTRAINT "PK_tokens" PRIMARY KEY ("pool", "id"),
        CONSTRAINT "tokens_status_and_lease_agree" CHECK (
          (status = 'active' AND user_id IS NOT NULL AND lease_id IS NOT NULL AND fence IS NOT NULL
            AND expires_at IS NOT NULL AND last_activated_at IS NOT NULL AND free_since IS NULL)
          OR (status = 'available' AND user_id IS NULL AND lease_id IS NULL AND fence IS NULL
            AND expires_at IS NULL AND free_since IS NOT NULL)),
        CONSTRAINT "tokens_lease_has_a_length" CHECK (expires_at > last_activated_at)
      ) WITH (fillfactor = 50)`);
    await runner.query(`CREATE INDEX "tokens_by_id" ON "tokens" ("id")`);
    await runner.query(`CREATE UNIQUE INDEX "tokens_oldest" ON "tokens" ("pool", "fence") WHERE status = 'active'`);
    await runner.query(`CREATE INDEX "tokens_due" ON "tokens" ("pool", "expires_at") WHERE status = 'active'`);
    await runner.query(
      `CREATE INDEX "tokens_free" ON "tokens" ("pool", "free_since", "id") WHERE status = 'available'`,
    );

    await runner.query(`
      CREATE TABLE "token_events" (
        "pool" text COLLATE "C" NOT NULL,
        "seq" bigint NOT NULL,
        "id" uuid NOT NULL,
        "token_id" uuid NOT NULL,
        "event" text NOT NULL,
        "reason" text,
        "occurred_at" timestamp with time zone NOT NULL,
        "recorded_at" timestamp with time zone NOT NULL,
        "user_id" uuid,
        "fence" bigint,
        "lease_id" uuid,
        "activated_at" timestamp with time zone,
        "expires_at" timestamp with time zone,
        "metadata" jsonb,
        CONSTRAINT "PK_token_events" PRIMARY KEY ("pool", "seq"),
        CONSTRAINT "token_events_event"
          CHECK (event IN ('activated', 'renewed', 'released', 'expired', 'generated', 'deleted')),
        CONSTRAINT "token_events_lease" CHECK (
          (event IN ('generated', 'deleted')) = (fence IS NULL) AND (fence IS NULL) = (user_id IS NULL)
          AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
          AND (fence IS NULL) = (expires_at IS NULL))
      )`);
    await runner.query(`CREATE INDEX "token_events_of_token" ON "token_events" ("token_id", "seq")`);
    await runner.query(`
      CREATE UNIQUE INDEX "token_events_one_end_per_lease" ON "token_events" ("pool", "token_id", "fence")
      WHERE event IN ('released', 'expired')`);

    await runner.query(`
      CREATE FUNCTION token_events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'token_events is append-only: % refused', TG_OP;
      END $$`);
    await runner.query(`
      CREATE TRIGGER token_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "token_events"
      FOR EACH STATEMENT EXECUTE FUNCTION token_events_are_append_only()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "token_events"`);
    await runner.query(`DROP FUNCTION token_events_are_append_only()`);
    await runner.query(`DROP TABLE "tokens"`);
    await runner.query(`DROP TABLE "pools"`);
  }
}
