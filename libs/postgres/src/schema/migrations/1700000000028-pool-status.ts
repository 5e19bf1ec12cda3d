// Whether a pool grants. The last release knows nothing of it and grants in any.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PoolStatus1700000000028 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools" ADD COLUMN "status" text NOT NULL DEFAULT 'open'
        CONSTRAINT "pools_status" CHECK (status IN ('open', 'paused'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "pools" DROP COLUMN "status"`);
  }
}
