// The checker of `npm run chaos` must be able to find something. Each mistake that it is there for is made in a copy of
// the built service, which then runs under load; and a good history is falsified in one place for each rule.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltService } from '../apps/chaos/src/built-service.js';
import { check } from '../apps/chaos/src/check/check.js';
import type { Rule } from '../apps/chaos/src/check/finding.js';
import { readHistory, type Fault, type History, type Operation } from '../apps/chaos/src/history.js';
import { isOk } from '../apps/chaos/src/load/recorder.js';
import { MUTANTS } from '../apps/chaos/src/mutants/mutants.js';
import { catchMutant, runUnchanged, textOf } from '../apps/chaos/src/mutants/run-mutant.js';

const SEED = 1;

let directory: string;
let service: BuiltService;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'token-pool-mutants-'));
  service = await BuiltService.build();
}, 120_000);
afterAll(async () => {
  service.remove();
  await rm(directory, { recursive: true, force: true });
});

describe('a good history', () => {
  let file: string;

  test('is that of the service as it is, under load and faults', async () => {
    const { findings, history, ...run } = await runUnchanged(service, { seconds: 5, seed: SEED, directory });
    file = run.file;
    expect(findings).toEqual([]);
    expect(history.operations.length).toBeGreaterThan(200);
  }, 90_000);

  test.each<[Rule, string, (history: History) => History]>([
    ['audit', 'an event is missing', (history) => inPools(history, (pool) => pool.events.splice(20, 1))],
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
});

test.each(MUTANTS.filter(({ isExtra }) => !isExtra))(
  '$name is caught: $mistake',
  async (mutant) => {
    const { caught, findings } = await catchMutant(service, mutant, { seconds: 3, seed: SEED, directory });
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

function inPools(history: History, change: (pool: History['pools'][number]) => unknown): History {
  history.pools.forEach(change);
  return history;
}

/** In the first grant of the pool that evicts. */
const inGrant = (history: History, change: Partial<Operation>): History => inOne(history, 'allocate', change);

function inOne(history: History, what: Operation['call']['do'], change: Partial<Operation>): History {
  const one = history.pools[0]!.operations.find(
    (operation) => operation.call.do === what && isOk(operation) && operation.key === undefined,
  )!;
  assign(one, { ...change, ...(change.answer ? { answer: { ...one.answer, ...change.answer } } : {}) });
  return history;
}

const assign = (target: object, change: object): unknown => Object.assign(target, change);
