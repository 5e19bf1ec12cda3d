// Runs the service as it is and some mutants, and prints a table: who was caught, and by what.

import { BuiltService } from '../built-service.js';
import { MUTANTS } from './mutants.js';
import { runMutant } from './run-mutant.js';

/** Whether all were caught, and the service as it is was not. */
export async function runAllMutants(
  options: {
    readonly mutants: readonly string[];
    readonly seconds: number;
    readonly seed: number;
    readonly directory: string;
  },
  say: (line: string) => void,
): Promise<boolean> {
  const service = await BuiltService.build();
  try {
    const unchanged = await runMutant(service, null, options);
    const isClean = unchanged.findings.length === 0;
    say(`${isClean ? '✔' : '✘'} unchanged: ${unchanged.operations} operations, ${unchanged.findings.length} findings`);
    for (const { rule, what } of unchanged.findings.slice(0, 5)) say(`    ${rule}: ${what}`);
    let areCaught = true;
    for (const mutant of MUTANTS.filter(({ name }) => options.mutants.includes(name))) {
      const { caught, findings, operations } = await runMutant(service, mutant, options);
      areCaught &&= caught !== undefined;
      say(`${caught ? '✔' : '✘'} ${mutant.name}: ${mutant.mistake}`);
      say(`    ${operations} operations, ${findings.length} findings: ${countsOf(findings)}`);
      say(`    ${caught ?? 'NOT CAUGHT as expected'}`);
    }
    return isClean && areCaught;
  } finally {
    service.remove();
  }
}

function countsOf(findings: readonly { readonly rule: string }[]): string {
  const counts = new Map<string, number>();
  for (const { rule } of findings) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return [...counts].map(([rule, count]) => `${rule} ${count}`).join(', ');
}
