// The processor time of a process and its children, from /proc, so on Linux only. PostgreSQL's sessions are children of
// its server.

import { existsSync, readFileSync } from 'node:fs';
import { childrenOf } from './processes.js';

const TICKS_PER_SECOND = 100;

/** Indexes of the fields: user and kernel time of the process, then of its ended children. */
const OWN = [11, 12];
const OWN_AND_ENDED = [...OWN, 13, 14];

/** @returns seconds; null without /proc or without a process */
export function cpuSeconds(pid: number | null): number | null {
  while (pid !== null && existsSync(`/proc/${pid}/stat`)) {
    try {
      const children = childrenOf(pid);
      const server = secondsOf(pid, OWN_AND_ENDED);
      return children.reduce((sum, child) => sum + secondsOf(child, OWN), server);
    } catch {
      // A child has ended since the count: its time is now in the parent's sum of ended children.
    }
  }
  return null;
}

/** The fields after the name: a name may hold spaces and parentheses, so the last parenthesis ends it. */
const fieldsOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

function secondsOf(pid: number, places: readonly number[]): number {
  const fields = fieldsOf(pid);
  return places.reduce((sum, place) => sum + Number(fields[place]), 0) / TICKS_PER_SECOND;
}
