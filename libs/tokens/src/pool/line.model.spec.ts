// Random commands on pools with a line, by what each loads, in memory: the auditor finds nothing, and as many tickets
// are open as the pool counts.

import fc from 'fast-check';
import { asStored, Auditor } from '../audit/auditor.js';
import {
  allocate,
  cancel,
  changePolicy,
  claim,
  deleteToken,
  generate,
  queue,
  release,
  type Command,
} from '../commands/command.js';
import { Executor } from '../commands/executor.js';
import { sweep } from '../commands/sweep.js';
import { DomainError } from '../kernel/domain-error.js';
import { elastic, fixed, NOW, SECOND, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { eventView } from '../testing/views.js';
import type { PoolPolicy } from './pool-policy.js';

const LINE = { maxWaiting: 8, maxWaitingPerUser: 3, claimSeconds: 3, patienceSeconds: 20 };
const POLICIES: [string, PoolPolicy][] = [
  ['fixed', fixed({ size: 3, ttlSeconds: 10, onExhausted: 'reject', ...LINE })],
  [
    'renewable',
    fixed({ size: 3, ttlSeconds: 5, renewable: true, maxLifetimeSeconds: 15, onExhausted: 'reject', ...LINE }),
  ],
  ['evicting what is not protected', fixed({ size: 3, ttlSeconds: 30, protectSeconds: 4, ...LINE })],
  ['evicting by share', fixed({ size: 4, ttlSeconds: 30, protectSeconds: 4, evict: 'over_share_first', ...LINE })],
  [
    'elastic, with quotas',
    elastic({ size: 4, ttlSeconds: 10, idleTtlSeconds: 5, maxPerUser: 3, maxPerKey: 6, ...LINE }),
  ],
];

const n = fc.nat({ max: 11 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('allocate' as const), n }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('queue' as const), n, count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('claim' as const), n }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), n }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), n }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('generate' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), n, force: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      change: fc.constantFrom({ status: 'paused' as const }, { status: 'open' as const }, { size: 2 }, { size: 4 }),
    }),
  },
);
const rounds = fc.array(
  fc.record({
    seconds: fc.constantFrom(0, 0, 0.5, 1, 3, 6),
    steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  }),
  { minLength: 5, maxLength: 60, size: 'max' },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

test.each(POLICIES)('keeps order and promises in a pool that is %s', async (_, policy) => {
  let [offers, late] = [0, 0];
  const property = fc.asyncProperty(rounds, async (all) => {
    let now = NOW;
    const repository = new InMemoryTokenPoolRepository(() => now);
    const executor = new Executor(repository);
    const { name } = policy;
    await repository.create(policy, (pool) => pool.fill(100));
    const pick = <T>(of: readonly T[], at: number): T | undefined => of[at % Math.max(1, of.length)];
    const commandOf = (one: Step): Command<unknown> | null => {
      const { tokens, tickets } = repository.look(name);
      const ticket = 'n' in one ? pick([...tickets.keys()], one.n) : undefined;
      const token = 'n' in one ? pick([...tokens.values()], one.n) : undefined;
      switch (one.do) {
        case 'allocate':
          return allocate({ userId: user(one.n) });
        case 'queue':
          return queue({ userId: user(one.n), count: one.count });
        case 'claim':
          return ticket === undefined ? null : claim(ticket, 0);
        case 'cancel':
          return ticket === undefined ? null : cancel(ticket);
        case 'release':
          return token ? release(token.id, { force: true }) : null;
        case 'delete':
          return token ? deleteToken(token.id, one.force) : null;
        case 'generate':
          return generate();
        case 'change':
          return changePolicy(one.change, null);
        case 'sweep':
          return null;
      }
    };
    for (const { seconds, steps } of all) {
      now += seconds * SECOND;
      const work = steps.map((one): Promise<unknown> => {
        if (one.do === 'sweep') return sweep(repository, executor);
        const command = commandOf(one);
        return command ? executor.submit(name, command) : Promise.resolve();
      });
      for (const result of await Promise.allSettled(work)) {
        if (result.status === 'rejected' && !(result.reason instanceof DomainError)) throw result.reason;
      }
    }
    const { state, events, tickets } = repository.look(name);
    const auditor = new Auditor(state.policy.size);
    for (const event of events) auditor.add(asStored(eventView(name, event)));
    expect(auditor.finish()).toEqual([]);
    const open = [...tickets.values()].filter(({ status }) => status === 'waiting' || status === 'offered');
    expect(state.openTickets).toBe(open.length);
    offers += events.filter(({ reason }) => reason === 'offered').length;
    late += auditor.lateOffers;
  });
  await fc.assert(property, { numRuns: 150 });
  expect(offers).toBeGreaterThan(300);
  expect(late).toBeGreaterThanOrEqual(0);
});
