// Breaks everything around the service while it is used, and proves from the audit and the clients' histories that
// every promise was kept. Usage: npm run chaos -- --help

import { join, relative } from 'node:path';
import { asText } from '../../bench/src/report/table.js';
import { BuiltService } from './built-service.js';
import { check } from './check/check.js';
import { readHistory } from './history.js';
import { areAllCaught, runMutants } from './mutants/all-mutants.js';
import { readOptions, USAGE, type Options } from './options.js';
import { overload } from './overload/overload.js';
import { isAsPromised, overloadTables } from './overload/report.js';
import { writePage } from './report/page.js';
import { printed } from './report/printed.js';
import type { ReliabilityResult } from './report/result.js';
import { countOf, summarise } from './report/summary.js';
import { run } from './run.js';

const HISTORIES = '.data/chaos';

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
  const { isGood, result } = options.isPageOnly ? { isGood: true, result: {} } : await outcomeOf(options);
  if (options.page) await writePage(result);
  return isGood ? 0 : 1;
}

async function outcomeOf(options: Options): Promise<Outcome> {
  const { mutants: names, seed } = options;
  if (names.length > 0) {
    const directory = join(process.cwd(), HISTORIES, `mutants-${seed}`);
    const mutants = await runMutants(names, { ...options, directory }, say);
    return { isGood: areAllCaught(mutants), result: { mutants } };
  }
  if (options.overload) {
    const directory = join(process.cwd(), HISTORIES, 'overload');
    const result = await overload({ ...OVERLOAD, seconds: options.seconds, directory, say });
    for (const table of overloadTables(result)) say(`\n${asText(table)}`);
    return { isGood: isAsPromised(result), result: { overload: result } };
  }
  return judge(options.check ?? (await runOnce(options)));
}

async function runOnce(options: Options): Promise<string> {
  const { seed, seconds } = options;
  say(`seed ${seed}, ${seconds} s; building the service`);
  const service = await BuiltService.build();
  try {
    const began = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
    const directory = join(process.cwd(), HISTORIES, `${began}-${seed}`);
    return await run({ ...options, main: service.main, directory, say });
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
