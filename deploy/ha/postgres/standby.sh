#!/bin/sh
# The standby: its first start copies the primary, later ones go on with what is there.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA"
  # The name by which the primary waits for it.
  PGPASSWORD=$REPLICATION_PASSWORD pg_basebackup --pgdata="$PGDATA" --checkpoint=fast --write-recovery-conf \
    --dbname='host=ha-primary user=replicator application_name=standby'
fi

# It takes no connections before it is promoted: so whoever answers is the primary, and haproxy need not ask which it is.
exec postgres -c hot_standby=off
