// Starts and ends the parts of a run: a database, and processes of the API with a proxy each.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiProcess } from '../harness/api-process.js';
import { DatabaseServer } from '../harness/database-server.js';
import type { Auth } from './history.js';
import { Callers } from './load/callers.js';
import { CLEANED, LINE, makePools, POOLS, SERVICE_ENV } from './load/pools.js';
import { movableClock, type ClockKind } from './nemeses/movable-clock.js';
import type { Replica } from './nemeses/world.js';
import { Proxy } from '../harness/proxy.js';

export interface SystemOptions {
  /** The compiled main.js of the API. */
  readonly main: string;
  readonly processes: number;
  readonly auth: Auth;
  /** The folder for logs. */
  readonly directory: string;
  /** How to move clocks; null when they cannot move. */
  readonly clock: ClockKind | null;
  /** Runs on the database before the load; mutants use it to remove a second line of defence. */
  readonly sql?: readonly string[];
  /** More variables for the API. */
  readonly env?: Readonly<Record<string, string>>;
}

export class System {
  #callers = Callers.none;

  private constructor(
    readonly database: DatabaseServer,
    readonly replicas: readonly Replica[],
    private readonly options: SystemOptions,
  ) {}

  /** Resolves when everything is ready and the pools exist. */
  static async start(options: SystemOptions): Promise<System> {
    mkdirSync(options.directory, { recursive: true });
    const database = await DatabaseServer.start();
    const replicas: Replica[] = [];
    const system = new System(database, replicas, options);
    try {
      for (let number = 1; number <= options.processes; number++) replicas.push(await system.#replica(number));
      await Promise.all(replicas.map(({ api }) => api.start()));
      if (options.auth === 'keys') system.#callers = await Callers.withKeys(database.url);
      await makePools((replicas[0] as Replica).api.port, [...POOLS, LINE, CLEANED], system.callers.operator);
      for (const sql of options.sql ?? []) await database.query(sql);
    } catch (error) {
      await system.remove();
      throw error;
    }
    return system;
  }

  get callers(): Callers {
    return this.#callers;
  }

  async #replica(number: number): Promise<Replica> {
    const { main, directory, auth, clock: kind } = this.options;
    const proxy = await Proxy.open(this.database.url);
    const clock = kind === null ? undefined : movableClock(kind, join(directory, `clock-${number}`));
    const env = {
      DATABASE_URL: proxy.url,
      AUTH: auth,
      // The load has few keys, each of which sends more than the rate limit allows.
      RATE_LIMIT: '0',
      TRUST_PROXY: '1',
      ...SERVICE_ENV,
      ...clock?.env,
      ...this.options.env,
    };
    const api = await ApiProcess.prepare(number, main, env, join(directory, `api-${number}.log`));
    return { number, api, proxy, moveClock: clock?.move };
  }

  /** Ends the processes, and waits until the database is idle. @returns what went wrong, in lines */
  async quiesce(): Promise<string[]> {
    const complaints = await Promise.all(
      this.replicas.map(async ({ number, api }) => {
        api.signal('SIGTERM');
        const code = await Promise.race([api.ended(), sleep(11_000, 'nothing', { ref: false })]);
        await api.kill();
        return code === 0 ? [] : [`process ${number} ended with ${code} after SIGTERM, at the end of the run`];
      }),
    );
    const sessions = `SELECT FROM pg_stat_activity WHERE application_name = 'token-pool'`;
    while ((await this.database.query(sessions)).length > 0) await sleep(20);
    return complaints.flat();
  }

  async remove(): Promise<void> {
    await Promise.all(this.replicas.map(({ api }) => api.kill()));
    await Promise.all(this.replicas.map(({ proxy }) => proxy.close()));
    await this.database.remove();
  }
}
