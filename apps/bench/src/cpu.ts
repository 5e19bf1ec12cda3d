// How much processor time processes have used: from /proc, so on Linux only; elsewhere nothing is said.

import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Seconds of the process; with its children when asked (PostgreSQL's sessions are children of the server). */
export function cpuSeconds(pid: number | null, withChildren = false): number | null {
  if (pid === null) return null;
  try {
    const pids = withChildren ? [pid, ...childrenOf(pid)] : [pid];
    return pids.reduce((sum, one) => sum + ownSeconds(one), 0);
  } catch {
    return null;
  }
}

/** The fields after the name, which may hold anything: state is the first, the parent the second. */
const fieldsOf = (pid: number | string): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

const ownSeconds = (pid: number): number => {
  const fields = fieldsOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(fieldsOf(name)[1]) === parent;
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);
}
