// Breaks everything around the service while it is used, and proves from the audit and the clients' histories that
// every promise was kept. Usage: npm run chaos -- --help

import { join, relative } from 'node:path';
import { BuiltService } from './built-service.js';
import { check } from './check/check.js';
import { readHistory } from './history.js';
import { runAllMutants } from './mutants/all-mutants.js';
import { readOptions, USAGE, type Options } from './options.js';
import { overload } from './overload/overload.js';
import { report } from './report.js';
import { run } from './run.js';

const HISTORIES = '.data/chaos';

const OVERLOAD = { connections: 5000, factor: 10 };

const say = (line: string): void => console.log(line);

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    say(USAGE);
    return 0;
  }
  const options = readOptions(args);
  if (options.mutants.length > 0) {
    const directory = join(process.cwd(), HISTORIES, `mutants-${options.seed}`);
    return (await runAllMutants({ ...options, directory }, say)) ? 0 : 1;
  }
  if (options.overload) {
    const directory = join(process.cwd(), HISTORIES, 'overload');
    return (await overload({ ...OVERLOAD, seconds: options.seconds, directory, say })) ? 0 : 1;
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

async function judge(file: string): Promise<number> {
  const history = await readHistory(file);
  const findings = check(history);
  for (const line of report(history, findings)) say(line);
  say(`history     ${relative('', file)}`);
  say(findings.length === 0 ? 'Every promise was kept.' : 'Promises were broken.');
  return findings.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
