// How much one user or key may hold of a pool, and who loses a lease first.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class FairPolicy1700000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- expands: a row a pool is soon read
      ALTER TABLE "pools"
        ADD COLUMN "max_per_user" integer,
        ADD COLUMN "max_per_key" integer,
        ADD COLUMN "protect_seconds" double precision,
        ADD COLUMN "evict" text NOT NULL DEFAULT 'oldest',
        ADD CONSTRAINT "pools_max_per_user" CHECK (max_per_user BETWEEN 1 AND 1000000),
        ADD CONSTRAINT "pools_max_per_key" CHECK (max_per_key BETWEEN 1 AND 1000000),
        ADD CONSTRAINT "pools_protect" CHECK (protect_seconds > 0 AND protect_seconds <= 31536000),
        ADD CONSTRAINT "pools_evict" CHECK (evict IN ('oldest', 'over_share_first'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools"
        DROP COLUMN "evict", DROP COLUMN "protect_seconds", DROP COLUMN "max_per_key", DROP COLUMN "max_per_user"`);
  }
}
