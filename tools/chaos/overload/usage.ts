// What processes use while they are watched. Zeros where there is no /proc.

import { readFileSync } from 'node:fs';
import { childrenOf } from '../../harness/database-server.js';

/** As Linux counts a process's time: hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Processor seconds of a process and its children, those that have ended among them. */
export const cpuSeconds = (pid: number): number =>
  [pid, ...childrenOf(pid)].reduce((sum, one) => sum + ownTicks(one), 0) / TICKS_PER_SECOND;

function ownTicks(pid: number): number {
  const fields = read(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** The most memory that a process has had, looked at ten times a second. */
export class Memory {
  #most = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly pid: number) {
    this.#timer = setInterval(() => this.#look(), 100);
  }

  /** Since the last time it was asked, in megabytes. */
  most(): number {
    this.#look();
    const most = this.#most;
    this.#most = 0;
    return most;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(read(this.pid, 'status'))?.[1] ?? 0);
    this.#most = Math.max(this.#most, kilobytes / 1024);
  }
}

function read(pid: number, what: 'stat' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8');
  } catch {
    return '';
  }
}
