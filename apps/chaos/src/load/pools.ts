// The pools of a run: small and short, so that in every second each rule about them is needed.

import type { PoolSetting } from '../history.js';

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

export const POOLS: readonly PoolSetting[] = [EVICTING, REJECTING, ELASTIC];

/** Bodies of POST /api/pools for those that are not there from the first start. */
export const POOLS_TO_MAKE: readonly object[] = [
  { ...EVICTING, renewable: true, max_lifetime_seconds: 6 },
  { ...REJECTING, renewable: false },
];

/** A sweep that comes often, so that it meets faults. */
export const SERVICE_ENV: Readonly<Record<string, string>> = {
  ELASTIC_POOL_SIZE: String(ELASTIC.size),
  ELASTIC_TTL_SECONDS: String(ELASTIC.ttl_seconds),
  ELASTIC_IDLE_TTL_SECONDS: String(ELASTIC.idle_ttl_seconds),
  SWEEP_INTERVAL_MS: '150',
};
