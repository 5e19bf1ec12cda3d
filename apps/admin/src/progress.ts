/** In a terminal on one line that is written over; elsewhere a line of its own for a milestone. */
export function progress(text: string, isMilestone: boolean): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (isMilestone) process.stderr.write(`${text}\n`);
}
