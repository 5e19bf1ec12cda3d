// Random commands on pools that keep tokens back between two users, by what each loads, in memory: the auditor finds
// nothing, the counters are those of the tokens, and what a slice decides is what the whole pool would.

import fc from 'fast-check';
import { asStored, Auditor } from '../audit/auditor.js';
import {
  allocate,
  changePolicy,
  clean,
  claim,
  cleanup,
  deleteToken,
  disable,
  enable,
  generate,
  giveBack,
  keepAlive,
  queue,
  release,
  type Command,
} from '../commands/command.js';
import { Executor } from '../commands/executor.js';
import { sweep } from '../commands/sweep.js';
import { DomainError } from '../kernel/domain-error.js';
import { elastic, fixed, NOW, SECOND, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { eventView, tokenView } from '../testing/views.js';
import { CONDITIONS } from './lease-claim.js';
import type { PoolPolicy } from './pool-policy.js';
import { statusOf } from './token.js';

const CLEANED = { afterUse: 'clean', cleanWithinSeconds: 6, maxCleans: 2 } as const;
const LINE = { maxWaiting: 8, maxWaitingPerUser: 3, claimSeconds: 3, patienceSeconds: 20 };
const POLICIES: [string, PoolPolicy][] = [
  ['cools tokens down', fixed({ size: 3, ttlSeconds: 10, cooldownSeconds: 4 })],
  ['cools down after unclean ends', fixed({ size: 3, ttlSeconds: 10, cooldownSeconds: 4, cooldownAfter: 'unclean' })],
  ['cleans', fixed({ size: 3, ttlSeconds: 10, ...CLEANED })],
  ['cleans and cools down', elastic({ size: 4, ttlSeconds: 10, idleTtlSeconds: 5, cooldownSeconds: 3, ...CLEANED })],
  ['disables after unclean ends', fixed({ size: 3, ttlSeconds: 5, disableAfterUnclean: 2, onExhausted: 'reject' })],
  ['evicts', fixed({ size: 4, ttlSeconds: 30 })],
  ['evicts by share', fixed({ size: 4, ttlSeconds: 30, evict: 'over_share_first', disableAfterUnclean: 2 })],
  [
    'has a line, and does all of it',
    fixed({
      ...{ size: 3, ttlSeconds: 10, renewable: true, maxLifetimeSeconds: 15, cooldownSeconds: 2 },
      ...{ disableAfterUnclean: 3, maxPerUser: 3, ...CLEANED, ...LINE },
    }),
  ],
];

const n = fc.nat({ max: 11 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('allocate' as const), n, isNamed: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      n,
      condition: fc.constantFrom(undefined, ...CONDITIONS),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('clean' as const), n }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('disable' as const), n, whenFree: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('enable' as const), n }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('keep-alive' as const), n }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('queue' as const), n }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('claim' as const), n }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('give-back' as const), n }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), n, force: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('generate' as const, 'cleanup' as const, 'sweep' as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      change: fc.constantFrom(
        ...[{ size: 2 }, { size: 4 }, { cooldownSeconds: 2 }, { cooldownSeconds: null }, { maxCleans: 1 }],
        ...[{ afterUse: 'clean' as const }, { afterUse: 'available' as const }, { disableAfterUnclean: 1 }],
        ...[{ status: 'paused' as const }, { status: 'open' as const }],
      ),
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

test.each(POLICIES)('grants nothing that is kept back in a pool that %s', async (_, policy) => {
  const told = new Set<string>();
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
          return allocate({ userId: user(one.n), ...(one.isNamed && token && { tokenId: token.id }) });
        case 'release':
          return token?.lease ? release(token.id, { userId: token.lease.userId, condition: one.condition }) : null;
        case 'clean':
          return clean({ userId: user(one.n) });
        case 'disable':
          return token ? disable(token.id, `reason ${one.n}`, one.whenFree) : null;
        case 'enable':
          return token ? enable(token.id, undefined) : null;
        case 'keep-alive':
          return token?.lease ? keepAlive(token.id, { userId: token.lease.userId }) : null;
        case 'queue':
          return queue({ userId: user(one.n), count: 1 });
        case 'claim':
          return ticket === undefined ? null : claim(ticket, 0);
        case 'give-back':
          return token?.lease ? giveBack(token.id, token.lease.leaseId) : null;
        case 'delete':
          return token ? deleteToken(token.id, one.force) : null;
        case 'generate':
          return generate();
        case 'cleanup':
          return cleanup();
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
      mustBeCounted(repository, name);
    }
    const { state, events, tokens } = repository.look(name);
    const auditor = new Auditor(state.policy.size);
    for (const event of events) auditor.add(asStored(eventView(name, event)));
    expect(auditor.finish()).toEqual([]);
    const shown = [...tokens.values()].map((token) => tokenView(name, token, now, false, null, state));
    expect(auditor.compare(shown, now)).toEqual([]);
    for (const { event, reason } of events) told.add(reason ?? event);
  });
  await fc.assert(property, { numRuns: 150 });
  expect([...told]).toEqual(
    expect.arrayContaining(['reported_dirty', 'reported_broken', 'cleaning', 'cleaned', 'enabled']),
  );
});

function mustBeCounted(repository: InMemoryTokenPoolRepository, name: string): void {
  const { state, tokens } = repository.look(name);
  const statuses = [...tokens.values()].map((token) => statusOf(token, -Infinity));
  const counted = (status: string): number => statuses.filter((one) => one === status).length;
  const leases = [...tokens.values()].filter(({ lease }) => lease !== null).length;
  expect([state.tokenCount, state.leaseCount, state.dirtyCount, state.disabledCount, state.cleaningCount]).toEqual([
    ...[tokens.size, leases, counted('dirty'), counted('disabled'), counted('cleaning')],
  ]);
}
