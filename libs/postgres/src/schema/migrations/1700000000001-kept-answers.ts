// Answers to requests with an idempotency key.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class KeptAnswers1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "kept_answers" (
        "pool" text COLLATE "C" NOT NULL,
        "use_case" text COLLATE "C" NOT NULL,
        "key" text COLLATE "C" NOT NULL,
        "fingerprint" text NOT NULL,
        "value" jsonb,
        "kept_at" timestamp with time zone NOT NULL,
        CONSTRAINT "PK_kept_answers" PRIMARY KEY ("pool", "use_case", "key")
      )`);
    await runner.query(`CREATE INDEX "kept_answers_by_age" ON "kept_answers" ("pool", "kept_at")`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "kept_answers"`);
  }
}
