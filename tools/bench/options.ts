// The command line.

import { parseArgs } from 'node:util';
import type { SectionName } from './result.js';

export const SECTIONS: readonly SectionName[] = [
  'http',
  'process',
  'release',
  'keys',
  'policies',
  'chain',
  'scale',
  'sweep',
  'expiry',
  'audit',
  'rows',
  'stream',
  'telemetry',
  'soak',
];

export interface Options {
  /** For CI: two to three minutes instead of more than an hour; judges gross regressions only. */
  readonly isShort: boolean;
  readonly only: readonly SectionName[];
  readonly rounds: number;
  /** Of events, in the audits of the section `rows`. */
  readonly millions: readonly number[];
  /** Nothing is measured: the page is made anew of the figures that are there. */
  readonly isPageOnly: boolean;
}

export const USAGE = `npm run bench -- [--short] [--only ${SECTIONS.join(',')}] [--rounds N] [--millions N,N] [--page]

  --short   the form for CI, two to three minutes: fails for a crash or a gross regression, writes nothing
  --only    some of the sections
  --rounds  how often everything is measured that is compared (5; 2 in the short form)
  --millions  of events, in the audits of the section rows (1,5,15); the short form leaves it out unless it is named
  --page    measures nothing, writes docs/benchmarks.md anew of the figures beside it

DATABASE_URL: a PostgreSQL server to measure on, in databases of its own; without it an embedded one`;

/** @throws Error with what is wrong */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      millions: { type: 'string', default: '1,5,15' },
      page: { type: 'boolean', default: false },
    },
  });
  const usual = SECTIONS.filter((name) => !values.short || name !== 'rows');
  const only = (values.only?.split(',') as SectionName[] | undefined) ?? usual;
  const unknown = only.find((name) => !SECTIONS.includes(name));
  if (unknown !== undefined) throw new Error(`there is no section ${unknown}; there are ${SECTIONS.join(', ')}`);
  const rounds = Number(values.rounds ?? (values.short ? 2 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a whole number of at least 1');
  const millions = values.millions.split(',').map(Number);
  if (!millions.every((count) => count > 0))
    throw new Error('--millions must be numbers above 0, with commas between them');
  return { isShort: values.short, only, rounds, millions, isPageOnly: values.page };
}
