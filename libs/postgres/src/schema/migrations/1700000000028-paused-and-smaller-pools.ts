// Whether a pool grants, of which the last release knows nothing. And a pool whose size became smaller has more tokens
// than that until enough leases have ended.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PausedAndSmallerPools1700000000028 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools" ADD COLUMN "status" text NOT NULL DEFAULT 'open'
        CONSTRAINT "pools_status" CHECK (status IN ('open', 'paused'))`);
    // The rows that are there kept a stricter rule.
    await runner.query(`ALTER TABLE "pools" DROP CONSTRAINT "pools_counts"`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_counts"
        CHECK (token_count >= 0 AND lease_count BETWEEN 0 AND token_count) NOT VALID`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "pools" DROP COLUMN "status", DROP CONSTRAINT "pools_counts"`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_counts"
        CHECK (token_count BETWEEN 0 AND size AND lease_count BETWEEN 0 AND token_count) NOT VALID`);
  }
}
