// Sends more than the service can serve: 5,000 connections at once, then ten times its peak rate. The service must keep
// its rate, refuse the rest at once, and prefer requests about tokens that callers hold.

import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { about, type About } from '../../harness/about.js';
import { ApiProcess } from '../../harness/api-process.js';
import { BuiltService } from '../../harness/built-service.js';
import { DatabaseServer } from '../../harness/database-server.js';
import { ask } from '../../harness/ask.js';
import { hold } from './holders.js';
import { startStorm, type Done, type StormProcess } from './storm-process.js';
import type { Figures } from './tally.js';
import { cpuSeconds } from '../../harness/cpu.js';
import { Memory } from './memory.js';

const POOL = { name: 'busy', kind: 'fixed', size: 50_000, ttl_seconds: 3600, renewable: true };
const PEAK_CONNECTIONS = [32, 64, 128];
const PEAK_SECONDS = 4;
const PAUSE_SECONDS = 2;
const HOLDERS = 50;
const HOLDERS_PAUSE_MS = 500;

export interface OverloadOptions {
  readonly connections: number;
  /** The offered rate as a multiple of the peak rate. */
  readonly factor: number;
  readonly seconds: number;
  readonly directory: string;
  readonly say: (line: string) => void;
}

/** Shares of the machine's whole processor time. */
export interface CpuShares {
  readonly service: number;
  readonly database: number;
  readonly generator: number;
}

export interface Phase {
  readonly name: string;
  readonly connections: number;
  /** The figures of the storm's allocations. */
  readonly storm: Figures;
  /** The intended requests a second; null where each connection waits for its answers. */
  readonly offeredPerSecond: number | null;
  readonly sentPerSecond: number;
  readonly cpu: CpuShares;
  /** The service's peak of memory in the phase. */
  readonly megabytes: number;
}

/** A phase in which holders of tokens renew and release them. */
export interface StormPhase extends Phase {
  readonly holders: { readonly allocates: Figures; readonly rest: Figures };
}

export interface OverloadResult {
  readonly about: About;
  readonly seconds: number;
  readonly cores: number;
  /** Phases with few connections; the first one has the most grants a second and is the peak. */
  readonly calm: readonly Phase[];
  readonly storms: readonly StormPhase[];
  /** Grants a second after the storm. */
  readonly afterwards: number;
}

export async function overload(options: OverloadOptions): Promise<OverloadResult> {
  mkdirSync(options.directory, { recursive: true });
  const surroundings = about();
  const service = await BuiltService.build();
  const database = await DatabaseServer.start();
  const env = { DATABASE_URL: database.url, LOG_LEVEL: 'error' };
  const api = await ApiProcess.prepare(1, service.main, env, join(options.directory, 'api.log'));
  try {
    await api.start();
    const { status } = await ask(api.port, { method: 'POST', path: '/api/pools', body: POOL }, 60_000);
    if (status !== 201) throw new Error(`the pool could not be made: ${status}`);
    const storm = startStorm(api.port, POOL.name);
    try {
      const measured = await new Overload(options, api, database, storm).run();
      return { about: surroundings, seconds: options.seconds, cores: availableParallelism(), ...measured };
    } finally {
      storm.end();
    }
  } finally {
    await api.kill();
    await database.remove();
    service.remove();
  }
}

class Overload {
  readonly #memory: Memory;

  constructor(
    private readonly options: OverloadOptions,
    private readonly api: ApiProcess,
    private readonly database: DatabaseServer,
    private readonly storm: StormProcess,
  ) {
    this.#memory = new Memory(api.pid);
  }

  async run(): Promise<Pick<OverloadResult, 'calm' | 'storms' | 'afterwards'>> {
    const { connections, factor, seconds } = this.options;
    try {
      const calm = [];
      for (const count of PEAK_CONNECTIONS) calm.push(await this.#calm(count));
      calm.sort((a, b) => b.storm.goodputPerSecond - a.storm.goodputPerSecond);
      const { goodputPerSecond: peak, others } = (calm[0] as Phase).storm;
      if (peak === 0)
        throw new Error(`the service has granted nothing; it gave ${others} answers that no phase expects`);
      const rate = peak * factor;
      await this.storm.obey({ do: 'connect', upTo: connections });
      const closed = { do: 'closed loop', seconds } as const;
      const many = await this.#storm(`${connections} connections, each asks again when it is told to`, null, () =>
        this.storm.obey(closed),
      );
      await sleep(PAUSE_SECONDS * 1000);
      const fast = await this.#storm(`${factor} times the rate of the peak`, rate, () =>
        this.storm.obey({ do: 'open loop', seconds, perSecond: rate }),
      );
      await this.storm.obey({ do: 'close' });
      await sleep(PAUSE_SECONDS * 1000);
      const after = await this.#calm(64);
      return { calm, storms: [many, fast], afterwards: after.storm.goodputPerSecond };
    } finally {
      this.#memory.stop();
    }
  }

  async #calm(count: number): Promise<Phase> {
    await this.storm.obey({ do: 'connect', upTo: count });
    const order = { do: 'closed loop', seconds: PEAK_SECONDS } as const;
    return this.#phase(`${count} connections`, PEAK_SECONDS, null, () => this.storm.obey(order));
  }

  async #storm(name: string, offeredPerSecond: number | null, blow: () => Promise<Done>): Promise<StormPhase> {
    const { seconds } = this.options;
    let isOver = false;
    const holding = hold(this.api.port, POOL.name, HOLDERS, HOLDERS_PAUSE_MS, () => isOver);
    const phase = await this.#phase(name, seconds, offeredPerSecond, blow);
    isOver = true;
    const { allocates, rest } = await holding;
    return { ...phase, holders: { allocates: allocates.figures(seconds), rest: rest.figures(seconds) } };
  }

  async #phase(
    name: string,
    seconds: number,
    offeredPerSecond: number | null,
    blow: () => Promise<Done>,
  ): Promise<Phase> {
    this.#memory.most();
    const before = this.#cpu();
    const began = performance.now();
    const { connections, sent, figures } = await blow();
    const available = ((performance.now() - began) / 1000) * availableParallelism();
    const after = this.#cpu();
    if (!figures || sent === undefined) throw new Error('the storm has told nothing');
    const share = (of: keyof CpuShares): number => (after[of] - before[of]) / available;
    const { goodputPerSecond, refusedPerSecond } = figures;
    this.options.say(`${name}: ${Math.round(goodputPerSecond)} grants/s, ${Math.round(refusedPerSecond)} refusals/s`);
    return {
      name,
      connections,
      storm: figures,
      offeredPerSecond,
      sentPerSecond: sent / seconds,
      cpu: { service: share('service'), database: share('database'), generator: share('generator') },
      megabytes: this.#memory.most(),
    };
  }

  #cpu(): CpuShares {
    return {
      service: cpuSeconds(this.api.pid) ?? 0,
      database: cpuSeconds(this.database.pid) ?? 0,
      generator: cpuSeconds(this.storm.pid) ?? 0,
    };
  }
}
