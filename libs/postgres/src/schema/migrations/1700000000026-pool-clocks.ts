// A pool's time goes on at the clock's pace after a clock that was ahead and came back, or was set back. 0.1.0 knows nothing of it: it
// takes the later of clock and last_at, so time stands still for it until then, and goes back for nobody.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PoolClocks1700000000026 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools"
        ADD COLUMN "clock_offset_at" timestamp with time zone,
        ADD COLUMN "clock_offset_us" bigint NOT NULL DEFAULT 0
          CONSTRAINT "pools_clock_offset" CHECK (clock_offset_us >= 0 AND (clock_offset_us = 0 OR clock_offset_at IS NOT NULL))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "pools" DROP COLUMN "clock_offset_us", DROP COLUMN "clock_offset_at"`);
  }
}
