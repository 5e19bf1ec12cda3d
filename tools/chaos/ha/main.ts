// Tries the loss of a machine on real parts: PostgreSQL with a standby, PgBouncer, HAProxy and two processes of the
// API, all on this machine. Usage: npm run ha -- --help

import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { afterRestore, createDataSource } from '@app/postgres';
import { BuiltService } from '../../harness/built-service.js';
import { seedOption, wholeOption } from '../../harness/options.js';
import { check } from '../check/check.js';
import type { Finding } from '../check/finding.js';
import { readHistory, type History } from '../history.js';
import { isOk } from '../load/recorder.js';
import { printed } from '../report/printed.js';
import { countOf, summarise } from '../report/summary.js';
import { DUE_TO_LOSS, lostIn } from './lost.js';
import { findParts } from './parts.js';
import type { PostgresNode } from './postgres-node.js';
import { runHa, type Course } from './run.js';

const USAGE = `npm run ha -- [options]
  --short        one loss of the primary, in half a minute
  --async        commits do not wait for the standby, which is 1 s behind when the primary is lost; prints what is lost,
                 runs \`admin after-restore\` on the new primary, and checks that no fence has two grants
  --seconds N    load before and after each loss (5)
  --seed N       seed of the load (random, printed)
  --clients N    concurrent clients (24)
Exit code 75: skipped, parts are missing (Debian: postgresql-15, pgbouncer, haproxy).`;

/** The exit code that CI takes for a skipped step. */
const SKIPPED = 75;
/** The time within which the service must grant again in every pool. */
const SERVED_WITHIN_SECONDS = 15;

const EXAMPLES = 10;

const say = (line: string): void => console.log(line);

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    say(USAGE);
    return 0;
  }
  const { short: isShort, async: isAsync, seconds, seed, clients } = readOptions(args);
  const parts = findParts();
  if ('missing' in parts) {
    say(`skipped: ${parts.missing.join('; ')} not found here`);
    return SKIPPED;
  }
  say(`seed ${seed}; building the service`);
  const service = await BuiltService.build();
  try {
    const began = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
    const directory = join(process.cwd(), '.data/ha', `${began}-${seed}`);
    const options = { parts, main: service.main, directory, seed, seconds, clients, isShort, isAsync, say };
    const { file, courses } = await runHa({ ...options, beforeServing: isAsync ? raise : nothing });
    const history = await readHistory(file);
    const findings = check(history);
    const summary = summarise(history, findings);
    say(printed(summary));
    const times = courses.map((course) => inWords(course, history));
    for (const { line } of times) say(line);
    say(`To check this history again: npm run chaos -- --check ${relative('', file)}`);
    const isGood = isAsync ? isLossKnown(history, findings) : countOf(summary) === 0;
    return isGood && times.every(({ isInTime }) => isInTime) ? 0 : 1;
  } finally {
    service.remove();
  }
}

const nothing = (): Promise<void> => Promise.resolve();

/** Does what `npm run -s admin -- after-restore` does. */
async function raise(primary: PostgresNode): Promise<void> {
  const source = await createDataSource(primary.url, { poolSize: 1 }).initialize();
  try {
    for (const { pool, after_fence, next_fence } of await afterRestore(source, 1_000_000))
      say(`  ${pool}: fence ${after_fence} → ${next_fence}`);
  } finally {
    await source.destroy();
  }
}

/** Whether the loss explains all findings, and no fence has two grants. */
function isLossKnown(history: History, findings: readonly Finding[]): boolean {
  const { grants, twice } = lostIn(history);
  say(`\n${grants.length} answered grants are not in the audit: the standby had not received them`);
  for (const grant of grants.slice(0, EXAMPLES)) say(`  ${grant}`);
  if (grants.length > EXAMPLES) say(`  and ${grants.length - EXAMPLES} more`);
  say(`${twice.length} numbers were given twice`);
  for (const number of twice) say(`  ${number}`);
  const others = findings.filter(({ rule }) => !DUE_TO_LOSS.has(rule));
  say(`${findings.length - others.length} findings are due to that, ${others.length} are not`);
  for (const { rule, what } of others) say(`  ${rule}: ${what}`);
  return twice.length === 0 && others.length === 0;
}

function inWords(
  { name, noticed, pointed }: Course,
  { faults, operations, pools }: History,
): { line: string; isInTime: boolean } {
  const begun = faults.find((fault) => fault.name === name)?.begun ?? 0;
  const grants = operations.filter((one) => one.call.do === 'allocate' && one.sent > begun && isOk(one));
  const served = pools.map(({ setting }) => {
    const first = grants.filter(({ pool }) => pool === setting.name).map(({ answered }) => (answered - begun) / 1e9);
    return Math.min(...first);
  });
  const [first, last] = [Math.min(...served), Math.max(...served)];
  const line =
    `${name}: noticed after ${noticed.toFixed(1)} s, the standby in its place after ${pointed.toFixed(1)} s, ` +
    `first grant after ${first.toFixed(1)} s, one in each pool after ${last.toFixed(1)} s`;
  return { line, isInTime: last <= SERVED_WITHIN_SECONDS };
}

function readOptions(args: readonly string[]): {
  short: boolean;
  async: boolean;
  seconds: number;
  seed: number;
  clients: number;
} {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      async: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      clients: { type: 'string' },
    },
  });
  return {
    short: values.short,
    async: values.async,
    seconds: wholeOption('seconds', values.seconds, values.short ? 3 : 5, 1, 3600),
    seed: seedOption(values.seed),
    clients: wholeOption('clients', values.clients, 24, 1, 1000),
  };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
