/** Prints the findings that a report lists, and how many more it counts. */
export function printFindings(findings: readonly string[], count: number): void {
  for (const finding of findings) console.log(`  ${finding}`);
  if (count > findings.length) console.log(`  and ${count - findings.length} more`);
}
