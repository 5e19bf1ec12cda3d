// Whose lease it is, and who did what by which request.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Callers1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "tokens" ADD COLUMN "key_id" text`);
    await runner.query(
      `ALTER TABLE "token_events" ADD COLUMN "key_id" text, ADD COLUMN "actor" text, ADD COLUMN "request_id" text`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE "token_events" DROP COLUMN "request_id", DROP COLUMN "actor", DROP COLUMN "key_id"`,
    );
    await runner.query(`ALTER TABLE "tokens" DROP COLUMN "key_id"`);
  }
}
