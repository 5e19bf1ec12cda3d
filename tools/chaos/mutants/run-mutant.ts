// Runs a mutant for a short time and checks the history.

import { join } from 'node:path';
import type { BuiltService } from '../../harness/built-service.js';
import { check } from '../check/check.js';
import type { Finding } from '../check/finding.js';
import { readHistory, type History } from '../history.js';
import { run } from '../run.js';
import type { Mutant } from './mutant.js';

export interface MutantOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly directory: string;
}

interface Judged {
  readonly file: string;
  readonly history: History;
  readonly findings: readonly Finding[];
}

export interface Catch extends Judged {
  /** The finding that `caughtBy` matches; undefined when none does. */
  readonly caught: Finding | undefined;
  readonly runs: number;
}

const PROCESSES = 2;
const CLIENTS = 24;
/** A mistake shows only when something happens at the wrong moment, so a run without it gets repeated. */
const MOST_RUNS = 3;

const UNCHANGED = { nemeses: ['kill-api', 'kill-database', 'lose-commit-answer', 'clock'], auth: 'keys' } as const;

/** Runs the unchanged service under all faults of the mutants; the checker must find nothing. */
export const runUnchanged = (service: BuiltService, options: MutantOptions): Promise<Judged> =>
  judge(service, UNCHANGED, 'unchanged', options);

export async function catchMutant(service: BuiltService, mutant: Mutant, options: MutantOptions): Promise<Catch> {
  const variant = service.variant(mutant.patches);
  const seconds = Math.max(options.seconds, mutant.seconds ?? 0);
  try {
    if (mutant.load) {
      const control = await judge(service, { ...mutant, sql: [] }, `${mutant.name}-control`, { ...options, seconds });
      // What the unchanged service is found to do proves nothing of the mutant.
      if (control.findings.length > 0) return { ...control, caught: undefined, runs: 1 };
    }
    for (let runs = 1; ; runs++) {
      const seed = options.seed + runs - 1;
      const judged = await judge(variant, mutant, `${mutant.name}-${runs}`, { ...options, seed, seconds });
      const caught = judged.findings.find((finding) => mutant.caughtBy.test(textOf(finding)));
      if (caught || runs === MOST_RUNS) return { ...judged, caught, runs };
    }
  } finally {
    variant.remove();
  }
}

/** @returns the text that `caughtBy` of a mutant must match */
export const textOf = ({ rule, what }: Finding): string => `${rule}: ${what}`;

async function judge(
  service: BuiltService,
  { nemeses, sql, env, auth = 'open', load }: Pick<Mutant, 'nemeses' | 'sql' | 'env' | 'auth' | 'load'>,
  name: string,
  { seconds, seed, directory }: MutantOptions,
): Promise<Judged> {
  const file = await run({
    main: service.main,
    seconds,
    seed,
    nemeses,
    processes: PROCESSES,
    clients: CLIENTS,
    auth,
    directory: join(directory, name),
    sql,
    env,
    ...load,
    say: () => undefined,
  });
  const history = await readHistory(file);
  return { file, history, findings: check(history) };
}
