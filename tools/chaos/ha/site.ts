// Starts and ends the parts of a run: a primary and a standby, the pooler, two processes of the API, and the balancer
// before them.

import { chownSync, mkdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiProcess } from '../../harness/api-process.js';
import { makePools, POOLS, SERVICE_ENV } from '../load/pools.js';
import { Balancer } from './balancer.js';
import { ACCOUNT } from './daemon.js';
import type { Parts } from './parts.js';
import { Pooler } from './pooler.js';
import { PostgresNode } from './postgres-node.js';

export interface SiteOptions {
  readonly parts: Parts;
  /** The compiled main.js of the API. */
  readonly main: string;
  /** The folder for logs. */
  readonly directory: string;
  /** Whether commits do not wait for the standby. */
  readonly isAsync: boolean;
}

export class Site {
  primary!: PostgresNode;
  standby!: PostgresNode;
  pooler!: Pooler;
  balancer!: Balancer;
  readonly apis: ApiProcess[] = [];

  private constructor(
    private readonly options: SiteOptions,
    private readonly home: string,
  ) {}

  /** Resolves when everything is ready and the pools exist. */
  static async start(options: SiteOptions): Promise<Site> {
    mkdirSync(options.directory, { recursive: true });
    const home = await mkdtemp(join(tmpdir(), 'token-pool-ha-'));
    if (ACCOUNT.uid !== undefined) chownSync(home, ACCOUNT.uid, ACCOUNT.gid as number);
    const site = new Site(options, home);
    try {
      await site.#begin();
    } catch (error) {
      await site.remove();
      throw error;
    }
    return site;
  }

  async #begin(): Promise<void> {
    const { parts, main, directory, isAsync } = this.options;
    const password = randomBytes(12).toString('hex');
    const node = { bin: parts.postgres, directory: this.home, logs: directory, password };
    this.primary = await PostgresNode.primary({ ...node, name: 'north' });
    this.standby = await PostgresNode.standbyOf(this.primary, { ...node, name: 'south' });
    if (!isAsync) await this.primary.waitFor(this.standby);
    this.pooler = await Pooler.start(parts.pgbouncer, this.home, directory, this.primary);
    const env = {
      ...SERVICE_ENV,
      DATABASE_URL: this.pooler.url,
      DATABASE_POOLER: 'transaction',
      MIGRATION_DATABASE_URL: this.primary.url,
    };
    for (const number of [1, 2]) {
      const api = await ApiProcess.prepare(number, main, env, join(directory, `api-${number}.log`));
      this.apis.push(api);
      await api.start();
    }
    const [one, two] = this.apis as [ApiProcess, ApiProcess];
    this.balancer = await Balancer.start(parts.haproxy, this.home, directory, [one.port, two.port]);
    await makePools(this.balancer.port, POOLS);
  }

  /** Ends the processes, and waits until the database is idle. @returns what went wrong, in lines */
  async quiesce(): Promise<string[]> {
    const complaints = await Promise.all(
      this.apis.map(async (api) => {
        api.signal('SIGTERM');
        const code = await Promise.race([api.ended(), sleep(11_000, 'nothing', { ref: false })]);
        await api.kill();
        return code === 0 ? [] : [`process ${api.number} ended with ${code} after SIGTERM, at the end of the run`];
      }),
    );
    const busy = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`;
    while ((await this.primary.query(busy)).length > 0) await sleep(20);
    return complaints.flat();
  }

  /** Ends all parts that have started. */
  async remove(): Promise<void> {
    await Promise.all(this.apis.map((api) => api.kill()));
    const { balancer, pooler, standby, primary } = this as Partial<
      Pick<Site, 'balancer' | 'pooler' | 'standby' | 'primary'>
    >;
    for (const part of [balancer, pooler, standby, primary]) await part?.remove();
    rmSync(this.home, { recursive: true, force: true });
  }
}
