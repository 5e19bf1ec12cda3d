// Who rotated or revoked a key. Keys that were changed before say nothing of it.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class KeyChanges1700000000025 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "api_keys"
        ADD COLUMN "revoked_by" text COLLATE "C",
        ADD COLUMN "rotated_at" timestamp with time zone,
        ADD COLUMN "rotated_by" text COLLATE "C"`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE "api_keys" DROP COLUMN "rotated_by", DROP COLUMN "rotated_at", DROP COLUMN "revoked_by"`,
    );
  }
}
