// The memory that a process uses while it is watched, from /proc; 0 without it.

import { readFileSync } from 'node:fs';

/** The peak of a process's resident memory, sampled ten times a second. */
export class Memory {
  #most = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly pid: number) {
    this.#timer = setInterval(() => this.#look(), 100);
  }

  /** @returns the peak since the last call, in megabytes */
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
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${this.pid}/status`))?.[1] ?? 0);
    this.#most = Math.max(this.#most, kilobytes / 1024);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
