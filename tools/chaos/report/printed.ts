// The report of a run for the terminal.

import { asText } from '../../harness/table.js';
import { countOf, type RunSummary } from './summary.js';
import { tablesOf } from './tables.js';

export function printed(summary: RunSummary): string {
  const { run, examples, findings } = summary;
  const { seed, seconds, processes, clients, about, postgres, clock, skipped } = run;
  const rules = [...new Set(examples.map(({ rule }) => rule))];
  const found = rules.flatMap((rule) => {
    const those = examples.filter((one) => one.rule === rule);
    const more = (findings[rule] ?? 0) - those.length;
    return [...those.map(({ what }) => `  ${rule}: ${what}`), ...(more > 0 ? [`  ${rule}: and ${more} more`] : [])];
  });
  return [
    '',
    `seed ${seed}, ${seconds} s, ${processes} processes, ${clients} clients, Node ${about.node}, PostgreSQL ${postgres}` +
      (clock === null ? '' : `, clocks moved by ${clock}`),
    ...skipped.map((reason) => `skipped: ${reason}`),
    ...tablesOf(summary).map((table) => `\n${asText(table)}`),
    '',
    ...found,
    countOf(summary) === 0 ? 'Every promise was kept.' : 'Promises were broken.',
  ].join('\n');
}
