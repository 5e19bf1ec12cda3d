// The pools of a run: small and short, so that in every second each rule about them is needed.

import type { PoolSetting } from '../history.js';
import { ask } from '../../harness/ask.js';
import { WITHOUT_KEY, type Caller } from './caller.js';

/** Full all the time: most grants end another lease. */
const EVICTING: PoolSetting = {
  name: 'evicting',
  kind: 'fixed',
  size: 12,
  ttl_seconds: 3,
  idle_ttl_seconds: null,
  on_exhausted: 'evict_oldest',
};

/** Full now and then: grants wait for deadlines. */
const REJECTING: PoolSetting = {
  name: 'rejecting',
  kind: 'fixed',
  size: 8,
  ttl_seconds: 0.8,
  idle_ttl_seconds: null,
  on_exhausted: 'reject',
};

/** The one that is there from the first start, and has the short routes. */
const ELASTIC: PoolSetting = {
  name: 'elastic',
  kind: 'elastic',
  size: 6,
  ttl_seconds: 0.6,
  idle_ttl_seconds: 1.2,
  on_exhausted: 'reject',
};

/** Shared fairly: few users who come by several keys, and want more than they may have. */
const FAIR: PoolSetting = {
  name: 'fair',
  kind: 'fixed',
  size: 6,
  ttl_seconds: 2,
  idle_ttl_seconds: null,
  on_exhausted: 'evict_oldest',
  max_per_user: 3,
  max_per_key: 4,
  protect_seconds: 0.5,
  evict: 'over_share_first',
};

/** That every release knows how to make. */
export const PLAIN_POOLS: readonly PoolSetting[] = [EVICTING, REJECTING, ELASTIC];

export const POOLS: readonly PoolSetting[] = [...PLAIN_POOLS, FAIR];

/** Of a pool that counts. The first one is greedy. */
export const USERS: readonly string[] = [1, 2, 3, 4, 5, 6].map((one) => `c4a05000-0000-4000-8000-00000000000${one}`);

/** Of those that are not there from the first start. */
const LEASES: Readonly<Record<string, object>> = {
  [EVICTING.name]: { renewable: true, max_lifetime_seconds: 6 },
  [REJECTING.name]: { renewable: false },
  [FAIR.name]: { renewable: true, max_lifetime_seconds: 4 },
};

/** Those that are not there yet, by whoever listens on that port. @throws Error when one cannot be made */
export async function makePools(
  port: number,
  pools: readonly PoolSetting[],
  { headers }: Caller = WITHOUT_KEY,
): Promise<void> {
  for (const pool of pools.filter(({ name }) => name in LEASES)) {
    const body = { ...pool, ...LEASES[pool.name] };
    const { status } = await ask(port, { method: 'POST', path: '/api/pools', body, headers });
    if (status !== 201) throw new Error(`a pool could not be made: ${status}`);
  }
}

/** A sweep that comes often, so that it meets faults. */
export const SERVICE_ENV: Readonly<Record<string, string>> = {
  ELASTIC_POOL_SIZE: String(ELASTIC.size),
  ELASTIC_TTL_SECONDS: String(ELASTIC.ttl_seconds),
  ELASTIC_IDLE_TTL_SECONDS: String(ELASTIC.idle_ttl_seconds),
  SWEEP_INTERVAL_MS: '150',
};
