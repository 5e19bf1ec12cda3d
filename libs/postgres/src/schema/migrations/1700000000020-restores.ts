// Where a pool's numbers go on further up, after its database was put back to an earlier state.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Restores1700000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "restores" (
        "pool" text COLLATE "C" NOT NULL,
        "after_seq" bigint NOT NULL,
        "next_seq" bigint NOT NULL,
        "after_fence" bigint NOT NULL,
        "next_fence" bigint NOT NULL,
        "recorded_at" timestamp with time zone NOT NULL,
        CONSTRAINT "PK_restores" PRIMARY KEY ("pool", "next_seq"),
        CONSTRAINT "restores_go_up" CHECK (next_seq > after_seq + 1 AND next_fence > after_fence + 1)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "restores"`);
  }
}
