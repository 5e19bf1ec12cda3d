// Holders of tokens, who renew and release them at a pace of their own during the storm.

import { setTimeout as sleep } from 'node:timers/promises';
import { Tally } from './tally.js';
import { requestTo, Wire } from '../../harness/wire.js';

export interface Holders {
  readonly allocates: Tally;
  /** Keep-alives and releases. */
  readonly rest: Tally;
}

/** Each holder takes a token, renews it twice and releases it, with pauses between. */
export async function hold(
  port: number,
  pool: string,
  count: number,
  pauseMs: number,
  isOver: () => boolean,
): Promise<Holders> {
  const holders = { allocates: new Tally(), rest: new Tally() };
  await Promise.all(Array.from({ length: count }, (_, place) => holdOn(port, pool, (place / count) * pauseMs)));
  return holders;

  async function holdOn(at: number, name: string, firstPause: number): Promise<void> {
    const wire = new Wire(at);
    await sleep(firstPause);
    while (!isOver()) {
      const grant = await wire.ask(requestTo('/api/tokens/allocate', { pool: name }));
      holders.allocates.count(grant);
      await sleep(pauseMs);
      if (grant?.status !== 200) continue;
      const { token_id, lease_id } = JSON.parse(grant.body.toString()) as { token_id: string; lease_id: string };
      for (const what of ['keep-alive', 'keep-alive', 'release']) {
        holders.rest.count(await wire.ask(requestTo(`/api/tokens/${token_id}/${what}`, { lease_id })));
        if (isOver()) break;
        await sleep(pauseMs);
      }
    }
    wire.close();
  }
}
