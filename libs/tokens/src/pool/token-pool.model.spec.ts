// Random commands against the pure core: after each one the answer is what the contract says, and every invariant
// holds. A failure prints fast-check's seed: MODEL_SEED replays it, MODEL_RUNS=100 looks a hundred times as long.

import crypto from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { asStored, Auditor } from '../audit/auditor.js';
import { decideBatch } from '../commands/batch.js';
import type { Command } from '../commands/command.js';
import { ANYBODY } from '../kernel/caller.js';
import { DomainError } from '../kernel/domain-error.js';
import type { Instant } from '../kernel/instant.js';
import { together, type LoadSpec } from '../commands/load-spec.js';
import type { PoolPolicy } from './pool-policy.js';
import { NOW, SECOND, elastic, fixed, wholeSlice } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { Ledger } from '../testing/ledger.js';
import {
  RIGHT_CLAIMS,
  WEAK_CLAIMS,
  WRONG_CLAIMS,
  answerOf,
  commandOf,
  expectedOf,
  inOneGo,
  isCommand,
  workOf,
  type Answer,
  type Before,
  type SingleStep,
  type Step,
} from '../testing/step.js';
import { eventView, tokenView, type RecordedEvent } from '../testing/views.js';
import type { PoolState } from './pool-slice.js';
import { TokenPool } from './token-pool.js';
import type { Token } from './token.js';

const LONGER = Number(process.env.MODEL_RUNS ?? 1);
const RUNS = 80 * LONGER;
const SEED = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) };
/** Commands that each of the properties below decides at least; there are twelve of them. */
const COMMANDS = 2_000;

jest.setTimeout(30_000 * Math.max(1, LONGER));

const POLICIES: [string, PoolPolicy][] = [
  ['fixed, evicting', fixed({ size: 4, ttlSeconds: 10 })],
  ['fixed, rejecting', fixed({ size: 4, ttlSeconds: 10, renewable: true, onExhausted: 'reject' })],
  [
    'of holders, with a maximum lifetime',
    fixed({ size: 3, ttlSeconds: 10, renewable: true, maxLifetimeSeconds: 25, releaseAuthority: 'holder' }),
  ],
  ['elastic, evicting', elastic({ size: 4, ttlSeconds: 10, idleTtlSeconds: null, onExhausted: 'evict_oldest' })],
  ['elastic, deleting idle tokens', elastic({ size: 4, ttlSeconds: 10, idleTtlSeconds: 15 })],
  [
    'elastic, evicting and deleting idle tokens',
    elastic({ size: 5, ttlSeconds: 10, idleTtlSeconds: 6, onExhausted: 'evict_oldest' }),
  ],
  ['fixed, with quotas', fixed({ size: 5, ttlSeconds: 10, renewable: true, maxPerUser: 2, maxPerKey: 2 })],
  ['evicting the oldest lease that is not protected', fixed({ size: 3, ttlSeconds: 10, protectSeconds: 3 })],
  ['evicting from the user who holds the most', fixed({ size: 8, ttlSeconds: 30, evict: 'over_share_first' })],
  [
    'elastic, with all of it',
    elastic({
      size: 6,
      ttlSeconds: 20,
      onExhausted: 'evict_oldest',
      evict: 'over_share_first',
      protectSeconds: 4,
      maxPerUser: 4,
      maxPerKey: 5,
    }),
  ],
];

type Wait =
  | { readonly until: 'deadline' | 'idle'; readonly plusMicros: number }
  | { readonly until: 'later'; readonly seconds: number };

const ttlSeconds = fc.constantFrom(undefined, undefined, 0.5, 3, 10, 1000);
const token = fc.nat({ max: 11 });
const claim = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...RIGHT_CLAIMS) },
  { weight: 1, arbitrary: fc.constantFrom(...WEAK_CLAIMS) },
  { weight: 2, arbitrary: fc.constantFrom(...WRONG_CLAIMS) },
);
const single: fc.Arbitrary<SingleStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('allocate' as const),
      user: fc.nat({ max: 5 }),
      key: fc.nat({ max: 2 }),
      ttlSeconds,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), token, claim }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('keep-alive' as const), token, claim, ttlSeconds }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'generate' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), token, force: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('cleanup' as const),
      most: fc.integer({ min: 1, max: 5 }),
      fencesBack: fc.nat({ max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      grow: fc.constantFrom(-1, 0, 0, 0, 1),
      change: fc.record(
        {
          ttlSeconds: fc.constantFrom(5, 10, 20),
          maxLifetimeSeconds: fc.constantFrom(null, 8, 25),
          renewable: fc.boolean(),
          onExhausted: fc.constantFrom('evict_oldest' as const, 'reject' as const),
          maxPerUser: fc.constantFrom(null, 1, 3),
          maxPerKey: fc.constantFrom(null, 2),
          protectSeconds: fc.constantFrom(null, 1, 5),
          evict: fc.constantFrom('oldest' as const, 'over_share_first' as const),
          status: fc.constantFrom('open' as const, 'open' as const, 'paused' as const),
        },
        { requiredKeys: [] },
      ),
    }),
  },
);
/**
 * Sweeps and changes of the policy come last. A grant after a sweep that deleted the free tokens may need a lease to
 * evict, and a new policy may count leases; the LoadSpec of neither loads that, and no command of the service needs it.
 */
const AT_THE_END = ['sweep', 'change'];
const several = fc
  .array(single, { minLength: 2, maxLength: 5, size: 'max' })
  .map((all) => all.toSorted((a, b) => AT_THE_END.indexOf(a.kind) - AT_THE_END.indexOf(b.kind)));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: single },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('several' as const), steps: several }) },
);
const wait: fc.Arbitrary<Wait> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ until: 'later' as const, seconds: 0 }) },
  // The clock of the database may be set back: the pool's own instant then stands still.
  {
    weight: 2,
    arbitrary: fc.record({ until: fc.constant('later' as const), seconds: fc.constantFrom(-2, 0.5, 1, 4, 25) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      until: fc.constantFrom('deadline' as const, 'idle' as const),
      plusMicros: fc.constantFrom(-1, 0, 1),
    }),
  },
);
const steps = fc.array(fc.record({ wait, step }), { minLength: 1, maxLength: 100, size: 'max' });
/** Mostly small ones: the fewer commands, the less of the pool is loaded. */
const batch = fc.oneof(
  { weight: 3, arbitrary: fc.array(single, { minLength: 1, maxLength: 4, size: 'max' }) },
  { weight: 1, arbitrary: fc.array(single, { minLength: 1, maxLength: 12, size: 'max' }) },
);
const place = fc.nat({ max: 11 });
/** Half of them with a command of several steps among the others, of which the last one is refused. */
const batches = fc.array(fc.record({ wait, steps: batch, refused: fc.option(fc.record({ steps: several, place })) }), {
  minLength: 1,
  maxLength: 40,
  size: 'max',
});
type Batches = typeof batches extends fc.Arbitrary<infer B> ? B : never;

/** Where the pool is kept between two commands. */
interface Store {
  look(): { state: PoolState; tokens: ReadonlyMap<string, Token>; events: readonly RecordedEvent[] };
  run<T>(loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T>;
  /** Whether every command writes down all that is overdue: where the pool is loaded whole. */
  readonly isSettled: boolean;
}

/** Only what is needed is loaded, and only what is changed is saved. */
async function byLoadSpec(policy: PoolPolicy, clock: Clock): Promise<Store> {
  const repository = new InMemoryTokenPoolRepository(() => clock.now);
  await repository.create(policy, (pool) => pool.fill(200));
  return {
    isSettled: false,
    look: () => repository.look(policy.name),
    run: (loads, decide) => repository.change(policy.name, together([loads]), decide),
  };
}

/** The whole pool as a value, without a repository and a LoadSpec. */
function whole(policy: PoolPolicy, clock: Clock): Promise<Store> {
  let { state } = wholeSlice(policy, []);
  state = { ...state, lastSeq: 0 };
  const tokens = new Map<string, Token>();
  const events: RecordedEvent[] = [];
  const run = <T>(loads: Partial<LoadSpec>, decide: (pool: TokenPool) => T): Promise<T> => {
    const all = [...tokens.values()].map((token) => ({ ...token }));
    const pool = TokenPool.restore({ ...wholeSlice(state.policy, all, clock.latest, loads), state });
    const result = decide(pool);
    for (const token of [...pool.changed, ...pool.generated]) tokens.set(token.id, token);
    for (const { id } of pool.deleted) tokens.delete(id);
    events.push(...pool.events.map((event) => ({ ...event, recordedAt: pool.now })));
    state = pool.state;
    return Promise.resolve(result);
  };
  const store: Store = { isSettled: true, look: () => ({ state, tokens, events }), run };
  return run({}, (pool) => pool.fill(200)).then(() => store);
}

class Clock {
  now: Instant = NOW;
  /** The clock of the pool: it never goes back. */
  latest: Instant = NOW;

  pass(wait: Wait, { state, tokens }: ReturnType<Store['look']>): void {
    this.now =
      wait.until === 'later' ? this.now + wait.seconds * SECOND : this.#next(wait, state, [...tokens.values()]);
    this.latest = Math.max(this.latest, this.now);
  }

  #next({ until, plusMicros }: Exclude<Wait, { until: 'later' }>, { policy }: PoolState, tokens: Token[]): Instant {
    const idle = policy.idleTtlSeconds ?? Infinity;
    const instants = tokens
      .map(({ lease, freeSince }) => (until === 'idle' ? freeSince + idle * SECOND : (lease?.expiresAt ?? Infinity)))
      .filter((instant) => instant > this.now && instant < Infinity);
    return instants.length === 0 ? this.now : Math.min(...instants) + plusMicros;
  }
}

/** Plays the steps, checks everything after each one, and says how many there were. */
async function play(store: Store, clock: Clock, all: readonly { wait: Wait; step: Step }[]): Promise<number> {
  const ledger = new Ledger();
  let booked = 0;
  const keepBooks = (): void => {
    const { state, tokens, events } = store.look();
    for (const event of events.slice(booked)) ledger.record(event);
    booked = events.length;
    ledger.check(state, tokens);
  };
  keepBooks();
  for (const { wait, step } of all) {
    clock.pass(wait, store.look());
    const before = { ...store.look(), ledger, now: clock.latest };
    const { loads, decide } = workOf(step, before);
    const expected = expectedOf(step, before);
    const { length } = before.events;
    const answer = await store.run(loads, decide);
    mustBe(answer, expected, step);
    keepBooks();
    if (step.kind === 'several' && answer !== 'done') mustBeUntouched(before, store.look(), length);
    if (store.isSettled && step.kind !== 'change') mustBeSettled([...store.look().tokens.values()], clock.latest);
  }
  audit(store, clock.latest);
  return all.length;
}

function mustBe(answer: unknown, expected: unknown, asked: unknown): void {
  if (isDeepStrictEqual(answer, expected)) return;
  throw new Error([asked, answer, expected].map((part) => JSON.stringify(part)).join('\n answers, instead of\n '));
}

/** A refused command has left nothing but what the clock has decided. */
function mustBeUntouched(
  before: { state: PoolState },
  { state, events }: ReturnType<Store['look']>,
  from: number,
): void {
  const written = events.slice(from);
  const isUntouched =
    written.every(({ event, reason }) => event === 'expired' || reason === 'shrunk') &&
    state.policy === before.state.policy &&
    state.lastFence === before.state.lastFence &&
    state.tokenCount === before.state.tokenCount - written.filter(({ reason }) => reason === 'shrunk').length;
  if (!isUntouched) throw new Error(`a refused command has written ${JSON.stringify(written)}`);
}

function mustBeSettled(tokens: Token[], now: Instant): void {
  const overdue = tokens.find(({ lease }) => lease && lease.expiresAt <= now);
  if (overdue) throw new Error(`invariant 7: token ${overdue.id} is overdue and still held`);
}

function audit(store: Store, now: Instant): void {
  const { state, tokens, events } = store.look();
  const { name, size } = state.policy;
  const auditor = new Auditor(size);
  for (const event of events) auditor.add(asStored(eventView(name, event)));
  expect(auditor.finish()).toEqual([]);
  const shown = [...tokens.values()].map((token) => tokenView(name, token, now));
  expect(auditor.compare(shown, now)).toEqual([]);
}

/** Ids by a counter that looks random, so that a seed gives the same run to the last tie. */
let made = 0;
beforeEach(() => {
  jest.spyOn(crypto, 'randomUUID').mockImplementation(() => {
    const id = Math.imul(++made, 0x9e37_79b1) >>> 0;
    return `${id.toString(16).padStart(8, '0')}-0000-4000-8000-${made.toString(16).padStart(12, '0')}`;
  });
});
afterEach(() => jest.restoreAllMocks());

describe.each(POLICIES)('a pool that is %s', (_, policy) => {
  test.each([
    ['loaded whole', whole],
    ['loaded by its spec', byLoadSpec],
  ])('answers as the contract says and keeps every invariant, %s', async (_, open) => {
    let commands = 0;
    const property = fc.asyncProperty(steps, async (all) => {
      made = 0;
      const clock = new Clock();
      commands += await play(await open(policy, clock), clock, all);
    });
    await fc.assert(property, { numRuns: RUNS, ...SEED });
    expect(commands).toBeGreaterThanOrEqual(COMMANDS);
  });

  test('decides a batch on what it loads just as on all of its tokens', async () => {
    const property = fc.asyncProperty(batches, async (all) => {
      made = 0;
      const clock = new Clock();
      await decideTwice(policy, clock, all);
    });
    await fc.assert(property, { numRuns: RUNS, ...SEED });
  });
});

/**
 * Each batch on the whole pool, whose work is thrown away, and on the slice that its needs load. There the command that
 * is refused at its last step is among the others, who must not notice.
 */
async function decideTwice(policy: PoolPolicy, clock: Clock, all: Batches): Promise<void> {
  const repository = new InMemoryTokenPoolRepository(() => clock.now);
  await repository.create(policy, (pool) => pool.fill(200));
  const ledger = new Ledger();
  let booked = 0;
  for (const { wait, steps, refused } of all) {
    const { state, tokens, events } = repository.look(policy.name);
    clock.pass(wait, { state, tokens, events });
    for (const event of events.slice(booked)) ledger.record(event);
    booked = events.length;
    ledger.check(state, tokens);
    const before: Before = { state, tokens, ledger, now: clock.latest };
    const commands = steps.filter(isCommand).map((step) => commandOf(step, before));
    const copies = [...tokens.values()].map((token) => ({ ...token }));
    const known = new Set(tokens.keys());
    const place = refused ? refused.place % (commands.length + 1) : commands.length;
    const troubled = refused
      ? commands.toSpliced(place, 0, refusedAtLast(refused.steps, commands[place]?.kind ?? 'allocate', before))
      : commands;
    const loads = together(troubled.map((command) => command.loads));
    const pool = TokenPool.restore({ ...wholeSlice(state.policy, copies, clock.latest, loads), state });
    const onWhole = answersOf(pool, commands, known);
    const onSlice = await repository.change(policy.name, loads, (slice) => answersOf(slice, troubled, known));
    if (refused) onSlice.splice(place, 1);
    mustBe(onSlice, onWhole, steps);
  }
}

function refusedAtLast(steps: readonly SingleStep[], kind: Command<unknown>['kind'], before: Before): Command<unknown> {
  const { loads, decide } = inOneGo(steps, before);
  const refuse = (pool: TokenPool): never => {
    decide(pool);
    pool.idempotencyRecords.add(
      { useCase: kind, key: 'k' },
      { key: 'k', fingerprint: 'f', onReplay: () => undefined },
      null,
    );
    throw new DomainError('invalid_request', 'the last step is refused');
  };
  return { kind, caller: ANYBODY, loads, decide: refuse };
}

/** Tokens made in the batch have other ids each time. */
function answersOf(
  pool: TokenPool,
  commands: Parameters<typeof decideBatch>[1],
  known: ReadonlySet<string>,
): (Answer | 'deferred')[] {
  return decideBatch(pool, commands).map((outcome) => {
    if (outcome === 'deferred') return outcome;
    if ('error' in outcome) return { code: outcome.error.code, ...outcome.error.facts };
    const answer = answerOf(outcome.value);
    const isOfNewToken = typeof answer === 'object' && 'tokenId' in answer && !known.has(String(answer.tokenId));
    return isOfNewToken ? { ...answer, tokenId: 'made in this batch' } : answer;
  });
}
