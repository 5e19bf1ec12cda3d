// Writes the results of docs/reliability.md.

import { KeptPage } from '../../harness/kept-page.js';
import { asMarkdown } from '../../harness/table.js';
import type { About } from '../../harness/about.js';
import { mutantsTable } from '../mutants/all-mutants.js';
import { overloadTables } from '../overload/report.js';
import { neighboursTable } from '../neighbours/report.js';
import { courseOf } from './course.js';
import type { ReliabilityResult } from './result.js';
import { countOf, type RunSummary } from './summary.js';
import { tablesOf } from './tables.js';

const PAGE = new KeptPage<ReliabilityResult>('reliability', 'npm run chaos -- --page');

/** A long run also gets a larger picture of its beginning. */
const CLOSE_UP_SECONDS = 60;

/** Stores new results beside the old ones, and writes the page. */
export async function writePage(news: ReliabilityResult): Promise<void> {
  const result: ReliabilityResult = { ...PAGE.result(), ...news };
  const { run, mutants, overload, neighbours } = result;
  await PAGE.write(result, [
    ...(run ? ['## The last run', ...runSection(run)] : []),
    ...(overload ? ['## Overload', circumstances(overload.about), ...overloadTables(overload).map(asMarkdown)] : []),
    ...(neighbours ? ['## Neighbours', circumstances(neighbours.about), asMarkdown(neighboursTable(neighbours))] : []),
    ...(mutants ? ['## Mutants', circumstances(mutants.about), asMarkdown(mutantsTable(mutants))] : []),
  ]);
}

function runSection(summary: RunSummary): string[] {
  const { seed, seconds, processes, clients, postgres, clock, skipped, about } = summary.run;
  const images = [picture('run', summary)];
  if (seconds > 2 * CLOSE_UP_SECONDS) images.push(picture('beginning', summary, CLOSE_UP_SECONDS));
  const count = countOf(summary);
  return [
    count === 0 ? '**Every promise was kept.**' : `**${count} findings: promises were broken.**`,
    `${circumstances(about)} PostgreSQL ${postgres}, embedded; ${processes} processes of the API, ${clients} clients, ${seconds} s, seed ${seed}; ` +
      (clock === null ? 'no clock was moved.' : `clocks moved by ${clock}.`),
    ...skipped.map((reason) => `Skipped: ${reason}.`),
    ...images,
    ...tablesOf(summary).map(asMarkdown),
  ];
}

const picture = (name: string, summary: RunSummary, upTo?: number): string =>
  PAGE.picture(`${name}.svg`, courseOf(summary, upTo), 'Requests answered a second, and the faults');

const circumstances = ({ begun, machine, commit, node, loadBefore }: About): string =>
  `${begun.slice(0, 16).replace('T', ' ')} UTC; commit ${commit}; ${machine} (load before it: ${loadBefore.toFixed(2)}); Node ${node}.`;
