// The pools of a run: small and with short leases, so that each rule applies in every second.

import type { PoolSetting } from '../history.js';
import { ask } from '../../harness/ask.js';
import { WITHOUT_KEY, type Caller } from './caller.js';

/** Always full: most grants evict a lease. */
const EVICTING: PoolSetting = {
  name: 'evicting',
  kind: 'fixed',
  size: 12,
  ttl_seconds: 3,
  idle_ttl_seconds: null,
  on_exhausted: 'evict_oldest',
};

/** Sometimes full: callers get a refusal until a lease ends. */
const REJECTING: PoolSetting = {
  name: 'rejecting',
  kind: 'fixed',
  size: 8,
  ttl_seconds: 0.8,
  idle_ttl_seconds: null,
  on_exhausted: 'reject',
};

/** The pool that exists from the first start and has the short routes. */
const ELASTIC: PoolSetting = {
  name: 'elastic',
  kind: 'elastic',
  size: 6,
  ttl_seconds: 0.6,
  idle_ttl_seconds: 1.2,
  on_exhausted: 'reject',
};

/** A pool with quotas: few users with several keys, who want more than their share. */
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

/** Things that come, change and go while clients select them and ask for them by name. */
const THINGS: PoolSetting = {
  name: 'things',
  kind: 'listed',
  size: 20,
  ttl_seconds: 1.5,
  idle_ttl_seconds: null,
  on_exhausted: 'evict_oldest',
};

/** Few tokens, for which many wait in line. */
export const LINE: PoolSetting = {
  name: 'line',
  kind: 'fixed',
  size: 12,
  ttl_seconds: 1,
  idle_ttl_seconds: null,
  on_exhausted: 'reject',
  claim_seconds: 1,
};

/** A pool whose tokens rest and are cleaned after each user. */
export const CLEANED: PoolSetting = {
  name: 'cleaned',
  kind: 'fixed',
  size: 10,
  ttl_seconds: 1,
  idle_ttl_seconds: null,
  on_exhausted: 'reject',
  cooldown_seconds: 0.5,
  clean_within_seconds: 0.6,
  max_cleans: 2,
};

/** The names of things, and what clients select. */
export const NAMES: readonly string[] = Array.from({ length: 16 }, (_, n) => `thing-${n}`);
export const COUNTRIES: readonly string[] = ['at', 'ch', 'de'];

/** The pools that every release can create. */
export const PLAIN_POOLS: readonly PoolSetting[] = [EVICTING, REJECTING, ELASTIC];

export const POOLS: readonly PoolSetting[] = [...PLAIN_POOLS, FAIR, THINGS];

/** The users of a pool with quotas. The first one is greedy. */
export const USERS: readonly string[] = [1, 2, 3, 4, 5, 6].map((one) => `c4a05000-0000-4000-8000-00000000000${one}`);

/** Settings of the pools that a run creates. */
const LEASES: Readonly<Record<string, object>> = {
  [EVICTING.name]: { renewable: true, max_lifetime_seconds: 6 },
  [REJECTING.name]: { renewable: false },
  [FAIR.name]: { renewable: true, max_lifetime_seconds: 4 },
  [LINE.name]: { renewable: false, max_waiting: 1000, patience_seconds: 30 },
  [CLEANED.name]: { renewable: false, after_use: 'clean', disable_after_unclean: 3 },
  [THINGS.name]: { renewable: true, max_lifetime_seconds: 6, release_authority: 'anyone' },
};

/** Creates the missing pools through the service on that port. @throws Error when it refuses one */
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

/** The sweep runs often, so that it meets faults. */
export const SERVICE_ENV: Readonly<Record<string, string>> = {
  ELASTIC_POOL_SIZE: String(ELASTIC.size),
  ELASTIC_TTL_SECONDS: String(ELASTIC.ttl_seconds),
  ELASTIC_IDLE_TTL_SECONDS: String(ELASTIC.idle_ttl_seconds),
  SWEEP_INTERVAL_MS: '150',
  SECRETS_KEY: Buffer.alloc(32, 'chaos').toString('base64'),
};
