// A short run of a broken service, and what the checker says to it.

import { join } from 'node:path';
import type { BuiltService } from '../built-service.js';
import { check } from '../check/check.js';
import type { Finding } from '../check/finding.js';
import { readHistory } from '../history.js';
import { run } from '../run.js';
import type { Mutant } from './mutants.js';

export interface MutantRun {
  readonly findings: readonly Finding[];
  /** The finding by which it was to be caught; undefined: it was not. */
  readonly caught: string | undefined;
  readonly operations: number;
  readonly file: string;
}

const PROCESSES = 2;
const CLIENTS = 24;

/** @param mutant null: the service as it is, under every fault that the mutants have, which must not be caught */
export async function runMutant(
  service: BuiltService,
  mutant: Mutant | null,
  { seconds, seed, directory }: { readonly seconds: number; readonly seed: number; readonly directory: string },
): Promise<MutantRun> {
  const variant = mutant ? service.variant(mutant.patches) : service;
  try {
    const file = await run({
      main: variant.main,
      seconds,
      seed,
      nemeses: mutant?.nemeses ?? ['kill-api', 'kill-database', 'lose-commit-answer', 'clock'],
      processes: PROCESSES,
      clients: CLIENTS,
      directory: join(directory, mutant?.name ?? 'unchanged'),
      sql: mutant?.sql,
      env: mutant?.env,
      say: () => undefined,
    });
    const history = await readHistory(file);
    const findings = check(history);
    const caught =
      mutant && findings.map(({ rule, what }) => `${rule}: ${what}`).find((one) => mutant.caughtBy.test(one));
    return { findings, caught: caught ?? undefined, operations: history.operations.length, file };
  } finally {
    if (mutant) variant.remove();
  }
}
