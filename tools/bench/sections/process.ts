// Compares group commit with one transaction a command and with SKIP LOCKED, in the process and without HTTP.

import { DomainError } from '@app/tokens';
import type { Bench } from '../bench.js';
import { call } from '../callers.js';
import { inRounds, type Case, type Row } from '../rounds.js';
import { measureAnatomy, type Anatomy } from './anatomy.js';
import { BATCHES_OF_ONE, createFullPool, USER } from '../service.js';
import { openService, type Service } from '../../harness/service.js';
import { burstsOfService, burstsOfSkipLocked, SkipLocked, type BurstFaults } from '../skip-locked.js';

export const ALLOCATE = 'allocate';
export const PAIR = 'allocate and release';
export const KEEP_ALIVE = 'keep-alive';
export const ALONE = ', batches of one';
export const SKIP_LOCKED = 'allocate, SKIP LOCKED without the lock';

export interface ProcessResult {
  readonly rows: readonly Row[];
  readonly faults: readonly (BurstFaults & { readonly what: string })[];
  /** Answers "no token" of SKIP LOCKED while rows were only locked, during the measurement of its rate. */
  readonly falselyNone: number;
  /** Second ends of one lease by SKIP LOCKED, which only the audit's index refused. */
  readonly refused: number;
  /** null for a server whose log the bench cannot read */
  readonly anatomy: readonly Anatomy[] | null;
}

/** The callers of a burst. */
const CALLERS = 40;
/** Fewer tokens than a burst has callers, each of which must still get one. */
const FEW = 20;

export async function measureProcess(bench: Bench): Promise<ProcessResult> {
  const { isShort, rounds, cluster, say } = bench;
  const database = await cluster.createDatabase('process');
  const lockless = await cluster.createDatabase('skip_locked');
  const together = await openService(database.url);
  const alone = await openService(database.url, BATCHES_OF_ONE);
  const filler = await openService(lockless.url);
  await createFullPool(filler, 'a', 100);
  for (const one of [together, filler]) await createFullPool(one, 'few', FEW);
  const skipLocked = await SkipLocked.on(lockless.url);
  const seconds = isShort ? 0.3 : 2;
  const callers = isShort ? [1, 100] : [1, 16, 100, 400];
  const works = [
    ...(await worksOf(together, 'together', '')),
    ...(await worksOf(alone, 'alone', ALONE)),
    { what: SKIP_LOCKED, work: () => skipLocked.allocate('a') },
  ];
  say('warming up');
  for (const { work } of works) await call(100, isShort ? 0.3 : 2, work);
  const cases = callers.flatMap((at) =>
    works.map(({ what, work }): Case => ({ what, at, measure: () => call(at, seconds, work) })),
  );
  const rows = await inRounds(rounds, cases, say);
  const { falselyNone, refused } = skipLocked;
  const faults = [];
  for (const tokens of [100, FEW]) {
    const burst = { tokens, callers: CALLERS, count: isShort ? 20 : 200 };
    say(`${burst.count} bursts of ${CALLERS} callers at once on ${tokens} tokens: counting wrong answers`);
    faults.push(
      { what: ALLOCATE, ...(await burstsOfService(together, { ...burst, pool: tokens === FEW ? 'few' : 'together' })) },
      {
        what: SKIP_LOCKED,
        ...(await burstsOfSkipLocked(skipLocked, { ...burst, pool: tokens === FEW ? 'few' : 'a' })),
      },
    );
  }
  for (const one of [together, alone, filler, skipLocked]) await one.close();
  for (const one of [database, lockless]) await one.drop();
  const anatomy = await measureAnatomy(bench, isShort ? 0.5 : 3);
  return { rows, faults, falselyNone, refused, anatomy };
}

interface Work {
  readonly what: string;
  readonly work: (caller: number) => Promise<unknown>;
}

async function worksOf(service: Service, pool: string, suffix: string): Promise<Work[]> {
  await createFullPool(service, pool, 100);
  await createFullPool(service, `${pool}-pairs`, 100);
  const kept = `${pool}-kept`;
  await createFullPool(service, kept, 100);
  const leases = await Promise.all(Array.from({ length: 100 }, () => service.service.allocate(kept, { userId: USER })));
  return [
    { what: ALLOCATE + suffix, work: () => service.service.allocate(pool, { userId: USER }) },
    { what: PAIR + suffix, work: () => pair(service, `${pool}-pairs`) },
    {
      what: KEEP_ALIVE + suffix,
      work: (caller) => {
        const { tokenId, leaseId } = leases[caller % leases.length]!;
        return service.service.keepAlive(tokenId, { leaseId });
      },
    },
  ];
}

/** With more callers than tokens, the lease may be evicted before its release; that refusal counts as an answer. */
async function pair({ service }: Service, pool: string): Promise<void> {
  const { tokenId, leaseId } = await service.allocate(pool, { userId: USER });
  try {
    await service.release(tokenId, { leaseId });
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'lease_ended') throw error;
  }
}
