// Breaks everything around the service under load, and checks by the audit and the clients' histories that the service
// kept every promise. Usage: npm run chaos -- --help

import { join, relative } from 'node:path';
import { asText } from '../harness/table.js';
import { BuiltService } from '../harness/built-service.js';
import { check } from './check/check.js';
import { readHistory } from './history.js';
import { areAllCaught, runMutants } from './mutants/all-mutants.js';
import { neighbours } from './neighbours/neighbours.js';
import { isShared, neighboursTable } from './neighbours/report.js';
import { readOptions, USAGE, type Options, type Part } from './options.js';
import { overload } from './overload/overload.js';
import { isAsPromised, overloadTables } from './overload/report.js';
import { writePage } from './report/page.js';
import { printed } from './report/printed.js';
import type { ReliabilityResult } from './report/result.js';
import { countOf, summarise } from './report/summary.js';
import { run } from './run.js';
import { ReleasedService, releases } from '../release/released-service.js';
import { isUnnoticed, upgradeTable, verdict } from './upgrade/report.js';
import { upgrade } from './upgrade/upgrade.js';

const HISTORIES = '.data/chaos';

/** The most findings to print; the history has all of them. */
const SHOWN = 20;

const OVERLOAD = { connections: 5000, factor: 10 };

const say = (line: string): void => console.log(line);

interface Outcome {
  readonly isGood: boolean;
  readonly result: ReliabilityResult;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    say(USAGE);
    return 0;
  }
  const options = readOptions(args);
  let isGood = true;
  for (const part of options.parts) {
    const outcome = await DO[part](options);
    isGood &&= outcome.isGood;
    // Writes the page after each part, since the next one may be interrupted.
    if (options.page) await writePage(outcome.result);
  }
  if (options.page && options.parts.length === 0) await writePage({});
  return isGood ? 0 : 1;
}

const DO: Record<Part, (options: Options) => Promise<Outcome>> = {
  check: ({ check: file }) => judge(file),
  run: async (options) => judge(await runOnce(options)),
  mutants: async ({ seconds, seed, mutants: names }) => {
    say(`\nbroken services, each under load for ${seconds.mutants} s`);
    const directory = join(process.cwd(), HISTORIES, `mutants-${seed}`);
    const mutants = await runMutants(names, { seed, seconds: seconds.mutants, directory }, say);
    return { isGood: areAllCaught(mutants), result: { mutants } };
  },
  overload: async ({ seconds }) => {
    say(`\nmore than can be served, ${seconds.overload} s each`);
    const directory = join(process.cwd(), HISTORIES, 'overload');
    const result = await overload({ ...OVERLOAD, seconds: seconds.overload, directory, say });
    for (const table of overloadTables(result)) say(`\n${asText(table)}`);
    return { isGood: isAsPromised(result), result: { overload: result } };
  },
  neighbours: async ({ seconds, attacks }) => {
    say(`\none key beside the attacks of another, rounds of ${seconds.neighbours} s`);
    const directory = join(process.cwd(), HISTORIES, 'neighbours');
    const result = await neighbours({ attacks, seconds: seconds.neighbours, directory, say });
    say(`\n${asText(neighboursTable(result))}`);
    return { isGood: isShared(result), result: { neighbours: result } };
  },
  upgrade: async (options) => ({ isGood: await upgradeOnce(options), result: {} }),
};

/** Upgrades from the last release to this version, and back. */
async function upgradeOnce({ seed, seconds, clients }: Options): Promise<boolean> {
  const released = await ReleasedService.unpack(releases().at(-1) as string);
  say(`\nrolling restart from ${released.version} to this version and back; building the service`);
  const service = await BuiltService.build();
  try {
    const result = await upgrade({
      from: { name: released.version, main: released.main },
      to: { name: 'this version', main: service.main },
      quietMs: seconds.upgrade * 1000,
      clients,
      backAgain: Infinity,
      seed,
      directory: join(process.cwd(), HISTORIES, `upgrade-${seed}`),
      say,
    });
    say(`\n${asText(upgradeTable(result))}\n`);
    for (const what of [...result.failed, ...result.findings].slice(0, SHOWN)) say(`  ${what}`);
    say(verdict(result));
    return isUnnoticed(result);
  } finally {
    service.remove();
    released.remove();
  }
}

async function runOnce(options: Options): Promise<string> {
  const { seed, auth } = options;
  const seconds = options.seconds.run;
  say(`seed ${seed}, ${seconds} s, AUTH=${auth}; building the service`);
  const service = await BuiltService.build();
  try {
    const began = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
    const directory = join(process.cwd(), HISTORIES, `${began}-${seed}`);
    return await run({ ...options, seconds, main: service.main, directory, say });
  } finally {
    service.remove();
  }
}

async function judge(file: string): Promise<Outcome> {
  const history = await readHistory(file);
  const summary = summarise(history, check(history));
  say(printed(summary));
  say(`To check this history again: npm run chaos -- --check ${relative('', file)}`);
  return { isGood: countOf(summary) === 0, result: { run: summary } };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
