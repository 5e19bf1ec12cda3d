// Runs the unchanged service and some mutants, and reports which finding caught each mutant, and how soon.

import { number, type Table } from '../../harness/table.js';
import { about, type About } from '../../harness/about.js';
import { BuiltService } from '../../harness/built-service.js';
import { firstSign } from '../check/first-sign.js';
import { MUTANTS } from './mutants.js';
import { catchMutant, runUnchanged, textOf, type MutantOptions } from './run-mutant.js';

interface MutantFigures {
  readonly name: string;
  readonly mistake: string;
  /** The operations of the last run. */
  readonly operations: number;
  readonly findings: number;
  /** The finding that caught the mutant, and after how many seconds of how many runs; null when none did. */
  readonly caught: {
    readonly rule: string;
    readonly what: string;
    readonly seconds: number;
    readonly runs: number;
  } | null;
}

export interface MutantsResult {
  readonly about: About;
  readonly seed: number;
  readonly seconds: number;
  readonly unchanged: { readonly operations: number; readonly findings: readonly string[] };
  readonly mutants: readonly MutantFigures[];
}

export async function runMutants(
  names: readonly string[],
  options: MutantOptions,
  say: (line: string) => void,
): Promise<MutantsResult> {
  const surroundings = about();
  const { seed, seconds } = options;
  const service = await BuiltService.build();
  try {
    const { history, findings } = await runUnchanged(service, options);
    const unchanged = { operations: history.operations.length, findings: findings.slice(0, 5).map(textOf) };
    say(
      `${findings.length === 0 ? '✔' : '✘'} unchanged: ${unchanged.operations} operations, ${findings.length} findings`,
    );
    for (const finding of unchanged.findings) say(`    ${finding}`);
    const mutants: MutantFigures[] = [];
    for (const mutant of MUTANTS.filter(({ name }) => names.includes(name))) {
      const { name, mistake, caughtBy } = mutant;
      const { history, findings, caught, runs } = await catchMutant(service, mutant, options);
      const after = caught && firstSign(history, (finding) => caughtBy.test(textOf(finding))) / 1e9;
      say(`${caught ? '✔' : '✘'} ${name}: ${mistake}`);
      say(caught ? `    after ${after?.toFixed(1)} s: ${textOf(caught)}` : '    NOT CAUGHT as expected');
      mutants.push({
        name,
        mistake,
        operations: history.operations.length,
        findings: findings.length,
        caught: caught ? { ...caught, seconds: after as number, runs } : null,
      });
    }
    return { about: surroundings, seed, seconds, unchanged, mutants };
  } finally {
    service.remove();
  }
}

export const areAllCaught = ({ unchanged, mutants }: MutantsResult): boolean =>
  unchanged.findings.length === 0 && mutants.every(({ caught }) => caught !== null);

export const mutantsTable = ({ seed, seconds, unchanged, mutants }: MutantsResult): Table => ({
  title: `Services with one mistake each, under load for ${seconds} s (seed ${seed})`,
  head: ['mistake', 'caught by', 'for example', 'after', 'findings', 'of operations'],
  rows: [
    ...mutants.map(({ name, mistake, operations, findings, caught }) => [
      `\`${name}\`: ${mistake}`,
      caught?.rule ?? 'NOT CAUGHT',
      caught ? `\`${caught.what.replaceAll('|', '\\|')}\`` : '–',
      caught ? `${caught.seconds.toFixed(1)} s` + (caught.runs > 1 ? ` of run ${caught.runs}` : '') : '–',
      number(findings),
      number(operations),
    ]),
    [
      'none: the service as it is, under all their faults',
      '–',
      '–',
      '–',
      number(unchanged.findings.length),
      number(unchanged.operations),
    ],
  ],
});
