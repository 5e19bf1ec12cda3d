// Writes the figures of docs/benchmarks.md.

import { SECTIONS } from '../options.js';
import type { About, BenchResult } from '../result.js';
import { KeptPage } from '../../harness/kept-page.js';
import { asMarkdown, type Table } from '../../harness/table.js';
import { reachTable, TABLES } from './tables.js';

const PAGE = new KeptPage<BenchResult>('benchmarks', 'npm run bench');

const HEADINGS = {
  http: 'Over HTTP',
  process: 'In the process',
  release: 'Since the last release',
  scale: 'When there is more of everything',
  sweep: 'Ten thousand leases at once',
  things: 'Things of a listed pool',
  line: 'Waiting in line',
  audit: 'The auditor',
  soak: 'For long',
};

export const keptResult = (): BenchResult => PAGE.result();

export async function writePage(result: BenchResult): Promise<void> {
  const sections = SECTIONS.flatMap((name) => {
    const section = result[name];
    if (!section) return [];
    const tables = (TABLES[name] as (of: unknown) => Table[])(section.result);
    return [`## ${HEADINGS[name]}`, circumstances(section.about), ...tables.map(asMarkdown)];
  });
  await PAGE.write(result, ['## Aims and what was reached', asMarkdown(reachTable(result)), ...sections]);
}

function circumstances({
  begun,
  seconds,
  rounds,
  isShort,
  commit,
  machine,
  node,
  postgres,
  isEmbedded,
  loadBefore,
}: About): string {
  const { server_version: version, ...settings } = postgres;
  const set = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return [
    `${begun.slice(0, 16).replace('T', ' ')} UTC, ${seconds} s, ${rounds} rounds${isShort ? ' of the short form' : ''}; commit ${commit};`,
    `${machine} (load before it: ${loadBefore}); Node ${node};`,
    `PostgreSQL ${version}${isEmbedded ? ', embedded' : ''} (${set.join(', ')}).`,
  ].join('\n');
}
