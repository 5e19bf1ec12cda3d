// The name that the user of a lease gave instead of its id; null if the caller gave the id. A process of 0.1.0 leaves
// it as it is when it ends a lease and grants the next one: holder_fence says to which lease it belongs.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Holders1700000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "tokens" ADD COLUMN "holder" text, ADD COLUMN "holder_fence" bigint`);
    await runner.query(`ALTER TABLE "token_events" ADD COLUMN "holder" text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "token_events" DROP COLUMN "holder"`);
    await runner.query(`ALTER TABLE "tokens" DROP COLUMN "holder_fence", DROP COLUMN "holder"`);
  }
}
