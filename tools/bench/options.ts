// The command line.

import { parseArgs } from 'node:util';
import { wholeOption } from '../harness/options.js';
import type { SectionName } from './result.js';

export const SECTIONS: readonly SectionName[] = [
  'http',
  'process',
  'release',
  'scale',
  'sweep',
  'audit',
  'soak',
  'things',
  'line',
];

export interface Options {
  /** For CI: two to three minutes instead of more than an hour; judges gross regressions only. */
  readonly isShort: boolean;
  readonly only: readonly SectionName[];
  readonly rounds: number;
  /** Only writes the page again from the stored figures. */
  readonly isPageOnly: boolean;
}

export const USAGE = `npm run bench -- [--short] [--only ${SECTIONS.join(',')}] [--rounds N] [--page]

  --short   the form for CI, two to three minutes: fails for a crash or a gross regression, writes nothing
  --only    measures only these sections
  --rounds  the number of rounds of each comparison (5; 2 in the short form)
  --page    only writes docs/benchmarks.md from the stored figures

DATABASE_URL: the PostgreSQL server, on which the bench creates databases; without it the bench starts an embedded one`;

/** @throws Error with what is wrong */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      page: { type: 'boolean', default: false },
    },
  });
  const only = (values.only?.split(',') as SectionName[] | undefined) ?? SECTIONS;
  const unknown = only.find((name) => !SECTIONS.includes(name));
  if (unknown !== undefined) throw new Error(`there is no section ${unknown}; there are ${SECTIONS.join(', ')}`);
  const rounds = wholeOption('rounds', values.rounds, values.short ? 2 : 5, 1, 1000);
  return { isShort: values.short, only, rounds, isPageOnly: values.page };
}
