// When the things of a pool changed last, so that a process knows whether what it remembers of selections still holds.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ThingsSeq1700000000036 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "pools" ADD COLUMN "things_seq" bigint NOT NULL DEFAULT 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "pools" DROP COLUMN "things_seq"`);
  }
}
