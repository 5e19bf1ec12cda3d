// What happens to a token between two users: it rests, is cleaned, or is out of service. What is known of that stands in
// a table of its own, so that the rows that every grant rewrites stay narrow. The last release does not know it: the
// check on `upkeep_seq` keeps it from changing anything in a pool that uses it.

import type { MigrationInterface, QueryRunner } from 'typeorm';

const TOKENS = `'activated', 'renewed', 'released', 'expired', 'generated', 'described', 'deleted'`;
const UPKEEP = `'soiled', 'cleaned', 'disabled', 'enabled'`;
const POOLS = `'policy_changed', 'pool_deleted', 'pool_opened', 'queued', 'left', 'promised'`;
const LINE = `'queued', 'left', 'promised'`;

const COLUMNS = `name, kind, life, clock_offset_us, clock_offset_at, size, ttl_seconds, max_lifetime_seconds,
  idle_ttl_seconds, on_exhausted, release_authority, max_per_user, max_per_key, protect_seconds, evict, max_waiting,
  max_waiting_per_user, claim_seconds, patience_seconds`;
const BOUNDS = `
  (NEW.name ~ '^[a-z0-9][a-z0-9-]{0,62}$')
  AND (NEW.kind IN ('fixed', 'elastic', 'listed'))
  AND (NEW.life IN ('live', 'deleting', 'deleted'))
  AND (NEW.clock_offset_us >= 0 AND (NEW.clock_offset_us = 0 OR NEW.clock_offset_at IS NOT NULL))
  AND (NEW.size BETWEEN 1 AND 1000000)
  AND (NEW.ttl_seconds > 0 AND NEW.ttl_seconds <= 31536000)
  AND (NEW.max_lifetime_seconds > 0)
  AND (NEW.idle_ttl_seconds > 0)
  AND (NEW.on_exhausted IN ('evict_oldest', 'reject'))
  AND (NEW.release_authority IN ('anyone', 'holder'))
  AND (NEW.max_per_user BETWEEN 1 AND 1000000)
  AND (NEW.max_per_key BETWEEN 1 AND 1000000)
  AND (NEW.protect_seconds > 0 AND NEW.protect_seconds <= 31536000)
  AND (NEW.evict IN ('oldest', 'over_share_first'))
  AND (NEW.max_waiting BETWEEN 0 AND 100000)
  AND (NEW.max_waiting_per_user BETWEEN 1 AND 100000)
  AND (NEW.claim_seconds > 0 AND NEW.claim_seconds <= 31536000)
  AND (NEW.patience_seconds > 0 AND NEW.patience_seconds <= 31536000)`;
const NEW_BOUNDS = `
  AND (NEW.cooldown_seconds > 0 AND NEW.cooldown_seconds <= 31536000)
  AND (NEW.cooldown_after IN ('always', 'unclean'))
  AND (NEW.after_use IN ('available', 'clean'))
  AND (NEW.clean_within_seconds > 0 AND NEW.clean_within_seconds <= 31536000)
  AND (NEW.max_cleans BETWEEN 1 AND 1000)
  AND (NEW.disable_after_unclean BETWEEN 1 AND 1000)`;

export class BetweenUsers1700000000035 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "pools"
        ADD COLUMN "cooldown_seconds" double precision,
        ADD COLUMN "cooldown_after" text NOT NULL DEFAULT 'always',
        ADD COLUMN "after_use" text NOT NULL DEFAULT 'available',
        ADD COLUMN "clean_within_seconds" double precision,
        ADD COLUMN "max_cleans" integer NOT NULL DEFAULT 3,
        ADD COLUMN "disable_after_unclean" integer,
        ADD COLUMN "upkeep_seq" bigint,
        ADD COLUMN "dirty_count" integer NOT NULL DEFAULT 0,
        ADD COLUMN "disabled_count" integer NOT NULL DEFAULT 0,
        ADD COLUMN "cleaning_count" integer NOT NULL DEFAULT 0`);
    await runner.query(`
      ALTER TABLE "pools" ADD CONSTRAINT "pools_upkeep" CHECK (upkeep_seq = last_seq) NOT VALID`);
    await bound(
      runner,
      `cooldown_seconds, cooldown_after, after_use, clean_within_seconds, max_cleans, disable_after_unclean, status`,
      NEW_BOUNDS,
    );
    await runner.query(`ALTER TABLE "tokens" DROP CONSTRAINT "tokens_status_and_lease_agree"`);
    await runner.query(`
      ALTER TABLE "tokens" ADD CONSTRAINT "tokens_status_and_lease_agree" CHECK (
        (status = 'active' AND user_id IS NOT NULL AND lease_id IS NOT NULL AND fence IS NOT NULL
          AND expires_at IS NOT NULL AND last_activated_at IS NOT NULL AND free_since IS NULL)
        OR (status IN ('available', 'dirty', 'disabled') AND user_id IS NULL AND lease_id IS NULL AND fence IS NULL
          AND expires_at IS NULL AND free_since IS NOT NULL)) NOT VALID`);
    await runner.query(`
      CREATE TABLE "token_upkeep" (
        "pool" text COLLATE "C" NOT NULL,
        "token_id" uuid NOT NULL,
        "dirty_since" timestamptz,
        "rests_until" timestamptz,
        "failed_cleanings" integer NOT NULL DEFAULT 0,
        "unclean_users" uuid[] NOT NULL DEFAULT '{}',
        "disabled_reason" text,
        "disabled_at" timestamptz,
        "disabled_by" text,
        "cleaning_fence" bigint,
        CONSTRAINT "PK_token_upkeep" PRIMARY KEY ("pool", "token_id"),
        CONSTRAINT "token_upkeep_disabled" CHECK (
          (disabled_at IS NULL) = (disabled_reason IS NULL) AND (disabled_at IS NULL) = (disabled_by IS NULL)),
        CONSTRAINT "token_upkeep_cleaning" CHECK (cleaning_fence IS NULL OR dirty_since IS NOT NULL)
      )`);
    await runner.query(`
      CREATE INDEX "token_upkeep_dirty" ON "token_upkeep" ("pool", "dirty_since", "token_id")
        WHERE dirty_since IS NOT NULL`);
    await runner.query(`
      CREATE INDEX "token_upkeep_out" ON "token_upkeep" ("pool", "token_id") WHERE disabled_at IS NOT NULL`);
    await check(runner, `${TOKENS}, ${UPKEEP}, ${POOLS}`, `'generated', 'described', 'deleted', ${UPKEEP}, ${POOLS}`);
  }

  /** Fails once a token was dirty or disabled: the audit forgets nothing. */
  async down(runner: QueryRunner): Promise<void> {
    await check(runner, `${TOKENS}, ${POOLS}`, `'generated', 'described', 'deleted', ${POOLS}`);
    await runner.query(`DROP TABLE "token_upkeep"`);
    await runner.query(`ALTER TABLE "tokens" DROP CONSTRAINT "tokens_status_and_lease_agree"`);
    await runner.query(`
      ALTER TABLE "tokens" ADD CONSTRAINT "tokens_status_and_lease_agree" CHECK (
        (status = 'active' AND user_id IS NOT NULL AND lease_id IS NOT NULL AND fence IS NOT NULL
          AND expires_at IS NOT NULL AND last_activated_at IS NOT NULL AND free_since IS NULL)
        OR (status = 'available' AND user_id IS NULL AND lease_id IS NULL AND fence IS NULL
          AND expires_at IS NULL AND free_since IS NOT NULL))`);
    await bound(runner, 'status', '');
    await runner.query(`
      ALTER TABLE "pools" DROP COLUMN "cooldown_seconds", DROP COLUMN "cooldown_after", DROP COLUMN "after_use",
        DROP COLUMN "clean_within_seconds", DROP COLUMN "max_cleans", DROP COLUMN "disable_after_unclean",
        DROP COLUMN "upkeep_seq", DROP COLUMN "dirty_count", DROP COLUMN "disabled_count",
        DROP COLUMN "cleaning_count"`);
  }
}

/** Makes the trigger anew that holds the bounds of what seldom changes. */
async function bound(runner: QueryRunner, columns: string, bounds: string): Promise<void> {
  await runner.query('DROP TRIGGER pools_in_bounds ON pools');
  await runner.query(`
    CREATE TRIGGER pools_in_bounds AFTER INSERT OR UPDATE OF ${COLUMNS}, ${columns}
    ON pools FOR EACH ROW WHEN (NOT (${BOUNDS}${bounds}
      AND (NEW.status IN ('open', 'paused'))
      AND (NEW.idle_ttl_seconds IS NULL OR NEW.kind = 'elastic')))
    EXECUTE FUNCTION pools_are_in_bounds()`);
}

/** The rows that are there kept a stricter rule, so nobody has to look at them. */
async function check(runner: QueryRunner, events: string, withoutLease: string): Promise<void> {
  await runner.query(`
    ALTER TABLE "token_events" DROP CONSTRAINT "token_events_event", DROP CONSTRAINT "token_events_lease"`);
  await runner.query(`
    ALTER TABLE "token_events"
      ADD CONSTRAINT "token_events_event" CHECK (event IN (${events})) NOT VALID,
      ADD CONSTRAINT "token_events_lease" CHECK (
        (event IN (${withoutLease})) = (fence IS NULL)
        AND (fence IS NULL AND event NOT IN (${LINE})) = (user_id IS NULL)
        AND (fence IS NULL) = (lease_id IS NULL) AND (fence IS NULL) = (activated_at IS NULL)
        AND (fence IS NULL) = (expires_at IS NULL)) NOT VALID`);
}
