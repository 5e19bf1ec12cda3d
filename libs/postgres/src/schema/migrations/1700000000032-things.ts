// Listed pools: the things that their tokens stand for, with names, attributes and secrets in tables of their own, so
// that the rows that every grant rewrites stay narrow. The last release does not know listed pools: the check on
// `thing_count` keeps it from making tokens in one, and from deleting one.

import type { MigrationInterface, QueryRunner } from 'typeorm';

const TOKENS = `'activated', 'renewed', 'released', 'expired', 'generated', 'deleted'`;
const POOLS = `'policy_changed', 'pool_deleted', 'pool_opened'`;

export class Things1700000000032 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools" DROP CONSTRAINT "pools_kind", ADD COLUMN "thing_count" integer NOT NULL DEFAULT 0`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_kind" CHECK (kind IN ('fixed', 'elastic', 'listed')) NOT VALID`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_things"
        CHECK (thing_count = CASE WHEN kind = 'listed' THEN token_count ELSE 0 END) NOT VALID`);
    await runner.query(`ALTER TABLE "tokens" ADD COLUMN "leaving" boolean NOT NULL DEFAULT false`);
    await runner.query(`
      CREATE TABLE "things" (
        "pool" text COLLATE "C" NOT NULL,
        "token_id" uuid NOT NULL,
        "name" text COLLATE "C" NOT NULL,
        "attributes" jsonb NOT NULL,
        CONSTRAINT "PK_things" PRIMARY KEY ("pool", "token_id"),
        CONSTRAINT "things_name" UNIQUE ("pool", "name"),
        CONSTRAINT "things_attributes" CHECK (attributes ->> '@pool' = pool)
      )`);
    // With a list of pending entries, each search would read that list, and the planner would avoid the index.
    await runner.query(`
      CREATE INDEX "things_by_attributes" ON "things" USING gin ("attributes" jsonb_path_ops) WITH (fastupdate = off)`);
    await runner.query(`
      CREATE TABLE "thing_secrets" (
        "pool" text COLLATE "C" NOT NULL,
        "token_id" uuid NOT NULL,
        "sealed" bytea NOT NULL,
        CONSTRAINT "PK_thing_secrets" PRIMARY KEY ("pool", "token_id")
      )`);
    for (const statement of checks(`'generated', 'described', 'deleted'`)) await runner.query(statement);
  }

  /** Fails once there was a listed pool: the audit forgets nothing. */
  async down(runner: QueryRunner): Promise<void> {
    for (const statement of checks(`'generated', 'deleted'`)) await runner.query(statement);
    await runner.query(`DROP TABLE "thing_secrets"`);
    await runner.query(`DROP TABLE "things"`);
    await runner.query(`ALTER TABLE "tokens" DROP COLUMN "leaving"`);
    await runner.query(`ALTER TABLE "pools" DROP COLUMN "thing_count", DROP CONSTRAINT "pools_kind"`);
    await runner.query(`ALTER TABLE "pools" ADD CONSTRAINT "pools_kind" CHECK (kind IN ('fixed', 'elastic'))`);
  }
}

/** The rows that are there kept a stricter rule, so nobody has to look at them. */
const checks = (withoutLease: string): string[] => [
  `ALTER TABLE "token_events" DROP CONSTRAINT "token_events_event", DROP CONSTRAINT "token_events_lease"`,
  `ALTER TABLE "token_events" ADD CONSTRAINT "token_events_event"
     CHECK (event IN (${TOKENS.replace(`'generated', 'deleted'`, withoutLease)}, ${POOLS})) NOT VALID`,
  `ALTER TABLE "token_events" ADD CONSTRAINT "token_events_lease" CHECK (
     (event IN (${withoutLease}, ${POOLS})) = (fence IS NULL) AND (fence IS NULL) = (user_id IS NULL)
     AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
     AND (fence IS NULL) = (expires_at IS NULL)) NOT VALID`,
];
