// The obvious alternative, for comparison only: one statement an allocation, without a lock on the pool; it skips rows
// that others have locked. It writes the same rows as the service, with numbers from sequences. It is wrong.

import { Pool } from 'pg';
import { USER } from './service.js';
import type { Service } from '../harness/service.js';
import { withClient } from './cluster.js';

/** As many sessions as a burst has callers, so that no caller waits for a session. */
const SESSIONS = 40;

const LEASE = 'status, user_id, lease_id, fence, last_activated_at, expires_at';
const EVENT =
  'pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id, activated_at, expires_at';

/** $1 pool, $2 user. Takes free tokens first, then the oldest lease; it does not see rows that others have locked. */
const ALLOCATE = `
  WITH free AS MATERIALIZED (
    SELECT id, ${LEASE} FROM tokens WHERE pool = $1 AND status = 'available'
    ORDER BY free_since, id LIMIT 1 FOR UPDATE SKIP LOCKED
  ), oldest AS MATERIALIZED (
    SELECT id, ${LEASE} FROM tokens WHERE pool = $1 AND status = 'active' AND NOT EXISTS (SELECT FROM free)
    ORDER BY fence LIMIT 1 FOR UPDATE SKIP LOCKED
  ), victim AS MATERIALIZED (
    SELECT *, nextval('bench_fence') AS new_fence, gen_random_uuid() AS new_lease, clock_timestamp() AS now
    FROM (TABLE free UNION ALL TABLE oldest) either
  ), ended AS (
    INSERT INTO token_events (${EVENT})
    SELECT $1, nextval('bench_seq'), gen_random_uuid(), id, 'released', 'lru_eviction', now, now, user_id, fence,
      lease_id, last_activated_at, expires_at FROM victim WHERE status = 'active'
  ), begun AS (
    INSERT INTO token_events (${EVENT})
    SELECT $1, nextval('bench_seq'), gen_random_uuid(), id, 'activated', 'allocated_after_eviction', now, now,
      $2::uuid, new_fence, new_lease, now, now + interval '1 day' FROM victim
  )
  UPDATE tokens SET status = 'active', user_id = $2::uuid, lease_id = new_lease, fence = new_fence,
    last_activated_at = now, expires_at = now + interval '1 day', free_since = NULL
  FROM victim v WHERE tokens.pool = $1 AND tokens.id = v.id
  RETURNING tokens.id AS token_id, tokens.fence::int, v.fence::int AS evicted_fence`;

interface Granted {
  readonly token_id: string;
  readonly fence: number;
  readonly evicted_fence: number | null;
}

export class SkipLocked {
  /** Answers "no token" while rows were only locked. */
  falselyNone = 0;
  /** Second ends of one lease, which only the audit's index refused. */
  refused = 0;

  private constructor(private readonly sessions: Pool) {}

  /** Works on existing pools; its fences and seqs go on from a million. */
  static async on(url: string): Promise<SkipLocked> {
    await withClient(url, async (client) => {
      await client.query('CREATE SEQUENCE bench_fence START 1000001; CREATE SEQUENCE bench_seq START 1000001');
    });
    const options = '-c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan -c jit=off';
    return new SkipLocked(new Pool({ connectionString: url, max: SESSIONS, options }));
  }

  async allocate(pool: string): Promise<Granted | null> {
    try {
      const { rows } = await this.sessions.query<Granted>({ name: 'allocate', text: ALLOCATE, values: [pool, USER] });
      if (!rows[0]) this.falselyNone++;
      return rows[0] ?? null;
    } catch (error) {
      if ((error as { code?: string }).code !== '23505') throw error;
      this.refused++;
      return null;
    }
  }

  close(): Promise<void> {
    return this.sessions.end();
  }
}

/** The wrong answers to concurrent callers of a full pool. */
export interface BurstFaults {
  readonly bursts: number;
  readonly callers: number;
  readonly tokens: number;
  /** Grants of a token that another caller of the burst got, too; null with fewer tokens than callers. */
  readonly grantedTwice: number | null;
  /** Leases of the burst itself that were evicted although older ones existed. */
  readonly freshLeasesLost: number | null;
  /** Answers "no token", and missing answers. */
  readonly falselyNone: number;
}

interface Given {
  readonly tokenId: string;
  readonly fence: number;
  readonly evictedFence: number | null;
}

export interface Burst {
  readonly pool: string;
  readonly tokens: number;
  readonly callers: number;
  readonly count: number;
}

/** @param allocate returns null without a grant */
async function bursts(burst: Burst, allocate: (pool: string) => Promise<Given | null>): Promise<BurstFaults> {
  const { pool, tokens, callers, count } = burst;
  const isEnough = tokens >= callers;
  let [grantedTwice, freshLeasesLost, falselyNone] = [0, 0, 0];
  let newest = (await allocate(pool))?.fence ?? 0;
  for (let i = 0; i < count; i++) {
    const before = newest;
    const given = await Promise.all(Array.from({ length: callers }, () => allocate(pool)));
    const grants = given.filter((one) => one !== null);
    falselyNone += callers - grants.length;
    if (isEnough) {
      grantedTwice += grants.length - new Set(grants.map(({ tokenId }) => tokenId)).size;
      freshLeasesLost += grants.filter(({ evictedFence }) => (evictedFence ?? 0) > before).length;
    }
    newest = Math.max(newest, ...grants.map(({ fence }) => fence));
  }
  const faults = isEnough ? { grantedTwice, freshLeasesLost } : { grantedTwice: null, freshLeasesLost: null };
  return { bursts: count, callers, tokens, ...faults, falselyNone };
}

export const burstsOfService = ({ service }: Service, burst: Burst): Promise<BurstFaults> =>
  bursts(burst, async (pool) => {
    const { tokenId, fence, evicted } = await service.allocate(pool, { userId: USER });
    return { tokenId, fence, evictedFence: evicted && evicted.fence };
  });

export const burstsOfSkipLocked = (skipLocked: SkipLocked, burst: Burst): Promise<BurstFaults> =>
  bursts(burst, async (pool) => {
    const granted = await skipLocked.allocate(pool);
    return granted && { tokenId: granted.token_id, fence: granted.fence, evictedFence: granted.evicted_fence };
  });
