#!/bin/sh
# Run once by the image, on the primary's new and empty data: the roles, the database, and the standby's right to copy it.
set -eu

# Locally: the primary waits for its standby at every commit, and there is none before this has ended.
export PGOPTIONS='-c synchronous_commit=local'
psql --username="$POSTGRES_USER" --dbname=postgres --set=ON_ERROR_STOP=1 --no-psqlrc --quiet \
  --set=owner_password="$OWNER_PASSWORD" --set=app_password="$APP_PASSWORD" \
  --set=replication_password="$REPLICATION_PASSWORD" <<'SQL'
CREATE ROLE tokens_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE tokens LOGIN PASSWORD :'app_password';
CREATE ROLE replicator REPLICATION LOGIN PASSWORD :'replication_password';
CREATE DATABASE tokens OWNER tokens_owner;
REVOKE ALL ON DATABASE tokens FROM PUBLIC;
-- What the service may do with each table the migration grants, no default: it would be given later partitions of the audit, too.
GRANT CONNECT ON DATABASE tokens TO tokens;
SQL

echo 'host replication replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
