// What the chain of hashes costs: allocations in the process with it and without it, and the hash alone.

import { register } from 'node:module';
import { CHAIN_BEGINS, nextHash } from '@app/tokens';
import type { Bench } from '../bench.js';
import { median } from '../../harness/numbers.js';
import type { Row } from '../rounds.js';
import type * as OfService from '../service.js';
import { createFullPool, openService, USER, type Service } from '../service.js';
import { inProcess, sideBySide } from '../side-by-side.js';
import { MARK } from '../without-chain.js';

export const WITH_CHAIN = 'allocate';
export const WITHOUT_CHAIN = 'allocate, without the chain';

export interface ChainResult {
  readonly rows: readonly Row[];
  /** Of the hash of one event, in microseconds. */
  readonly hashMicros: number;
}

export async function measureChain(bench: Bench): Promise<ChainResult> {
  const { isShort, cluster } = bench;
  register('../without-chain.js', import.meta.url);
  const without = (await import(`../service.js${MARK}`)) as typeof OfService;
  const database = await cluster.createDatabase('chain');
  const services = {
    [WITH_CHAIN]: await openService(database.url),
    [WITHOUT_CHAIN]: await without.openService(database.url),
  };
  const contenders = [];
  for (const [place, [what, service]] of Object.entries(services).entries()) {
    await createFullPool(service, `chain-${place}`, 100);
    contenders.push(inProcess(what, () => service.service.allocate(`chain-${place}`, { userId: USER })));
  }
  const rows = await sideBySide(bench, contenders, isShort ? [100] : [1, 100]);
  const [event] = await services[WITHOUT_CHAIN].readers.audit.events('chain-1', 0, 1);
  if (event?.hash !== '') throw new Error('the service without the chain has one all the same');
  const hashMicros = await microsOfHash(services[WITH_CHAIN], 'chain-0');
  for (const service of Object.values(services)) await service.close();
  await database.drop();
  return { rows, hashMicros };
}

async function microsOfHash({ readers }: Service, pool: string): Promise<number> {
  const events = await readers.audit.events(pool, 0, 5000);
  const times = Array.from({ length: 20 }, () => {
    const begun = performance.now();
    let hash = CHAIN_BEGINS;
    for (const event of events) hash = nextHash(hash, event);
    return ((performance.now() - begun) * 1000) / events.length;
  });
  return median(times);
}
