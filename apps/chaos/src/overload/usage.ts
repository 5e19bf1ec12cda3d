// What a process uses while it is watched. Zeros where there is no /proc.

import { readFileSync } from 'node:fs';

/** As Linux counts a process's time: hundredths of a second. */
const TICKS_PER_SECOND = 100;

export class Usage {
  #most = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly pid: number) {
    this.#timer = setInterval(() => this.#look(), 100);
  }

  /** The largest memory since the last time it was asked. */
  megabytes(): number {
    this.#look();
    const most = this.#most;
    this.#most = 0;
    return most;
  }

  cpuSeconds(): number {
    const [user = 0, system = 0] = this.#read('stat')
      .replace(/^.*\) /, '')
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return (user + system) / TICKS_PER_SECOND;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(this.#read('status'))?.[1] ?? 0);
    this.#most = Math.max(this.#most, kilobytes / 1024);
  }

  #read(what: 'stat' | 'status'): string {
    try {
      return readFileSync(`/proc/${this.pid}/${what}`, 'utf8');
    } catch {
      return '';
    }
  }
}
