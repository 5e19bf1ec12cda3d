// Events of the pool itself, which concern no token: each change of its policy.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PoolEvents1700000000027 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The rows that are there kept a stricter rule, so nobody has to look at them.
    await runner.query(`
      ALTER TABLE "token_events"
        ALTER COLUMN "token_id" DROP NOT NULL,
        DROP CONSTRAINT "token_events_event",
        DROP CONSTRAINT "token_events_lease"`);
    await runner.query(`
      ALTER TABLE "token_events" ADD CONSTRAINT "token_events_event" CHECK (event IN
        ('activated', 'renewed', 'released', 'expired', 'generated', 'deleted', 'policy_changed')) NOT VALID`);
    await runner.query(`
      ALTER TABLE "token_events" ADD CONSTRAINT "token_events_token"
        CHECK ((event IN ('policy_changed')) = (token_id IS NULL)) NOT VALID`);
    await runner.query(`
      ALTER TABLE "token_events" ADD CONSTRAINT "token_events_lease" CHECK (
        (event IN ('generated', 'deleted', 'policy_changed')) = (fence IS NULL) AND (fence IS NULL) = (user_id IS NULL)
        AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
        AND (fence IS NULL) = (expires_at IS NULL)) NOT VALID`);
  }

  /** Fails once there is such an event: the audit forgets nothing. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "token_events"
        DROP CONSTRAINT "token_events_token",
        DROP CONSTRAINT "token_events_lease",
        DROP CONSTRAINT "token_events_event",
        ALTER COLUMN "token_id" SET NOT NULL`);
    await runner.query(`
      ALTER TABLE "token_events" ADD CONSTRAINT "token_events_event"
        CHECK (event IN ('activated', 'renewed', 'released', 'expired', 'generated', 'deleted'))`);
    await runner.query(`
      ALTER TABLE "token_events" ADD CONSTRAINT "token_events_lease" CHECK (
        (event IN ('generated', 'deleted')) = (fence IS NULL) AND (fence IS NULL) = (user_id IS NULL)
        AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
        AND (fence IS NULL) = (expires_at IS NULL))`);
  }
}
