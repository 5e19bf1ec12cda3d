// The line of a pool: its policy, its tickets, and what the leases of such a pool need beside their deadlines. The last
// release does not know lines: the check on `line_fence` keeps it from granting past somebody who waits.

import type { MigrationInterface, QueryRunner } from 'typeorm';

const TOKENS = `'activated', 'renewed', 'released', 'expired', 'generated', 'described', 'deleted'`;
const POOLS = `'policy_changed', 'pool_deleted', 'pool_opened'`;
const LINE = `'queued', 'left', 'promised'`;

export class Line1700000000033 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools"
        ADD COLUMN "max_waiting" integer NOT NULL DEFAULT 0
          CONSTRAINT "pools_max_waiting" CHECK (max_waiting BETWEEN 0 AND 100000),
        ADD COLUMN "max_waiting_per_user" integer NOT NULL DEFAULT 1
          CONSTRAINT "pools_max_waiting_per_user" CHECK (max_waiting_per_user BETWEEN 1 AND 100000),
        ADD COLUMN "claim_seconds" double precision NOT NULL DEFAULT 10
          CONSTRAINT "pools_claim" CHECK (claim_seconds > 0 AND claim_seconds <= 31536000),
        ADD COLUMN "patience_seconds" double precision NOT NULL DEFAULT 30
          CONSTRAINT "pools_patience" CHECK (patience_seconds > 0 AND patience_seconds <= 31536000),
        ADD COLUMN "last_place" bigint NOT NULL DEFAULT 0,
        ADD COLUMN "open_tickets" integer NOT NULL DEFAULT 0,
        ADD COLUMN "line_fence" bigint NOT NULL DEFAULT 0`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_line"
        CHECK (open_tickets = 0 OR (open_tickets > 0 AND line_fence = last_fence)) NOT VALID`);
    await runner.query(`
      ALTER TABLE "tokens" ADD COLUMN "hard_end_at" timestamptz, ADD COLUMN "offered_to" uuid,
        ADD COLUMN "line_fence" bigint`);
    await runner.query(`
      CREATE TABLE "tickets" (
        "pool" text COLLATE "C" NOT NULL,
        "id" uuid NOT NULL,
        "place" bigint NOT NULL,
        "user_id" uuid NOT NULL,
        "holder" text,
        "key_id" text,
        "count" integer NOT NULL,
        "selector" jsonb,
        "ttl_seconds" double precision,
        "metadata" jsonb,
        "queued_at" timestamptz NOT NULL,
        "not_later_than" timestamptz,
        "hold_seconds" double precision,
        "claim_seconds" double precision NOT NULL,
        "patience_until" timestamptz NOT NULL,
        "status" text NOT NULL,
        "end_reason" text,
        "leases" jsonb NOT NULL,
        "claim_by" timestamptz,
        "changed_at" timestamptz NOT NULL,
        CONSTRAINT "PK_tickets" PRIMARY KEY ("pool", "id"),
        CONSTRAINT "tickets_place" UNIQUE ("pool", "place"),
        CONSTRAINT "tickets_status" CHECK (status IN ('waiting', 'offered', 'granted', 'ended')),
        CONSTRAINT "tickets_end" CHECK ((status = 'ended') = (end_reason IS NOT NULL)),
        CONSTRAINT "tickets_offer" CHECK ((status = 'waiting') <= (claim_by IS NULL))
      )`);
    await runner.query(`CREATE INDEX "tickets_by_id" ON "tickets" ("id")`);
    await runner.query(`CREATE INDEX "tickets_waiting" ON "tickets" ("pool", "place") WHERE status = 'waiting'`);
    await runner.query(`
      CREATE INDEX "tickets_selecting" ON "tickets" ("pool", "place")
        WHERE status = 'waiting' AND selector IS NOT NULL`);
    await runner.query(`
      CREATE INDEX "tickets_patience" ON "tickets" ("pool", "patience_until") WHERE status = 'waiting'`);
    await runner.query(`CREATE INDEX "tickets_offered" ON "tickets" ("pool", "place") WHERE status = 'offered'`);
    await runner.query(`
      CREATE INDEX "tickets_over" ON "tickets" ("pool", "changed_at") WHERE status IN ('granted', 'ended')`);
    await dropChecks(runner);
    await runner.query(`
      ALTER TABLE "token_events"
        ADD CONSTRAINT "token_events_event" CHECK (event IN (${TOKENS}, ${POOLS}, ${LINE})) NOT VALID,
        ADD CONSTRAINT "token_events_token" CHECK ((event IN (${POOLS}, ${LINE})) = (token_id IS NULL)) NOT VALID,
        ADD CONSTRAINT "token_events_lease" CHECK (
          (event IN ('generated', 'described', 'deleted', ${POOLS}, ${LINE})) = (fence IS NULL)
          AND (fence IS NULL AND event NOT IN (${LINE})) = (user_id IS NULL)
          AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
          AND (fence IS NULL) = (expires_at IS NULL)) NOT VALID`);
  }

  /** Fails once somebody has waited: the audit forgets nothing. */
  async down(runner: QueryRunner): Promise<void> {
    await dropChecks(runner);
    await runner.query(`
      ALTER TABLE "token_events"
        ADD CONSTRAINT "token_events_event" CHECK (event IN (${TOKENS}, ${POOLS})),
        ADD CONSTRAINT "token_events_token" CHECK ((event IN (${POOLS})) = (token_id IS NULL)),
        ADD CONSTRAINT "token_events_lease" CHECK (
          (event IN ('generated', 'described', 'deleted', ${POOLS})) = (fence IS NULL)
          AND (fence IS NULL) = (user_id IS NULL)
          AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
          AND (fence IS NULL) = (expires_at IS NULL))`);
    await runner.query(`DROP TABLE "tickets"`);
    await runner.query(`
      ALTER TABLE "tokens" DROP COLUMN "hard_end_at", DROP COLUMN "offered_to", DROP COLUMN "line_fence"`);
    await runner.query(`
      ALTER TABLE "pools" DROP COLUMN "max_waiting", DROP COLUMN "max_waiting_per_user", DROP COLUMN "claim_seconds",
        DROP COLUMN "patience_seconds", DROP COLUMN "last_place", DROP COLUMN "open_tickets", DROP COLUMN "line_fence"`);
  }
}

/** The rows that are there kept a stricter rule, so nobody has to look at them. */
const dropChecks = (runner: QueryRunner): Promise<unknown> =>
  runner.query(`
    ALTER TABLE "token_events" DROP CONSTRAINT "token_events_event", DROP CONSTRAINT "token_events_token",
      DROP CONSTRAINT "token_events_lease"`);
