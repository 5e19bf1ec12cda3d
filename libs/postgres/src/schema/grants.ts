// Grants the service's role its rights where another role owns the schema. The service may change everything but the
// audit, which it may only read and add to.

import { escapeIdentifier, type Client } from 'pg';

/**
 * Rights on the audit's tables. The service needs none on partitions, which it reads and writes through their table.
 */
const AUDIT: Readonly<Record<string, string>> = {
  token_events: 'SELECT, INSERT',
  event_partitions: 'SELECT',
  migrations: 'SELECT',
  audit_retention: 'SELECT',
  clock_days: 'SELECT',
  event_snapshots:
    'SELECT, INSERT (pool, seq, recorded_at, last_fence, last_eviction_at, token_count, lease_count, hash)',
  event_snapshot_tokens: 'SELECT, INSERT',
};

/** Rights on every other table. */
const OTHERS = 'SELECT, INSERT, UPDATE, DELETE';

/** The role that a URL names, or null if the URL leaves it to the driver. */
export const roleOf = (url: string): string | null => decodeURIComponent(new URL(url).username) || null;

/** @throws Error if the role does not exist */
export async function expectRole(role: string, owner: Client): Promise<void> {
  const { rowCount } = await owner.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0)
    throw new Error(`there is no role ${role}, as which the service is to connect: CREATE ROLE it first`);
}

/**
 * Grants a role the rights that this version needs, and revokes all others.
 * @param owner a connection of the schema's owner
 * @throws the database's error
 */
export async function grantTo(role: string, owner: Client): Promise<void> {
  const to = escapeIdentifier(role);
  const { rows } = await owner.query<{ schema: string; name: string; kind: 'table' | 'partition' | 'function' }>(`
    SELECT n.nspname AS schema, c.relname AS name, CASE WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT n.nspname, p.oid::regprocedure::text, 'function'
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND p.prosecdef`);
  const schema = escapeIdentifier(rows[0]!.schema);
  const statements = [
    // A role that may create objects in the schema could shadow ours in functions that run as the owner.
    `REVOKE CREATE ON SCHEMA ${schema} FROM ${to}, PUBLIC`,
    `GRANT USAGE ON SCHEMA ${schema} TO ${to}`,
    // Default privileges could give the role rights on partitions that are created later.
    `ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM ${to}, PUBLIC`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} REVOKE ALL ON TABLES FROM ${to}, PUBLIC`,
    ...rows.flatMap(({ name, kind }) => {
      if (kind === 'function') {
        return [`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`, `GRANT EXECUTE ON FUNCTION ${name} TO ${to}`];
      }
      const table = `${schema}.${escapeIdentifier(name)}`;
      const revoke = `REVOKE ALL ON ${table} FROM ${to}, PUBLIC`;
      return kind === 'partition' ? [revoke] : [revoke, `GRANT ${AUDIT[name] ?? OTHERS} ON ${table} TO ${to}`];
    }),
  ];
  // One transaction, so that a running service has its rights at every moment.
  await owner.query(`BEGIN; ${statements.join('; ')}; COMMIT`);
}
