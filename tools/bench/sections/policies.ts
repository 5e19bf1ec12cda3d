// What fair pools cost, in the process: allocations of 100 callers, for many users, on a full pool without rules and with some.

import { randomUUID } from 'node:crypto';
import { ANYBODY, type PolicyChange } from '@app/tokens';
import type { Bench } from '../bench.js';
import { call } from '../callers.js';
import { withClient } from '../cluster.js';
import { makePast } from '../past.js';
import type { Row } from '../rounds.js';
import { openService } from '../service.js';
import { sideBySide, type Contender } from '../side-by-side.js';

export const DEFAULT = 'evict: oldest';

const POLICIES: Readonly<Record<string, PolicyChange>> = {
  [DEFAULT]: {},
  'evict: over_share_first': { evict: 'over_share_first' },
  // Greater than any number of leases here, and shorter than a transaction: looked at, and refuses nobody.
  'max_per_user, max_per_key, protect_seconds': { maxPerUser: 1_000_000, maxPerKey: 1_000_000, protectSeconds: 0.0001 },
};

const CALLERS = 100;
const USERS = Array.from({ length: 1000 }, () => randomUUID());
const CALLER = { ...ANYBODY, keyId: 'bench' };

export interface PoliciesResult {
  /** `at` is the number of tokens. */
  readonly rows: readonly Row[];
}

export async function measurePolicies(bench: Bench): Promise<PoliciesResult> {
  const { isShort, cluster, say } = bench;
  const database = await cluster.createDatabase('policies');
  const service = await openService(database.url);
  const sizes = isShort ? [100] : [100, 10_000];
  const contenders: Contender[] = [];
  for (const [place, [what, policy]] of Object.entries(POLICIES).entries()) {
    const poolOf = (tokens: number): string => `policy-${place}-of-${tokens}`;
    for (const tokens of sizes) {
      const past = { pool: poolOf(tokens), tokens, grants: tokens };
      await withClient(database.url, (client) => makePast(client, past, say));
      await service.service.changePool(past.pool, policy);
    }
    let asked = 0;
    const allocate = (tokens: number) =>
      service.service.allocate(poolOf(tokens), { userId: USERS[asked++ % USERS.length]! }, { caller: CALLER });
    contenders.push({
      what,
      server: null,
      ask: (tokens, seconds) => call(CALLERS, seconds, () => allocate(tokens)),
    });
  }
  const rows = await sideBySide(bench, contenders, sizes);
  await service.close();
  await database.drop();
  return { rows };
}
