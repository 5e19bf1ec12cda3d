// What somebody holds, over all pools. Only leases whose caller gave a name have an entry, so that all others cost as
// much as before.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LeasesOfHolder1700000000031 implements MigrationInterface {
  /** CONCURRENTLY takes none: others go on writing meanwhile. */
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX IF EXISTS tokens_of_holder`);
    await runner.query(`
      CREATE INDEX CONCURRENTLY tokens_of_holder ON tokens (holder, pool, fence) WHERE holder IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX tokens_of_holder`);
  }
}
