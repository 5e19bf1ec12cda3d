// docs/benchmarks.md: an introduction that people write, and below its mark the figures, made of result.json.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECTIONS } from '../options.js';
import type { About, BenchResult } from '../result.js';
import { rounded, writeFormatted } from './formatted.js';
import { PLOTS, type Plot } from './plots.js';
import { asMarkdown, type Table } from './table.js';
import { reachTable, TABLES } from './tables.js';

const PAGE = 'docs/benchmarks.md';
const FOLDER = 'docs/benchmarks';
const RESULT = join(FOLDER, 'result.json');
const MARK = '<!-- Below this line everything is written by `npm run bench`. -->';

const HEADINGS = {
  http: 'Over HTTP',
  process: 'In the process',
  scale: 'When there is more of everything',
  sweep: 'Ten thousand leases at once',
  expiry: 'Ends that nobody asks for',
  audit: 'The auditor',
  stream: 'Streams',
  soak: 'For long',
};

export function keptResult(): BenchResult {
  return existsSync(RESULT) ? (JSON.parse(readFileSync(RESULT, 'utf8')) as BenchResult) : {};
}

export async function writePage(result: BenchResult): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  await writeFormatted(RESULT, JSON.stringify(result, rounded), 'json');
  const sections = SECTIONS.flatMap((name) => {
    const section = result[name];
    if (!section) return [];
    const tables = (TABLES[name] as (of: unknown) => Table[])(section.result);
    const plots = (PLOTS[name] as ((of: unknown) => Plot[]) | undefined)?.(section.result) ?? [];
    for (const { file, svg } of plots) writeFileSync(join(FOLDER, file), svg);
    const images = plots.map(({ file, alt }) => `![${alt}](benchmarks/${file})`);
    return [`## ${HEADINGS[name]}`, told(section.about), ...images, ...tables.map(asMarkdown)];
  });
  const introduction = existsSync(PAGE) ? (readFileSync(PAGE, 'utf8').split(MARK)[0] as string) : '# Benchmarks\n\n';
  const page = [introduction + MARK, '## Aims and what was reached', asMarkdown(reachTable(result)), ...sections];
  await writeFormatted(PAGE, page.join('\n\n'), 'markdown');
}

function told({
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
