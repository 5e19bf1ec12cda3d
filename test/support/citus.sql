-- Stand-ins of Citus' functions for a PostgreSQL without it: they note what they are told, and refuse what Citus refuses.
-- What that is: github.com/citusdata/citus, src/backend/distributed/commands/ create_distributed_table.c
-- (EnsureRelationCanBeDistributed), table.c (ErrorIfUnsupportedConstraint), foreign_constraint.c, sequence.c and function.c,
-- and docs.citusdata.com, "Creating and Modifying Distributed Objects" and "Common Error Messages". Queries are not planned.

CREATE SCHEMA citus;

-- distribution_column is null for a reference table.
CREATE TABLE citus.tables (name regclass PRIMARY KEY, distribution_column text, colocated_with regclass);
CREATE TABLE citus.functions (name regprocedure PRIMARY KEY, colocated_with regclass);

CREATE FUNCTION citus.with_partitions(given regclass) RETURNS SETOF regclass LANGUAGE sql
AS 'SELECT given UNION SELECT relid FROM pg_partition_tree(given)';

-- What is asked of either kind of table.
CREATE FUNCTION citus.check_table(given regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  bad text;
BEGIN
  IF EXISTS (SELECT FROM citus.tables WHERE name = given) THEN
    RAISE EXCEPTION 'table "%" is already distributed', given;
  END IF;
  IF (SELECT relkind NOT IN ('r', 'p') FROM pg_class WHERE oid = given) THEN
    RAISE EXCEPTION '"%" is not a regular or partitioned table', given;
  END IF;
  SELECT t.tgname INTO bad FROM pg_trigger t
  WHERE t.tgrelid IN (SELECT citus.with_partitions(given)) AND NOT t.tgisinternal;
  IF FOUND AND NOT coalesce(current_setting('citus.enable_unsafe_triggers', true)::boolean, false) THEN
    RAISE EXCEPTION 'cannot distribute relation "%" because it has triggers', given;
  END IF;
  SELECT a.attname INTO bad FROM pg_attribute a
  WHERE a.attrelid = given AND a.attidentity <> '' AND a.atttypid <> 'bigint'::regtype;
  IF FOUND THEN
    RAISE EXCEPTION 'cannot complete operation on % with smallint/int identity column', given;
  END IF;
END $$;

-- Of the table that it is called for and of those that it is called for later: each key once both ends are known.
CREATE FUNCTION citus.check_foreign_keys(given regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  key record;
BEGIN
  FOR key IN
    SELECT c.conname, c.contype, f.name AS referencing, t.name AS referenced, f.colocated_with, f.distribution_column,
      t.colocated_with AS referenced_group, EXISTS (
        SELECT FROM unnest(c.conkey, c.confkey) AS k (referencing, referenced)
        JOIN pg_attribute fa ON fa.attrelid = c.conrelid AND fa.attnum = k.referencing
        JOIN pg_attribute ta ON ta.attrelid = c.confrelid AND ta.attnum = k.referenced
        WHERE fa.attname = f.distribution_column AND ta.attname = t.distribution_column) AS is_by_distribution_column
    FROM pg_constraint c LEFT JOIN citus.tables f ON f.name = c.conrelid LEFT JOIN citus.tables t ON t.name = c.confrelid
    WHERE c.contype = 'f' AND given IN (c.conrelid, c.confrelid)
  LOOP
    IF key.referencing IS NULL OR key.referenced IS NULL THEN
      RAISE EXCEPTION 'foreign key "%" ties a distributed or reference table to a local table', key.conname;
    ELSIF key.referenced_group IS NULL THEN
      CONTINUE; -- to a reference table
    ELSIF key.colocated_with IS NULL THEN
      RAISE EXCEPTION 'foreign key "%" is from a reference table to a distributed table', key.conname;
    ELSIF key.colocated_with <> key.referenced_group OR NOT key.is_by_distribution_column THEN
      RAISE EXCEPTION 'foreign key "%" is not by the distribution column of co-located tables', key.conname;
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION citus.create_distributed_table(
  table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default'
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  key pg_attribute;
  other pg_attribute;
  leader regclass := table_name;
  bad text;
BEGIN
  PERFORM citus.check_table(table_name);
  IF (SELECT relispartition FROM pg_class WHERE oid = table_name) THEN
    RAISE EXCEPTION 'cannot distribute relation "%" which is a partition: distribute the partitioned table', table_name;
  END IF;
  IF EXISTS (SELECT FROM pg_partition_tree(table_name) WHERE level > 0 AND NOT isleaf) THEN
    RAISE EXCEPTION 'distributing multi-level partitioned tables is not supported: "%"', table_name;
  END IF;
  SELECT * INTO key FROM pg_attribute WHERE attrelid = table_name AND attname = distribution_column AND attnum > 0;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'column "%" of relation "%" does not exist', distribution_column, table_name;
  END IF;
  -- Refused by Citus with the first such row rather than here.
  IF NOT key.attnotnull THEN
    RAISE EXCEPTION 'the distribution column "%" of "%" may be null', distribution_column, table_name;
  END IF;
  IF key.attgenerated <> '' THEN
    RAISE EXCEPTION 'the distribution column of "%" must not be generated', table_name;
  END IF;

  SELECT i.indexrelid::regclass::text INTO bad FROM pg_index i
  LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'x'
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = distribution_column
  WHERE i.indrelid IN (SELECT citus.with_partitions(table_name)) AND (i.indisunique OR i.indisexclusion) AND NOT EXISTS (
    SELECT FROM generate_series(1, i.indnkeyatts) place
    WHERE i.indkey[place - 1] = a.attnum AND (
      i.indisunique OR (SELECT oprname = '=' FROM pg_operator WHERE oid = c.conexclop[place])));
  IF FOUND THEN
    RAISE EXCEPTION 'cannot create constraint on "%": "%" does not include the partition column (with an equality operator if EXCLUDE)',
      table_name, bad;
  END IF;

  IF colocate_with = 'default' THEN
    leader := coalesce((
      SELECT t.name FROM citus.tables t JOIN pg_attribute a ON a.attrelid = t.name AND a.attname = t.distribution_column
      WHERE t.name = t.colocated_with AND a.atttypid = key.atttypid LIMIT 1), table_name);
  ELSIF colocate_with <> 'none' THEN
    SELECT t.colocated_with INTO leader FROM citus.tables t WHERE t.name = colocate_with::regclass;
    IF leader IS NULL THEN
      RAISE EXCEPTION 'cannot colocate "%" with "%", which is not a distributed table', table_name, colocate_with;
    END IF;
    SELECT a.* INTO other FROM citus.tables t
    JOIN pg_attribute a ON a.attrelid = t.name AND a.attname = t.distribution_column WHERE t.name = leader;
    IF (key.atttypid, key.attcollation) <> (other.atttypid, other.attcollation) THEN
      RAISE EXCEPTION 'cannot colocate tables % and %: distribution column types or collations do not match', leader, table_name;
    END IF;
  END IF;
  INSERT INTO citus.tables VALUES (table_name, distribution_column, leader);
  PERFORM citus.check_foreign_keys(table_name);
END $$;

CREATE FUNCTION citus.create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM citus.check_table(table_name);
  IF (SELECT relkind = 'p' OR relispartition FROM pg_class WHERE oid = table_name) THEN
    RAISE EXCEPTION 'partitioned tables are only distributed by hash: "%"', table_name;
  END IF;
  INSERT INTO citus.tables VALUES (table_name, NULL, NULL);
  PERFORM citus.check_foreign_keys(table_name);
END $$;

CREATE FUNCTION citus.create_distributed_function(
  function_name regprocedure, distribution_arg_name text, colocate_with text DEFAULT 'default',
  force_delegation boolean DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  place integer;
  types oid[];
  names text[];
BEGIN
  SELECT proargtypes::oid[], proargnames INTO types, names FROM pg_proc WHERE oid = function_name;
  -- A vector of types begins at 0, their list at 1.
  place := CASE WHEN distribution_arg_name ~ '^\$\d+$' THEN substr(distribution_arg_name, 2)::integer
    ELSE array_position(names, distribution_arg_name) END;
  IF place IS NULL OR place NOT BETWEEN 1 AND coalesce(cardinality(types), 0) THEN
    RAISE EXCEPTION 'cannot distribute the function "%" since the distribution argument is not valid', function_name;
  END IF;
  IF NOT EXISTS (SELECT FROM citus.tables WHERE name = colocate_with::regclass AND distribution_column IS NOT NULL) THEN
    RAISE EXCEPTION 'cannot colocate function "%" with "%", which is not a distributed table', function_name, colocate_with;
  END IF;
  IF NOT EXISTS (
    SELECT FROM citus.tables t JOIN pg_attribute a ON a.attrelid = t.name AND a.attname = t.distribution_column
    WHERE t.name = colocate_with::regclass AND a.atttypid = types[place - 1]) THEN
    RAISE EXCEPTION 'cannot colocate function "%" and table "%" because distribution column types do not match',
      function_name, colocate_with;
  END IF;
  INSERT INTO citus.functions VALUES (function_name, colocate_with::regclass);
END $$;

-- There is one node.
CREATE FUNCTION citus.run_command_on_all_nodes(
  command text, parallel boolean DEFAULT true, OUT nodeid integer, OUT success boolean, OUT result text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN QUERY SELECT 1, true, ''::text;
END $$;
