// Run this after a restore of the database, before any process uses it. It raises the counters of fences and events, so
// that no number is given twice.

import { afterRestore as raiseNumbers, createDataSource } from '@app/postgres';
import { readArguments, refuseExcess, type Command } from './command.js';
import { ownersUrl } from './environment.js';
import { UsageError } from './usage-error.js';

const MARGIN = 1_000_000;
const MOST = 1_000_000_000_000;

const HELP = `Usage: DATABASE_URL=postgres://… npm run -s admin -- after-restore [--margin N]

Raises seq and fence of every pool past all that was given before the restore, and records that it did. It may be run again.

  --margin N  by how much (${MARGIN}): more than was given since the state that was restored`;

export const afterRestore: Command = {
  summary: 'raises seq and fence after a restore, so that none is given twice',
  help: HELP,
  async run(args) {
    const { values, positionals } = readArguments(args, { margin: { type: 'string', default: String(MARGIN) } });
    refuseExcess(positionals);
    const margin = marginOf(values.margin);
    const source = await createDataSource(ownersUrl(), { poolSize: 1 }).initialize();
    try {
      for (const { pool, after_seq, next_seq, after_fence, next_fence, isAgain } of await raiseNumbers(
        source,
        margin,
      )) {
        const again = isAgain ? ' (nothing was written since they were raised before: it is safe to do it again)' : '';
        console.log(`${pool}: seq ${after_seq} → ${next_seq}, fence ${after_fence} → ${next_fence}${again}`);
      }
    } finally {
      await source.destroy();
    }
    return 0;
  },
};

function marginOf(text: string): number {
  const value = /^[1-9]\d{0,12}$/.test(text) ? Number(text) : NaN;
  if (value <= MOST) return value;
  throw new UsageError(`--margin is ${JSON.stringify(text)}; allowed is a whole number from 1 to ${MOST}`);
}
