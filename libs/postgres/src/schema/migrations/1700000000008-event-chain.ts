// Tamper evidence and the pool's counters in each event. A pool that is there already begins its chain here: of the
// events before, nobody could say any more whether they were changed.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class EventChain1700000000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools" ADD COLUMN "last_hash" bytea, ADD COLUMN "hashed_seq" bigint NOT NULL DEFAULT 0,
        ADD COLUMN "chained_after" bigint NOT NULL DEFAULT 0`);
    await runner.query(`UPDATE "pools" SET hashed_seq = last_seq, chained_after = last_seq`);
    await runner.query(`
      ALTER TABLE "token_events" ADD COLUMN "tokens_after" integer, ADD COLUMN "leases_after" integer,
        ADD COLUMN "hash" bytea`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE "token_events" DROP COLUMN "hash", DROP COLUMN "leases_after", DROP COLUMN "tokens_after"`,
    );
    await runner.query(
      `ALTER TABLE "pools" DROP COLUMN "chained_after", DROP COLUMN "hashed_seq", DROP COLUMN "last_hash"`,
    );
  }
}
