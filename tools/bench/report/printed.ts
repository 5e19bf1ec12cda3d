// The report for the terminal.

import type { BenchResult } from '../result.js';
import { SECTIONS } from '../options.js';
import { asText, type Table } from '../../harness/table.js';
import { reachTable, TABLES } from './tables.js';

export function printed(result: BenchResult): string {
  const sections = SECTIONS.map((name) => {
    const section = result[name];
    if (!section) return '';
    const tables = (TABLES[name] as (of: unknown) => Table[])(section.result).map(asText);
    return `\n— ${name} —\n\n${tables.join('\n\n')}\n`;
  });
  return `${sections.join('')}\n${asText(reachTable(result))}\n`;
}
