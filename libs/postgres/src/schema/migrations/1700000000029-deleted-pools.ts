// The end of a pool, and its events. The last release does not know a deleted pool: the check keeps it from filling
// one.

import type { MigrationInterface, QueryRunner } from 'typeorm';

const TOKENS = `'activated', 'renewed', 'released', 'expired', 'generated', 'deleted'`;
const BEFORE = `'policy_changed'`;
const AFTER = `'policy_changed', 'pool_deleted', 'pool_opened'`;

export class DeletedPools1700000000029 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools" ADD COLUMN "life" text NOT NULL DEFAULT 'live'
        CONSTRAINT "pools_life" CHECK (life IN ('live', 'deleting', 'deleted'))`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_deleted" CHECK (life <> 'deleted' OR token_count = 0) NOT VALID`);
    for (const statement of checks(AFTER)) await runner.query(statement);
  }

  /** Fails once a pool was deleted: the audit forgets nothing. */
  async down(runner: QueryRunner): Promise<void> {
    for (const statement of checks(BEFORE)) await runner.query(statement);
    await runner.query(`ALTER TABLE "pools" DROP COLUMN "life"`);
  }
}

/** The rows that are there kept a stricter rule, so nobody has to look at them. */
const checks = (ofPool: string): string[] => [
  `ALTER TABLE "token_events" DROP CONSTRAINT "token_events_event", DROP CONSTRAINT "token_events_token",
     DROP CONSTRAINT "token_events_lease"`,
  `ALTER TABLE "token_events" ADD CONSTRAINT "token_events_event" CHECK (event IN (${TOKENS}, ${ofPool})) NOT VALID`,
  `ALTER TABLE "token_events" ADD CONSTRAINT "token_events_token"
     CHECK ((event IN (${ofPool})) = (token_id IS NULL)) NOT VALID`,
  `ALTER TABLE "token_events" ADD CONSTRAINT "token_events_lease" CHECK (
     (event IN ('generated', 'deleted', ${ofPool})) = (fence IS NULL) AND (fence IS NULL) = (user_id IS NULL)
     AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
     AND (fence IS NULL) = (expires_at IS NULL)) NOT VALID`,
];
