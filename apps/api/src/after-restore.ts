// A job by itself, after the database was put back to an earlier state and before anybody works on it: sees to it that no
// number of a grant or an event is given a second time. Usage: DATABASE_URL=… npm run db:after-restore [-- --margin N]

import { parseArgs } from 'node:util';
import { afterRestore, createDataSource } from '@app/postgres';
import { readConfig } from './config.js';

const MARGIN = 1_000_000;
const MOST = 1_000_000_000_000;

try {
  const url = process.env['MIGRATION_DATABASE_URL'] ?? readConfig(process.env).databaseUrl;
  if (url === undefined) throw new Error('DATABASE_URL must name the database that was restored');
  const margin = readMargin();
  const source = await createDataSource(url, { poolSize: 1 }).initialize();
  try {
    for (const { pool, after_seq, next_seq, after_fence, next_fence, isAgain } of await afterRestore(source, margin)) {
      const again = isAgain ? ' (nothing was written since they were raised before: it is safe to do it again)' : '';
      console.log(`${pool}: seq ${after_seq} → ${next_seq}, fence ${after_fence} → ${next_fence}${again}`);
    }
  } finally {
    await source.destroy();
  }
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  console.error(`stopped, and may be run again: ${message || code}`);
  process.exitCode = 1;
}

function readMargin(): number {
  const { margin } = parseArgs({ options: { margin: { type: 'string' } } }).values;
  if (margin === undefined) return MARGIN;
  const value = /^[1-9]\d{0,12}$/.test(margin) ? Number(margin) : NaN;
  if (value <= MOST) return value;
  throw new Error(`--margin is ${JSON.stringify(margin)}; allowed is a whole number from 1 to ${MOST}`);
}
