// The checker of `npm run chaos` must be able to find something. A good history is falsified in one place for each thing
// that it judges; and some of the mistakes that it is there for are made in a copy of the built service, which then runs
// under load. `npm run chaos -- --mutants all` makes all of them.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OwnedEvent } from '@app/tokens';
import { paced } from '../support/pace.js';
import { BuiltService } from '../../tools/harness/built-service.js';
import { check } from '../../tools/chaos/check/check.js';
import type { Rule } from '../../tools/chaos/check/finding.js';
import {
  readHistory,
  secretOf,
  type Fault,
  type History,
  type Operation,
  type PoolSetting,
} from '../../tools/chaos/history.js';
import { isOk } from '../../tools/chaos/load/recorder.js';
import type { Mutant } from '../../tools/chaos/mutants/mutant.js';
import { MUTANTS } from '../../tools/chaos/mutants/mutants.js';
import { catchMutant, runUnchanged, textOf } from '../../tools/chaos/mutants/run-mutant.js';
import { build, BUILT } from '../support/process.js';

const SEED = 1;

let directory: string;
let service: BuiltService;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'token-pool-mutants-'));
  await build();
  service = BuiltService.copyOf(BUILT);
});
afterAll(async () => {
  service.remove();
  await rm(directory, { recursive: true, force: true });
});

/** On a busy machine a run takes longer to do enough; a test may take some minutes. */
const MOST_SECONDS = 30;

describe('a good history', () => {
  let file: string;

  test('is that of the service as it is, under load and faults', async () => {
    const seconds = Math.min(await paced(5), MOST_SECONDS);
    const { findings, history, ...run } = await runUnchanged(service, { seconds, seed: SEED, directory });
    file = run.file;
    expect(findings).toEqual([]);
    expect(history.operations.length).toBeGreaterThan(200);
  });

  test.each<[Rule, string, (history: History) => History]>([
    ['audit', 'an event is missing', (history) => inPools(history, (pool) => pool.events.splice(20, 1))],
    ['audit', 'one was recorded before its predecessor', (history) => inEnd(history, { recorded_at: LONG_AGO })],
    [
      'audit',
      'a lease expired before its deadline',
      (history) => inEnd(history, { ...EXPIRED, occurred_at: LONG_AGO }),
    ],
    [
      'audit',
      'a token is stored otherwise',
      (history) => inPools(history, ({ state }) => assign(state!.rows[0]!, { fence: 1_000_000 })),
    ],
    ['answered', 'a grant is of another fence', (history) => inGrant(history, { answer: { fence: 1_000_000 } })],
    ['refused', 'a grant was answered as refused', (history) => inGrant(history, REFUSED)],
    ['refused', 'nothing was full', (history) => inGrant(history, EXHAUSTED)],
    ['unasked', 'nobody asked for a grant', (history) => inGrant(history, { id: 'somebody', call: { do: 'pool' } })],
    ['order', 'a late one is early in the audit', (history) => inGrant(history, { sent: 1e15, answered: 2e15 })],
    ['time', 'the clocks differ', (history) => ({ ...history, run: { ...history.run, wallAtZero: 1e15 }, end: null })],
    [
      'read',
      'a snapshot counts one token less',
      (history) => inOne(history, 'pool', { answer: { counts: { total: 1, available: 1, active: 0 }, last_seq: 60 } }),
    ],
    [
      'read',
      'a feed has a gap',
      (history) => inOne(history, 'feed', { answer: { seqs: [2], last_id: '', last_seq: 3 } }),
    ],
    [
      'contract',
      'a bug was answered',
      (history) => inGrant(history, { ...REFUSED, status: 500, error: 'internal_error' }),
    ],
    ['contract', 'no Retry-After', (history) => inGrant(history, { ...REFUSED, retryAfter: undefined })],
    ['contract', 'no answer', (history) => inGrant(history, { status: null, error: 'ECONNRESET', process: 99 })],
    [
      'recovery',
      'a process did not serve again for 6 s',
      (history) => ({ ...history, recoveries: [{ ...RECOVERY, isBack: true, ns: 6e9 }] }),
    ],
    [
      'blocked',
      'a command took 4 s while another process was stopped',
      (history) => inGrant({ ...history, faults: [STOP] }, { sent: 0, answered: 4e9 }),
    ],
    ['process', 'a process died', (history) => ({ ...history, faults: [{ ...STOP, complaints: ['died'] }] })],
    ['actor', 'an event names another key', (history) => inEnd(history, { actor: 'somebody' })],
    ['actor', 'an event names nobody', (history) => inEnd(history, { actor: null })],
    ['actor', 'an event names a request that nobody sent', (history) => inEnd(history, { request_id: 'no-such' })],
    ['actor', 'a lease passes to another key', (history) => inEnd(history, { key_id: 'somebody' })],
    ['refused', 'an event is of a request that was refused', (history) => inRelease(history, STALE)],
    ['access', 'a lease of another key is ended', (history) => inRelease(history, { by: stranger(history) })],
    [
      'access',
      'somebody is told how a lease of another key ended',
      (history) => inRelease(history, { ...OVER, by: stranger(history) }),
    ],
    ['access', 'a key is used for what it is not for', (history) => inGenerate(history, { by: stranger(history) })],
    ['access', 'a good key is refused', (history) => inGrant(history, NO_GOOD)],
    ['access', 'an operator is told that its key is not for this', (history) => inGenerate(history, NOT_FOR_THIS)],
    [
      'access',
      'a feed shows whose lease it is about that is of another key',
      (history) => inOne(history, 'feed', { by: stranger(history), answer: { shown: [grantOfAnother(history)] } }),
    ],
    [
      'read',
      'a list shows who holds a token to another key',
      (history) =>
        inOne(history, 'active', { by: stranger(history) }, showsAnother(history, stranger(history)), history.pools),
    ],
    [
      'access',
      'a key is good 6 s after its revocation',
      (history) => ({ ...history, operations: [...history.operations, revocation(stranger(history), -6e9)] }),
    ],
    ['fair', 'a user holds one too many', (history) => inPolicy(history, { max_per_user: 1 })],
    ['fair', 'with a key one too many is held', (history) => inPolicy(history, { max_per_key: 1 })],
    ['fair', 'a protected lease is evicted', (history) => inPolicy(history, { protect_seconds: 2 })],
    ['fair', 'it was the turn of another', (history) => inPolicy(history, { evict: 'oldest' })],
    ['refused', 'nobody was protected', (history) => inPolicy(history, { protect_seconds: 1e-9 }, EXHAUSTED)],
    [
      'refused',
      'no quota was reached',
      (history) => inPolicy(history, { max_per_user: 7, max_per_key: 7 }, { ...EXHAUSTED, error: 'quota_exceeded' }),
    ],
    ['answered', 'another thing was selected', (history) => inThings(history, { select: { country: 'fr' } })],
    ['answered', 'another name was asked for', (history) => inThings(history, { name: 'no-such' })],
    [
      'answered',
      'a thing was granted with another secret',
      (history) =>
        inOne(history, 'allocate', { answer: { secret: { pin: 'other' } } }, isOfThing, history.pools.slice(-1)),
    ],
    [
      'answered',
      'an import has added one more',
      (history) => inOne(history, 'import', { answer: { added: 99 } }, undefined, history.pools.slice(-1)),
    ],
    [
      'answered',
      'a change of the policy is not in the audit',
      (history) => inOne(history, 'policy', { call: CHANGE }, undefined, history.pools.slice(-1)),
    ],
    ['line', 'the first in line is passed', (history) => without(history, 'line', 'left', 'offered')],
    ['upkeep', 'a token is not said to be dirty', (history) => without(history, 'cleaned', 'soiled')],
    ['audit', 'an event tells a secret', (history) => inEnd(history, { metadata: { note: secretOf('x').pin } })],
  ])('is found out (%s) when %s', async (rule, _, falsified) => {
    const rules = new Set(check(falsified(await readHistory(file))).map((finding) => finding.rule));
    expect(rules).toContain(rule);
  });

  test('is still one when a client writes to a process that was killed a moment ago, and none when it was long ago', async () => {
    const kill = { ...STOP, name: 'kill-api', healed: 1e9 };
    const lost = async (sent: number) => {
      const change = { status: null, error: 'ECONNRESET', process: 99, sent, answered: sent + 1e6, answer: undefined };
      const history = await readHistory(file);
      return check(inOne({ ...history, faults: [...history.faults, kill] }, 'pool', change)).map(textOf);
    };
    expect(await lost(1.1e9)).toEqual([]);
    expect(await lost(2e9)).toEqual([expect.stringMatching(/^contract: pool \S+ to process 99 was lost/)]);
  });

  test('is still one when a follower of the feed gave up on a process that was asked to end, and none when it was cut off', async () => {
    const end = { ...STOP, name: 'term-api', begun: 2e9, healed: 3e9 };
    const lost = async (error: string) => {
      const change = { status: null, error, process: 99, sent: 1e9, answered: 4e9, answer: undefined };
      const history = await readHistory(file);
      return check(inOne({ ...history, faults: [...history.faults, end] }, 'feed', change)).map(textOf);
    };
    expect(await lost('TIMEOUT')).toEqual([]);
    expect(await lost('ECONNRESET')).toEqual([expect.stringMatching(/^process: feed \S+ to process 99 was lost/)]);
  });
});

const TESTED = MUTANTS.filter(({ isInTests }) => isInTests);
const catches = new Map<Mutant, ReturnType<typeof catchMutant>>();

/** While one is waited for, the next one runs: most of the time of each is waiting. */
function catchInTurn(mutant: Mutant): ReturnType<typeof catchMutant> {
  const place = TESTED.indexOf(mutant);
  for (const one of TESTED.slice(place, place + 2).filter((some) => !catches.has(some))) {
    const catching = catchMutant(service, one, { seconds: 3, seed: SEED, directory });
    // Its own test says so.
    catching.catch(() => undefined);
    catches.set(one, catching);
  }
  return catches.get(mutant)!;
}

test.each(MUTANTS)('$name can be made of the service as it is', ({ patches, sql = [] }) => {
  expect(service.patched(patches).size + sql.length).toBeGreaterThan(0);
});

test.each(TESTED)(
  '$name is caught: $mistake',
  async (mutant) => {
    const { caught, findings } = await catchInTurn(mutant);
    expect({ caught: caught && textOf(caught), found: findings.slice(0, 5).map(textOf) }).toMatchObject({
      caught: expect.stringMatching(mutant.caughtBy),
    });
  },
  90_000,
);

const REFUSED = {
  status: 503,
  error: 'unavailable',
  detail: 'nothing was changed',
  retryAfter: '1',
  answer: undefined,
};
const LONG_AGO = '2026-01-01T00:00:00.000000Z';
const EXPIRED = { event: 'expired', reason: 'ttl_expired' } as const;
const STALE = { status: 409, error: 'stale_lease', answer: undefined };
const OVER = { status: 410, error: 'lease_ended', answer: undefined };
const NO_GOOD = { status: 401, error: 'unauthenticated', answer: undefined };
const NOT_FOR_THIS = { status: 403, error: 'insufficient_scope', answer: undefined };
const EXHAUSTED = { status: 409, error: 'pool_exhausted', answer: undefined };
const RECOVERY = { kind: 'recovery', after: 'kill-api', process: 1, pool: 'evicting' } as const;
const STOP: Fault = {
  kind: 'fault',
  name: 'stop-api',
  detail: '',
  begun: 0,
  healed: 3e9,
  hit: [99],
  survivors: [],
  complaints: [],
};

/** Without the events of these kinds, or with these reasons, in a pool that has a load of its own. */
function without(history: History, of: 'line' | 'cleaned', ...what: readonly string[]): History {
  const pool = history[of]!;
  const events = pool.events.filter(({ event, reason }) => !what.includes(event) && !what.includes(String(reason)));
  return { ...history, [of]: { ...pool, events } };
}

function inPools(history: History, change: (pool: History['pools'][number]) => unknown): History {
  history.pools.forEach(change);
  return history;
}

/** In the first grant of the pool that evicts. */
const inGrant = (history: History, change: Partial<Operation>): History => inOne(history, 'allocate', change);

/** In one that named the lease. */
const inRelease = (history: History, change: Partial<Operation>): History =>
  inOne(history, 'release', change, ({ call }) => call.do === 'release' && call.of !== null);

/** What a grant of the listed pool asked for. */
const inThings = (history: History, asked: object): History => {
  const pools = history.pools.slice(-1);
  const one = pools[0]!.operations.find((operation) => isOfThing(operation))!;
  return inOne(history, 'allocate', { call: { ...one.call, ...asked } }, isOfThing, pools);
};
const isOfThing = (operation: Operation): boolean =>
  isOk(operation) && operation.call.do === 'allocate' && operation.key === undefined;
const CHANGE = { do: 'policy', change: { max_lifetime_seconds: 1 } } as const;

const inGenerate = (history: History, change: Partial<Operation>): History =>
  inOne(history, 'generate', change, () => true, history.pools);

function inOne(
  history: History,
  what: Operation['call']['do'],
  change: Partial<Operation>,
  is: (operation: Operation) => boolean = ({ key }) => key === undefined,
  pools: readonly History['pools'][number][] = history.pools.slice(0, 1),
): History {
  const operations = pools.flatMap((pool) => pool.operations);
  const one = operations.find((operation) => operation.call.do === what && isOk(operation) && is(operation));
  if (!one) throw new Error(`this history has no such ${what} to falsify`);
  assign(one, { ...change, ...(change.answer ? { answer: { ...one.answer, ...change.answer } } : {}) });
  return history;
}

/** In what a client has released. */
function inEnd(history: History, change: Partial<OwnedEvent>): History {
  assign(
    history.pools[0]!.events.find(({ reason }) => reason === 'released_by_client')!,
    change,
  );
  return history;
}

/** Of the pool that is shared fairly; its first grant becomes what is given. */
function inPolicy(history: History, policy: Partial<PoolSetting>, firstGrant?: Partial<Operation>): History {
  const fair = history.pools.find(({ setting }) => setting.evict !== undefined)!;
  assign(fair.setting, policy);
  return firstGrant ? inOne(history, 'allocate', firstGrant, undefined, [fair]) : history;
}

/** A key that may not operate, and that did not take what this history is falsified in. */
const stranger = ({ keys, pools }: History): string => {
  const first = pools[0]!.operations.find((one) => one.call.do === 'release' && isOk(one) && one.call.of !== null);
  return keys.find(({ id, mayOperate }) => !mayOperate && id !== first?.by)!.id;
};

/** The seq of a grant to another key than `stranger`. */
const grantOfAnother = (history: History): number =>
  history.pools[0]!.events.find(({ event, key_id }) => event === 'activated' && key_id !== stranger(history))!.seq;

/** Whether a list shows the holder of a lease that another key than this one took. */
const showsAnother = ({ pools }: History, by: string): ((operation: Operation) => boolean) => {
  const taken = pools.flatMap(({ events }) =>
    events.filter(({ event, key_id }) => event === 'activated' && key_id !== by),
  );
  const leases = new Set(taken.map(({ token_id, fence }) => `${token_id} ${fence}`));
  return ({ answer }) =>
    (answer?.['tokens'] as { id: string; active_user_id: string | null; fence: number }[]).some(
      ({ id, active_user_id, fence }) => active_user_id !== null && leases.has(`${id} ${fence}`),
    );
};

const revocation = (key: string, answered: number): Operation => ({
  kind: 'operation',
  id: 'revoke',
  process: 1,
  pool: '',
  call: { do: 'revoke', key },
  sent: answered,
  answered,
  status: 200,
  answer: {},
});

const assign = (target: object, change: object): unknown => Object.assign(target, change);
