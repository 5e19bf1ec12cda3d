/** Shows progress: in a terminal on one line that it overwrites, elsewhere by a line for each milestone. */
export function progress(text: string, isMilestone: boolean): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (isMilestone) process.stderr.write(`${text}\n`);
}
