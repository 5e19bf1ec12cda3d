-- Distributes the tables by pool over the nodes of a Citus cluster: once, on a migrated database, as the owner, while the
-- service is stopped. Read docs/scaling.md first: it was not run here, and one statement has to change before the service can be.
BEGIN;

-- Citus refuses triggers on distributed tables unless told that they look at nothing beyond their own table: ours only refuse.
SET LOCAL citus.enable_unsafe_triggers = on;

-- The rows of one pool stay together: every statement of a command is then one node's.
SELECT create_distributed_table('pools', 'name');
SELECT create_distributed_table('tokens', 'pool', colocate_with => 'pools');
-- With its partitions by time: one level of them is what Citus can distribute.
SELECT create_distributed_table('token_events', 'pool', colocate_with => 'pools');
SELECT create_distributed_table('kept_answers', 'pool', colocate_with => 'pools');

-- Without a pool, small, and read by everybody.
SELECT create_reference_table('api_keys');

COMMIT;
