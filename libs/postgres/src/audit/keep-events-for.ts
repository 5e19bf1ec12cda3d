// For how long events are kept, as the owner of the schema says it.

import { Client } from 'pg';
import { KEEP_FOR, KEEP_FOR_EVER } from './retention-statements.js';

/**
 * False, and nothing done, as a role that may not say it. @param days null: for ever
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
