// docs/reliability.md: an introduction that people write, and below its mark the results, made of result.json.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rounded, writeFormatted } from '../../../bench/src/report/formatted.js';
import { asMarkdown } from '../../../bench/src/report/table.js';
import type { About } from '../about.js';
import { mutantsTable } from '../mutants/all-mutants.js';
import { overloadTables } from '../overload/report.js';
import { courseOf } from './course.js';
import type { ReliabilityResult } from './result.js';
import { countOf, type RunSummary } from './summary.js';
import { tablesOf } from './tables.js';

const PAGE = 'docs/reliability.md';
const FOLDER = 'docs/reliability';
const RESULT = join(FOLDER, 'result.json');
const MARK = '<!-- Below this line everything is written by `npm run chaos -- --page`. -->';

/** Of a long run the beginning is shown larger. */
const CLOSE_UP_SECONDS = 60;

/** Keeps what is new beside what is there, and makes the page anew. */
export async function writePage(news: ReliabilityResult): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const result: ReliabilityResult = { ...keptResult(), ...news };
  await writeFormatted(RESULT, JSON.stringify(result, rounded), 'json');
  const { run, mutants, overload } = result;
  const sections = [
    ...(run ? ['## The last run', ...runSection(run)] : []),
    ...(overload ? ['## Overload', told(overload.about), ...overloadTables(overload).map(asMarkdown)] : []),
    ...(mutants ? ['## Mutants', told(mutants.about), asMarkdown(mutantsTable(mutants))] : []),
  ];
  const introduction = existsSync(PAGE) ? (readFileSync(PAGE, 'utf8').split(MARK)[0] as string) : '# Reliability\n\n';
  await writeFormatted(PAGE, [introduction + MARK, ...sections].join('\n\n'), 'markdown');
}

function keptResult(): ReliabilityResult {
  return existsSync(RESULT) ? (JSON.parse(readFileSync(RESULT, 'utf8')) as ReliabilityResult) : {};
}

function runSection(summary: RunSummary): string[] {
  const { seed, seconds, processes, clients, postgres, clock, skipped, about } = summary.run;
  const images = [picture('run', summary)];
  if (seconds > 2 * CLOSE_UP_SECONDS) images.push(picture('beginning', summary, CLOSE_UP_SECONDS));
  const count = countOf(summary);
  return [
    count === 0 ? '**Every promise was kept.**' : `**${count} findings: promises were broken.**`,
    `${told(about)} PostgreSQL ${postgres}, embedded; ${processes} processes of the API, ${clients} clients, ${seconds} s, seed ${seed}; ` +
      (clock === null ? 'no clock was moved.' : `clocks moved by ${clock}.`),
    ...skipped.map((reason) => `Skipped: ${reason}.`),
    ...images,
    ...tablesOf(summary).map(asMarkdown),
  ];
}

function picture(name: string, summary: RunSummary, upTo?: number): string {
  writeFileSync(join(FOLDER, `${name}.svg`), courseOf(summary, upTo));
  return `![Requests answered a second, and the faults](reliability/${name}.svg)`;
}

const told = ({ begun, machine, commit, node, loadBefore }: About): string =>
  `${begun.slice(0, 16).replace('T', ' ')} UTC; commit ${commit}; ${machine} (load before it: ${loadBefore.toFixed(2)}); Node ${node}.`;
