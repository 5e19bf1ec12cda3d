// The database's clock, movable: the past is made, not waited for. PostgreSQL looks functions up along the
// search_path, so a function of the same name before pg_catalog takes the place of clock_timestamp().

import { Client } from 'pg';

export interface MovableClock {
  /** Moves the clock of everything that connects after `installClock`, by seconds; back when negative. */
  advance(seconds: number): Promise<void>;
  /** Moves it forward as soon as it has been read some times more, so between two statements of a transaction. */
  advanceAfter(readings: number, seconds: number): Promise<void>;
  /**
   * Moves the clock forward to the middle of the last month of the first partition of events, at noon. So no test
   * depends on the day of the month, also when it goes on by 31 days for a year, and none runs over midnight.
   */
  toMiddleOfMonth(): Promise<void>;
}

/** Before the first connection of whatever is to see it. */
export async function installClock(url: string): Promise<MovableClock> {
  const database = new URL(url).pathname.slice(1);
  await run(
    url,
    `CREATE SCHEMA clock;
     CREATE TABLE clock.shift (by interval NOT NULL);
     INSERT INTO clock.shift VALUES ('0');
     CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
       AS 'SELECT pg_catalog.clock_timestamp() + by FROM clock.shift';
     ALTER DATABASE "${database}" SET search_path = clock, pg_catalog, public;`,
  );
  return {
    advance: (seconds) => run(url, `UPDATE clock.shift SET by = by + ${Number(seconds)} * interval '1 second'`),
    advanceAfter: (readings, seconds) =>
      run(
        url,
        `CREATE SEQUENCE IF NOT EXISTS clock.readings;
         SELECT setval('clock.readings', 1, false);
         CREATE OR REPLACE FUNCTION clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
           AS $$SELECT pg_catalog.clock_timestamp() + by + CASE WHEN nextval('clock.readings') > ${Number(readings)}
             THEN ${Number(seconds)} ELSE 0 END * interval '1 second' FROM clock.shift$$;`,
      ),
    toMiddleOfMonth: () =>
      run(
        url,
        `UPDATE clock.shift SET by = ends_at - interval '468 hours' - pg_catalog.clock_timestamp()
         FROM event_partitions WHERE begins_at IS NULL`,
      ),
  };
}

async function run(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
