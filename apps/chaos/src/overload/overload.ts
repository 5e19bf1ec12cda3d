// More than it can serve: 5,000 connections at once, then ten times the rate of its peak. What it can serve it goes on
// serving; the rest is told at once to come back later; and who has a token already goes first.

import { mkdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiProcess } from '../api-process.js';
import { BuiltService } from '../built-service.js';
import { DatabaseServer } from '../database-server.js';
import { ask } from '../load/ask.js';
import { hold, type Holders } from './holders.js';
import { Storm } from './storm.js';
import type { Figures, Tally } from './tally.js';
import { Usage } from './usage.js';

const POOL = { name: 'busy', kind: 'fixed', size: 50_000, ttl_seconds: 3600, renewable: true };
const PEAK_CONNECTIONS = [32, 64, 128];
const PEAK_SECONDS = 4;
const PAUSE_SECONDS = 2;
/** Who is refused is asked to come back after a second. */
const RETRY_AFTER_MS = 1000;
const HOLDERS = 50;
const HOLDERS_PAUSE_MS = 500;

const GOODPUT_SHARE = 0.8;
const FAST_REFUSAL_MS = 1000;
const MOST_MEGABYTES = 500;
const HOLDERS_SERVED = 0.99;

export interface OverloadOptions {
  readonly connections: number;
  /** Of the rate of the peak. */
  readonly factor: number;
  readonly seconds: number;
  readonly directory: string;
  readonly say: (line: string) => void;
}

/** Whether all was as promised. */
export async function overload(options: OverloadOptions): Promise<boolean> {
  mkdirSync(options.directory, { recursive: true });
  const service = await BuiltService.build();
  const database = await DatabaseServer.start();
  const env = { DATABASE_URL: database.url, LOG_LEVEL: 'error' };
  const api = await ApiProcess.prepare(1, service.main, env, join(options.directory, 'api.log'));
  try {
    await api.start();
    const { status } = await ask(api.port, { method: 'POST', path: '/api/pools', body: POOL }, 60_000);
    if (status !== 201) throw new Error(`the pool could not be made: ${status}`);
    // The storm shares the machine with the service: what it takes from it would not be the service's fault.
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    return await new Overload(options, api).run();
  } finally {
    await api.kill();
    await database.remove();
    service.remove();
  }
}

class Overload {
  readonly #usage: Usage;
  readonly #storm: Storm;
  readonly #wrong: string[] = [];
  #peak = 0;
  #peakPerCpu = 0;

  constructor(
    private readonly options: OverloadOptions,
    private readonly api: ApiProcess,
  ) {
    this.#usage = new Usage(api.pid);
    this.#storm = new Storm(api.port, POOL.name);
  }

  async run(): Promise<boolean> {
    const { connections, factor, seconds, say } = this.options;
    const storm = this.#storm;
    try {
      await this.#findPeak();
      await storm.connect(connections);
      say(`${storm.connections} connections are open`);
      await this.#phase(`${connections} connections, each comes back 1 s after a refusal`, () =>
        storm.closedLoop(seconds, RETRY_AFTER_MS),
      );
      await sleep(PAUSE_SECONDS * 1000);
      const rate = this.#peak * factor;
      await this.#phase(`${factor} times the rate of the peak: ${round(rate)} requests/s`, async () => {
        const { tally, sent } = await storm.openLoop(seconds, rate);
        say(`${round(sent / seconds)} requests/s could be sent, because all connections waited or the machine is full`);
        return tally;
      });
      storm.close();
      await sleep(PAUSE_SECONDS * 1000);
      await storm.connect(64);
      const { goodputPerSecond } = (await storm.closedLoop(PEAK_SECONDS, RETRY_AFTER_MS)).figures(PEAK_SECONDS);
      say(`afterwards, 64 connections: ${round(goodputPerSecond)} grants/s`);
    } finally {
      this.#usage.stop();
      storm.close();
    }
    for (const what of this.#wrong) say(`✘ ${what}`);
    if (this.#wrong.length === 0) say('✔ It served what it could, and said no to the rest.');
    return this.#wrong.length === 0;
  }

  async #findPeak(): Promise<void> {
    for (const count of PEAK_CONNECTIONS) {
      await this.#storm.connect(count);
      const cpu = this.#usage.cpuSeconds();
      const { goodputPerSecond, goodMs } = (await this.#storm.closedLoop(PEAK_SECONDS, 0)).figures(PEAK_SECONDS);
      const perCpu = (goodputPerSecond * PEAK_SECONDS) / (this.#usage.cpuSeconds() - cpu);
      if (goodputPerSecond > this.#peak) [this.#peak, this.#peakPerCpu] = [goodputPerSecond, perCpu];
      this.options.say(
        `${count} connections: ${round(goodputPerSecond)} grants/s, ${round(perCpu)} a second of its CPU, ` +
          `p99 ${round(goodMs.p99)} ms, ${round(this.#usage.megabytes())} MB`,
      );
    }
  }

  async #phase(name: string, storm: () => Promise<Tally>): Promise<void> {
    const { seconds, say } = this.options;
    let isOver = false;
    const cpu = this.#usage.cpuSeconds();
    const holding = hold(this.api.port, POOL.name, HOLDERS, HOLDERS_PAUSE_MS, () => isOver);
    say(`${name}:`);
    const figures = (await storm()).figures(seconds);
    const perCpu = (figures.goodputPerSecond * seconds) / (this.#usage.cpuSeconds() - cpu);
    isOver = true;
    this.#judge(name, figures, perCpu, await holding);
  }

  #judge(name: string, storm: Figures, perCpu: number, holders: Holders): void {
    const { goodputPerSecond, refusedPerSecond, lost, others, withoutRetryAfter, goodMs, refusedMs } = storm;
    const { seconds, say } = this.options;
    const megabytes = this.#usage.megabytes();
    const held = holders.rest.figures(seconds);
    const served = (held.goodputPerSecond * seconds) / Math.max(1, holders.rest.all);
    const share = goodputPerSecond / this.#peak;
    const lines = [
      `${round(goodputPerSecond)} grants/s, ${share.toFixed(2)} of the peak; ${round(perCpu)} a second of its CPU, ${(perCpu / this.#peakPerCpu).toFixed(2)} of the peak; p50 ${round(goodMs.p50)} ms, p99 ${round(goodMs.p99)} ms`,
      `${round(refusedPerSecond)} refusals/s, p50 ${round(refusedMs.p50)} ms, p99 ${round(refusedMs.p99)} ms; ${lost} lost, ${others} others`,
      `${holders.rest.all} keep-alives and releases meanwhile, ${(served * 100).toFixed(1)} % done, p50 ${round(held.goodMs.p50)} ms, p99 ${round(held.goodMs.p99)} ms`,
      `${round(megabytes)} MB at most`,
    ];
    for (const line of lines) say(`  ${line}`);
    const rules: [boolean, string][] = [
      [share >= GOODPUT_SHARE, `goodput is ${share.toFixed(2)} of the peak, not ${GOODPUT_SHARE}`],
      [withoutRetryAfter === 0, `${withoutRetryAfter} refusals without Retry-After`],
      [refusedMs.p99 <= FAST_REFUSAL_MS, `a refusal takes ${round(refusedMs.p99)} ms (p99), not ${FAST_REFUSAL_MS}`],
      [lost === 0 && others === 0, `${lost} requests were lost, ${others} answered with something else`],
      [megabytes <= MOST_MEGABYTES, `${round(megabytes)} MB, not ${MOST_MEGABYTES}`],
      [served >= HOLDERS_SERVED, `${(served * 100).toFixed(1)} % of keep-alives and releases are done`],
      [held.goodMs.p99 <= goodMs.p99, `keep-alive and release wait longer (p99) than allocate`],
    ];
    for (const [isRight, what] of rules) if (!isRight) this.#wrong.push(`${name}: ${what}`);
  }
}

const round = (number: number): string => Math.round(number).toLocaleString('en');
