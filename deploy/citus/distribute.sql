-- Distributes the tables by pool over the nodes of a Citus cluster (12 or later): once, on a migrated database, as the
-- owner, while the service is stopped, by `psql -v ON_ERROR_STOP=1 -f`. It was not run on Citus:
-- test/deploy/citus.spec.ts runs it against stand-ins of the functions of Citus, which refuse what its sources refuse.
-- Read docs/scaling.md first.

-- Citus refuses triggers on distributed tables unless told that they look at nothing beyond their own table: ours only
-- refuse. On every node and for later sessions too, for each month's partition has one.
DO $$ BEGIN
  IF EXISTS (
    SELECT FROM run_command_on_all_nodes(
      format('ALTER DATABASE %I SET citus.enable_unsafe_triggers = on', current_database()), parallel => false)
    WHERE NOT success) THEN
    RAISE EXCEPTION 'a node did not take citus.enable_unsafe_triggers';
  END IF;
END $$;

BEGIN;

SET LOCAL citus.enable_unsafe_triggers = on;

-- The rows of one pool stay together: every statement of a command is then one node's.
SELECT create_distributed_table('pools', 'name', colocate_with => 'none');
SELECT create_distributed_table('tokens', 'pool', colocate_with => 'pools');
-- With its partitions by time: one level of them is what Citus can distribute.
SELECT create_distributed_table('token_events', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('kept_answers', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('restores', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('event_snapshots', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('event_snapshot_tokens', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('things', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('thing_secrets', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('tickets', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('token_upkeep', 'pool', colocate_with => 'pools');

-- Without a pool, small, and read by everybody.
SELECT create_reference_table('api_keys');

-- What a transaction changes, as Citus can send it to the pool's node in one go: the statement `save_slice`
-- (libs/postgres/src/commands/statements.ts, with the same parameters) inserts inside of WITH and finds rows by ctid.
CREATE FUNCTION save_slice(
  text, boolean[], uuid[], uuid[], uuid[], bigint[], bigint[], bigint[], bigint[], uuid[],
  uuid[], uuid[], text[], text[], bigint[], uuid[], bigint[], uuid[], bigint[], bigint[], jsonb[],
  bigint, bigint, integer, integer, bigint, text[], text[], text[], text[], bigint[], bigint[], bytea,
  text[], text[], boolean[], bigint[], uuid[], text[]
) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  recorded_now timestamptz := timestamptz 'epoch' + $26 * interval '1 microsecond';
  changed bigint := 0;
  done bigint;
BEGIN
  -- Materialized, so that the sums of instants do not end up in SET, where Citus wants nothing that is only STABLE.
  WITH touched AS MATERIALIZED (
    SELECT id, CASE WHEN fence IS NULL THEN coalesce(kept_back, 'available') ELSE 'active' END AS status, user_id, lease_id, key_id, fence, holder,
      CASE WHEN holder IS NOT NULL THEN fence END AS holder_fence,
      timestamptz 'epoch' + activated * interval '1 microsecond' AS activated_at,
      timestamptz 'epoch' + expires * interval '1 microsecond' AS expires_at,
      timestamptz 'epoch' + free * interval '1 microsecond' AS free_since, coalesce(leaving, false) AS leaving,
      timestamptz 'epoch' + hard_end * interval '1 microsecond' AS hard_end_at, offered_to,
      CASE WHEN hard_end IS NOT NULL OR offered_to IS NOT NULL THEN fence END AS line_fence
    FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $27, $34, $36, $37, $38, $39)
      AS t (is_new, id, user_id, lease_id, fence, activated, expires, free, key_id, holder, leaving, hard_end, offered_to,
        kept_back)
    WHERE NOT is_new
  )
  UPDATE tokens SET status = t.status, user_id = t.user_id, lease_id = t.lease_id, key_id = t.key_id, fence = t.fence,
    holder = t.holder, holder_fence = t.holder_fence, last_activated_at = t.activated_at, expires_at = t.expires_at, free_since = t.free_since,
    leaving = t.leaving, hard_end_at = t.hard_end_at, offered_to = t.offered_to, line_fence = t.line_fence
  FROM touched t WHERE tokens.pool = $1 AND tokens.id = t.id;
  GET DIAGNOSTICS done = ROW_COUNT;
  changed := changed + done;

  INSERT INTO tokens (pool, id, status, user_id, lease_id, key_id, holder, holder_fence, fence, last_activated_at,
    expires_at, free_since, hard_end_at, offered_to, line_fence)
  SELECT $1, id, CASE WHEN fence IS NULL THEN coalesce(kept_back, 'available') ELSE 'active' END, user_id, lease_id, key_id, holder,
    CASE WHEN holder IS NOT NULL THEN fence END, fence,
    timestamptz 'epoch' + activated * interval '1 microsecond', timestamptz 'epoch' + expires * interval '1 microsecond',
    timestamptz 'epoch' + free * interval '1 microsecond', timestamptz 'epoch' + hard_end * interval '1 microsecond',
    offered_to, CASE WHEN hard_end IS NOT NULL OR offered_to IS NOT NULL THEN fence END
  FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $27, $34, $37, $38, $39)
    AS t (is_new, id, user_id, lease_id, fence, activated, expires, free, key_id, holder, hard_end, offered_to, kept_back)
  WHERE is_new;
  GET DIAGNOSTICS done = ROW_COUNT;
  changed := changed + done;

  DELETE FROM tokens WHERE pool = $1 AND id = ANY ($10);
  GET DIAGNOSTICS done = ROW_COUNT;
  changed := changed + done;

  IF changed <> cardinality($3) + cardinality($10) THEN
    RAISE EXCEPTION 'pool %: % of % tokens are there to be changed', $1, changed, cardinality($3) + cardinality($10);
  END IF;

  INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence,
    lease_id, activated_at, expires_at, metadata, key_id, actor, request_id, tokens_after, leases_after, hash, holder)
  SELECT $1, $22 - cardinality($11) + place, id, token_id, event, reason,
    timestamptz 'epoch' + occurred * interval '1 microsecond', recorded_now, user_id, fence, lease_id,
    timestamptz 'epoch' + activated * interval '1 microsecond', timestamptz 'epoch' + expires * interval '1 microsecond',
    metadata, key_id, actor, request_id, tokens_after, leases_after, substr($33, 32 * place::int - 31, 32), holder
  FROM unnest($11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $28, $29, $30, $31, $32, $35)
    WITH ORDINALITY
    AS e (id, token_id, event, reason, occurred, user_id, fence, lease_id, activated, expires, metadata, key_id,
      actor, request_id, tokens_after, leases_after, holder, place);

  UPDATE pools SET last_seq = $22, last_fence = $23, line_fence = $23, token_count = $24, thing_count = CASE WHEN kind = 'listed' THEN $24 ELSE 0 END, lease_count = $25, last_at = recorded_now,
    last_hash = substr($33, length($33) - 31), hashed_seq = $22,
    upkeep_seq = CASE WHEN upkeep_seq IS NOT NULL THEN $22 END
  WHERE name = $1;
END $$;

-- Inside of a transaction Citus delegates a call only if it is forced to; then every statement must be of that pool.
SELECT create_distributed_function(
  'save_slice(text, boolean[], uuid[], uuid[], uuid[], bigint[], bigint[], bigint[], bigint[], uuid[],
    uuid[], uuid[], text[], text[], bigint[], uuid[], bigint[], uuid[], bigint[], bigint[], jsonb[],
    bigint, bigint, integer, integer, bigint, text[], text[], text[], text[], bigint[], bigint[], bytea,
    text[], text[], boolean[], bigint[], uuid[], text[])',
  '$1', colocate_with => 'pools', force_delegation => true);

COMMIT;
