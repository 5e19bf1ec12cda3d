// The figures of docs/scaling.md are those of the last run of the bench. `UPDATE_SCALING=1` writes them anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(__dirname, '../../docs/scaling.md');
const RESULT = join(__dirname, '../../docs/benchmarks/result.json');
const FIGURES = /(<!-- figures: .*-->\n)([^]*?)(<!-- end of figures -->)/;

interface Row {
  readonly what: string;
  readonly at: number;
  readonly rate: number;
}
interface Result {
  readonly http: { readonly result: { readonly rows: Row[] } };
  readonly process: { readonly result: { readonly rows: Row[] } };
  readonly scale: {
    readonly result: Record<'poolSizes' | 'auditSizes' | 'manyPools' | 'processes', Row[]>;
  };
}

function table({ http, process, scale }: Result): string {
  const allocate = ({ result }: { result: { rows: Row[] } }): Row[] =>
    result.rows.filter(({ what }) => what === 'allocate');
  const { processes, poolSizes, auditSizes, manyPools } = scale.result;
  const lines = [
    line('one process in itself, callers of one pool', allocate(process)),
    line('one process over HTTP, connections', allocate(http)),
    line('processes over HTTP, 64 connections to one pool', processes),
    line('pools used at the same time, in one process', manyPools),
    line('tokens in the pool', poolSizes),
    line('events in the audit', auditSizes),
  ];
  return `\n| what | grants a second |\n| --- | --- |\n${lines.join('\n')}\n\n`;
}

const line = (what: string, rows: Row[]): string =>
  `| ${what} | ${rows.map(({ at, rate }) => `${number(at)}: **${number(Number(rate.toPrecision(3)))}**`).join(', ')} |`;

const number = (value: number): string => value.toLocaleString('en');

const unpadded = (text: string): string => text.replace(/ *\| */g, '|').replace(/-+/g, '-');

test('the figures are those of the last run', () => {
  const page = readFileSync(PAGE, 'utf8');
  const made = table(JSON.parse(readFileSync(RESULT, 'utf8')) as Result);
  expect(made).not.toContain('NaN');
  if (process.env['UPDATE_SCALING']) writeFileSync(PAGE, page.replace(FIGURES, `$1${made}$3`));
  else expect(unpadded(FIGURES.exec(page)?.[2] ?? '')).toBe(unpadded(made));
});
