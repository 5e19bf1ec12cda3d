// How much processor time a process and its children have used, PostgreSQL's sessions being children of its server: from
// /proc, so on Linux only; elsewhere nothing is said.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Places among the fields: in user and in kernel mode, and the same of the children that have ended. */
const OWN = [11, 12];
const OWN_AND_ENDED = [...OWN, 13, 14];

/** Null where it cannot be told. */
export function cpuSeconds(pid: number | null): number | null {
  while (pid !== null && existsSync(`/proc/${pid}/stat`)) {
    try {
      const children = childrenOf(pid);
      const server = secondsOf(pid, OWN_AND_ENDED);
      return children.reduce((sum, child) => sum + secondsOf(child, OWN), server);
    } catch {
      // A child has ended since they were counted: now the time is with those that have.
    }
  }
  return null;
}

/** The fields after the name, which may hold anything: state is the first, the parent the second. */
const fieldsOf = (pid: number | string): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

function secondsOf(pid: number, places: readonly number[]): number {
  const fields = fieldsOf(pid);
  return places.reduce((sum, place) => sum + Number(fields[place]), 0) / TICKS_PER_SECOND;
}

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
