// The name that the user of a lease gave instead of its id. Of a lease whose caller gave the id, it is null.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Holders1700000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "tokens" ADD COLUMN "holder" text`);
    await runner.query(`ALTER TABLE "token_events" ADD COLUMN "holder" text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "token_events" DROP COLUMN "holder"`);
    await runner.query(`ALTER TABLE "tokens" DROP COLUMN "holder"`);
  }
}
