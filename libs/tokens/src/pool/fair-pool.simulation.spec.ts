// Simulates ten minutes in a pool of 40 tokens under each policy: twenty users take one token for a while, and one user
// takes as many as possible. docs/fair-pools.md has the table of the results.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decideBatch } from '../commands/batch.js';
import { allocate, release } from '../commands/command.js';
import { together } from '../commands/load-spec.js';
import type { PolicyChange } from './pool-policy.js';
import { NOW, SECOND, fixed, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { isEviction } from './token-event.js';
import type { Grant } from './requests.js';

const PAGE = join(__dirname, '../../../../docs/fair-pools.md');
const POLITE = 20;
const GREEDY = user(1000);
/** A polite one holds a token for so long, gives it back, and comes again as much later. */
const USE = 30;
const MINUTES = 10;

interface Outcome {
  /**
   * Uses that were granted to the polite, refused, and cut short; how long those lasted on average that are over, in
   * seconds.
   */
  readonly granted: number;
  readonly refused: number;
  readonly evicted: number;
  readonly lasted: number;
  /** Tokens that the greedy one holds on average. */
  readonly greedyHolds: number;
}

/** Seconds in steps of a tenth: the greedy one asks at each, the polite in turn, one every three seconds. */
async function simulate(given: PolicyChange): Promise<Outcome> {
  let now = NOW;
  const repository = new InMemoryTokenPoolRepository(() => now);
  const policy = fixed({ size: 40, ttlSeconds: 60, ...given });
  await repository.create(policy, (pool) => pool.fill(40));
  const ask = async (userId: string): Promise<Grant | null> => {
    const command = allocate({ userId });
    const [outcome] = await repository.change(policy.name, together([command.loads]), (pool) =>
      decideBatch(pool, [command]),
    );
    return outcome && outcome !== 'deferred' && 'value' in outcome ? (outcome.value as Grant) : null;
  };
  let [granted, refused, evicted, lasted, greedyHolds] = [0, 0, 0, 0, 0];
  const uses = new Map<number, Grant>();
  const steps = MINUTES * 600;
  for (let step = 1; step <= steps; step++) {
    now = NOW + (step * SECOND) / 10;
    for (let polite = 0; polite < POLITE; polite++) {
      const turn = step - polite * 30;
      if (turn <= 0 || turn % (USE * 10) !== 0) continue;
      const use = uses.get(polite);
      uses.delete(polite);
      if (use && repository.look(policy.name).tokens.get(use.tokenId)?.lease?.fence === use.fence) {
        await repository.change(policy.name, together([release(use.tokenId, {}).loads]), (pool) =>
          pool.release(use.tokenId, {}),
        );
        lasted += USE;
      }
      if ((turn / (USE * 10)) % 2 === 0) continue;
      const grant = await ask(user(polite));
      if (!grant) refused++;
      else {
        granted++;
        uses.set(polite, grant);
      }
    }
    await ask(GREEDY);
    const { tokens, events } = repository.look(policy.name);
    for (const { tokenId, lease, reason } of events.splice(0)) {
      const [polite] = [...uses].find(([, use]) => use.tokenId === tokenId && use.fence === lease?.fence) ?? [];
      if (!isEviction(reason) || polite === undefined) continue;
      lasted += (now - uses.get(polite)!.activatedAt) / SECOND;
      uses.delete(polite);
      evicted++;
    }
    for (const { lease } of tokens.values()) if (lease?.userId === GREEDY) greedyHolds++;
  }
  return {
    granted,
    refused,
    evicted,
    lasted: lasted / Math.max(granted - uses.size, 1),
    greedyHolds: greedyHolds / steps,
  };
}

const simulations: [string, PolicyChange][] = [
  ['`evict: oldest`', {}],
  ['`evict: oldest`, `protect_seconds: 20`', { protectSeconds: 20 }],
  ['`evict: over_share_first`', { evict: 'over_share_first' }],
  ['`evict: over_share_first`, `protect_seconds: 20`', { evict: 'over_share_first', protectSeconds: 20 }],
  ['`max_per_user: 5`', { maxPerUser: 5 }],
  ['`on_exhausted: reject`', { onExhausted: 'reject' }],
];
const outcomes = new Map<string, Outcome>();
const outcomeOf = (name: string): Outcome => outcomes.get(name)!;

beforeAll(async () => {
  for (const [name, given] of simulations) outcomes.set(name, await simulate(given));
});

test('a greedy user takes the tokens of all others where the pool evicts the oldest lease', () => {
  const { granted, evicted, lasted, greedyHolds } = outcomeOf('`evict: oldest`');
  expect(evicted).toBeGreaterThan(0.95 * granted);
  expect(lasted).toBeLessThan(5);
  expect(greedyHolds).toBeGreaterThan(35);
});

test('protection gives everybody that long, and turns most of the polite away', () => {
  const { granted, refused, lasted } = outcomeOf('`evict: oldest`, `protect_seconds: 20`');
  expect(lasted).toBeGreaterThanOrEqual(20);
  expect(refused).toBeGreaterThan(granted);
});

test.each(['`evict: over_share_first`', '`max_per_user: 5`'])(
  'none of the polite is refused or evicted with %s',
  (name) => {
    expect(outcomeOf(name)).toMatchObject({ refused: 0, evicted: 0, lasted: USE });
  },
);

test('with both nobody is evicted, but newcomers wait for the protection of what the greedy one took', () => {
  const { evicted, refused } = outcomeOf('`evict: over_share_first`, `protect_seconds: 20`');
  expect(evicted).toBe(0);
  expect(refused).toBeGreaterThan(0);
});

test('the page shows these figures', () => {
  const rows = [...outcomes].map(([name, { granted, refused, evicted, lasted, greedyHolds }]) =>
    [name, granted, refused, evicted, `${lasted.toFixed(1)} s`, greedyHolds.toFixed(1)].join(' | '),
  );
  const page = readFileSync(PAGE, 'utf8').replace(/ +\| +/g, ' | ');
  for (const row of rows) expect(page).toContain(row);
});
