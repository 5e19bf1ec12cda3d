// API keys. The one table that belongs to no pool: a key may be for several.

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ApiKeys1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "api_keys" (
        "id" text COLLATE "C" NOT NULL,
        "name" text NOT NULL,
        "scopes" text[] NOT NULL,
        "pools" text[],
        "secret_hash" bytea NOT NULL,
        "old_secret_hash" bytea,
        "old_secret_until" timestamp with time zone,
        "created_at" timestamp with time zone NOT NULL,
        "created_by" text COLLATE "C",
        "expires_at" timestamp with time zone,
        "revoked_at" timestamp with time zone,
        "last_used_at" timestamp with time zone,
        CONSTRAINT "PK_api_keys" PRIMARY KEY ("id"),
        CONSTRAINT "api_keys_rights" CHECK (cardinality("scopes") > 0 AND ("pools" IS NULL OR cardinality("pools") > 0)),
        CONSTRAINT "api_keys_hashes" CHECK (length("secret_hash") = 32 AND length("old_secret_hash") = 32),
        CONSTRAINT "api_keys_old_secret" CHECK (("old_secret_hash" IS NULL) = ("old_secret_until" IS NULL))
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "api_keys"`);
  }
}
