// The auditor on the command line: reads every pool of a database, or those named, and says all that is wrong.
// Usage: DATABASE_URL=postgres://… npm run audit [-- POOL…]   Exit code 1: something is wrong; 2: it could not be told.

import { auditPool, DomainError } from '@app/tokens';
import { createDataSource, PostgresTokenReader } from '@app/tokens-postgres';

const url = process.env['DATABASE_URL'];
if (!url) {
  console.error('DATABASE_URL must name the database to audit, such as postgres://user:password@localhost:5432/tokens');
  process.exit(2);
}

const source = createDataSource(url, { poolSize: 2 });
try {
  await source.initialize();
  const reader = new PostgresTokenReader(source);
  const named = process.argv.slice(2);
  const pools = named.length > 0 ? named : (await reader.pools()).map(({ name }) => name);
  for (const pool of pools) if (!(await isSound(reader, pool))) process.exitCode = 1;
} catch (error) {
  const { message, code } = error as Error & { code?: string };
  console.error(`The audit stopped: ${error instanceof DomainError || message ? message : code}`);
  process.exitCode = 2;
} finally {
  if (source.isInitialized) await source.destroy();
}

async function isSound(reader: PostgresTokenReader, pool: string): Promise<boolean> {
  const started = performance.now();
  const { last_seq, tokens, open_leases, findings, is_sound } = await auditPool(reader, pool, (events, ofEvents) =>
    progress(`${pool}: ${events} of ${ofEvents} events`, events % 250_000 === 0),
  );
  progress('', false);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = is_sound
    ? '✔ every rule was kept, and the tables are what the events say'
    : `✘ ${findings.length} findings`;
  console.log(`${pool}: ${last_seq} events, ${tokens} tokens, ${open_leases} open leases, ${seconds} s: ${verdict}`);
  for (const finding of findings) console.log(`  ${finding}`);
  return is_sound;
}

/** In a terminal on one line that is written over; elsewhere a line of its own for what is a milestone. */
function progress(text: string, isMilestone: boolean): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (isMilestone) process.stderr.write(`${text}\n`);
}
