// Sets for how long the database keeps events. Only the owner of the schema may.

import { Client } from 'pg';
import { KEEP_FOR, KEEP_FOR_EVER } from './retention-statements.js';

/**
 * Sets the retention. Returns false and changes nothing if the URL's role may not set it.
 * @param days at least 1; null keeps events for ever
 * @throws the database's error
 */
export async function keepEventsFor(url: string, days: number | null): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ may: boolean }>(
      `SELECT has_table_privilege('audit_retention', 'UPDATE') AS may`,
    );
    if (!rows[0]!.may) return false;
    await (days === null ? client.query(KEEP_FOR_EVER.text) : client.query(KEEP_FOR.text, [days]));
    return true;
  } finally {
    await client.end();
  }
}
