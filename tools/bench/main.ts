// The bench: measures the service side by side with what bounds it, and writes docs/benchmarks.md.
// Usage: npm run bench -- --help

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Resources } from './resources.js';
import type { Bench } from './bench.js';
import { openCluster } from './cluster.js';
import { readOptions, USAGE, type Options } from './options.js';
import { keptResult, writePage } from './report/page.js';
import { printed } from './report/printed.js';
import { isGross, reach } from './reach.js';
import { about, beginning, type BenchResult, type Results, type SectionName } from './result.js';
import { measureAudit } from './sections/audit.js';
import { measureHttp } from './sections/http.js';
import { measureLine } from './sections/line.js';
import { measureProcess } from './sections/process.js';
import { measureRelease } from './sections/release.js';
import { measureScale } from './sections/scale.js';
import { measureSoak } from './sections/soak.js';
import { measureSweep } from './sections/sweep.js';
import { measureThings } from './sections/things.js';
import { serve } from './serve.js';

const MEASURE: { [Name in SectionName]: (bench: Bench) => Promise<Results[Name]> } = {
  http: measureHttp,
  process: measureProcess,
  release: measureRelease,
  scale: measureScale,
  sweep: measureSweep,
  audit: measureAudit,
  soak: measureSoak,
  things: measureThings,
  line: measureLine,
};

if (process.argv[2] === 'serve') await serve(process.argv[3] ?? '');
else if (process.argv.includes('--help')) console.log(USAGE);
else await run(readOptions(process.argv.slice(2)));

async function run(options: Options): Promise<void> {
  if (options.isPageOnly) return writePage(keptResult());
  const resources = new Resources();
  const begun = performance.now();
  const say = (what: string): void => {
    console.log(`${((performance.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${what}`);
  };
  try {
    const result = await measured(options, resources, say);
    console.log(printed(result));
    if (!options.isShort) await writePage({ ...keptResult(), ...result });
    for (const { what, value, typical, bound, gross } of reach(result).filter(isGross)) {
      const judged = typical === undefined ? `${value}` : `${value}, at the median ${typical}`;
      console.error(`gross regression: ${what} is ${judged}, must be ${bound} ${gross}`);
      process.exitCode = 1;
    }
  } finally {
    await resources.end();
  }
}

async function measured(options: Options, resources: Resources, say: (what: string) => void): Promise<BenchResult> {
  const { isShort, only, rounds } = options;
  const cluster = await openCluster(process.env['DATABASE_URL'], resources);
  const folder = mkdtempSync(join(tmpdir(), 'token-pool-bench-logs-'));
  resources.add(() => rmSync(folder, { recursive: true, force: true }));
  const logFile = (name: string): string => join(folder, `${name}.log`);
  const result: Record<string, unknown> = {};
  for (const name of only) {
    say(`— ${name} —`);
    const start = beginning();
    const bench = { isShort, rounds, cluster, resources, say, logFile };
    result[name] = { result: await MEASURE[name](bench), about: about(start, cluster, rounds, isShort) };
  }
  return result;
}
