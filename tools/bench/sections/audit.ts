// Measures an audit of a pool's whole past on the machine of its PostgreSQL: the auditor fetches, folds and checks each
// page, and compares the fold with the tables. Also measures the share of the chain of hashes.

import { auditPool } from '@app/tokens';
import type { Bench } from '../bench.js';
import { withClient } from '../cluster.js';
import { median } from '../../harness/numbers.js';
import { makePast } from '../past.js';
import { openService } from '../../harness/service.js';

export interface AuditedPool {
  readonly tokens: number;
  readonly events: number;
  /** The time of one audit from its first statement to its report; the median of the rounds. */
  readonly seconds: number;
  /** The same for a pool whose chain begins only after all of these events. */
  readonly secondsWithoutChain: number;
}

export interface AuditResult {
  readonly pools: readonly AuditedPool[];
}

/** @throws Error when the auditor has a finding about the generated rows */
export async function measureAudit({ isShort, rounds, cluster, say }: Bench): Promise<AuditResult> {
  const events = isShort ? 50_000 : 1_000_000;
  const pasts = [100, events / 10].map((tokens) => ({ pool: `of-${tokens}`, tokens, grants: events / 2 }));
  const database = await cluster.createDatabase('audit');
  await withClient(database.url, async (client) => {
    for (const past of pasts) await makePast(client, past, say);
  });
  const service = await openService(database.url);
  const pools: AuditedPool[] = [];
  for (const { pool, tokens } of pasts) {
    const audit = async (chainedAfter: 'last_seq' | '0'): Promise<number> => {
      await withClient(database.url, (client) =>
        client.query(`UPDATE pools SET chained_after = ${chainedAfter} WHERE name = $1`, [pool]),
      );
      const begun = performance.now();
      const { findings } = await auditPool(service.readers.audit, pool);
      const took = (performance.now() - begun) / 1000;
      if (findings[0] !== undefined) throw new Error(`the auditor finds what is not so: ${findings[0]}`);
      return took;
    };
    const times: number[] = [];
    const timesWithoutChain: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const [without, took] = [await audit('last_seq'), await audit('0')];
      timesWithoutChain.push(without);
      times.push(took);
      say(
        `round ${round}/${rounds}: ${events} events of ${tokens} tokens audited in ${took.toFixed(2)} s, without the chain in ${without.toFixed(2)} s`,
      );
    }
    pools.push({ tokens, events, seconds: median(times), secondsWithoutChain: median(timesWithoutChain) });
  }
  await service.close();
  await database.drop();
  return { pools };
}
