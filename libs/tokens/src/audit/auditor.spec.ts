// A feed as real commands make it has no finding; and each promise, broken by hand in one place, is found.

import { asStored, Auditor } from './auditor.js';
import { toIso, type Instant } from '../kernel/instant.js';
import { loadSpec } from '../commands/load-spec.js';
import { NOW, SECOND, elastic, tokenId, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { eventView, tokenView } from '../testing/views.js';
import type { TokenPool } from '../pool/token-pool.js';
import type { EventView, RestoreView, TokenView } from '../reading/views.js';

const SIZE = 2;
const STRANGER = user(99);
const NOBODYS = tokenId(99);
const instant = (seconds: number): Instant => NOW + seconds * SECOND;
const at = (seconds: number): string => toIso(instant(seconds));

let feed: EventView[];
let shown: TokenView[];
/** The two tokens that the feed begins with. */
let a: string;
let b: string;
let end: Instant;

beforeAll(async () => {
  let seconds = 0;
  const repository = new InMemoryTokenPoolRepository(() => NOW + seconds * SECOND);
  const policy = elastic({ size: SIZE, ttlSeconds: 60, idleTtlSeconds: null, onExhausted: 'evict_oldest' });
  const everything = loadSpec({ free: 9, due: 9, oldest: 9 });
  const after = <T>(pause: number, decide: (pool: TokenPool) => T): Promise<T> => {
    seconds += pause;
    const ids = [...repository.look(policy.name).tokens.keys()];
    return repository.change(policy.name, { ...everything, tokenIds: ids }, decide);
  };
  await repository.create(policy, () => undefined);
  a = (await after(0, (pool) => pool.generate())).id; //                                                       seq 1
  b = (await after(1, (pool) => pool.generate())).id; //                                                       seq 2
  await after(1, (pool) => pool.allocate({ userId: user(1) })); //        at 2: a, fence 1, until 62           seq 3
  await after(1, (pool) => pool.allocate({ userId: user(2) })); //        at 3: b, fence 2, until 63           seq 4
  await after(1, (pool) => pool.keepAlive(b, { userId: user(2) })); //    at 4: b, fence 2, until 64           seq 5
  await after(1, (pool) => pool.allocate({ userId: user(3) })); //        at 5: a, fence 3 evicts 1, until 65  seq 6, 7
  await after(1, (pool) => pool.release(b, {})); //                       at 6                                 seq 8
  await after(60, (pool) => pool.allocate({ userId: user(4) })); //       at 66: fence 3 expired; b, fence 4   seq 9, 10
  await after(1, (pool) => pool.delete(a, false)); //                     at 67                                seq 11
  await after(1, (pool) => pool.delete(b, true)); //                      at 68                                seq 12, 13
  const c = (await after(1, (pool) => pool.generate())).id; //            at 69                                seq 14
  const d = (await after(1, (pool) => pool.generate())).id; //            at 70                                seq 15
  await after(1, (pool) => pool.allocate({ userId: user(5) })); //        at 71: c, fence 5, until 131         seq 16
  await after(1, (pool) => pool.allocate({ userId: user(6), ttlSeconds: 5 })); // at 72: d, fence 6, until 77  seq 17
  seconds += 10;
  end = instant(seconds);
  const { events, tokens } = repository.look(policy.name);
  feed = events.map((event) => eventView(policy.name, event));
  shown = [c, d].map((id) => tokenView(policy.name, tokens.get(id)!, NOW + seconds * SECOND));
});

const audited = (events: readonly EventView[], size = SIZE, restores: readonly RestoreView[] = []): Auditor => {
  const auditor = new Auditor(size, restores);
  events.forEach((event) => auditor.add(asStored(event)));
  return auditor;
};

describe('the feed of a pool that was used', () => {
  test('has no finding', () => {
    expect(audited(feed).finish()).toEqual([]);
  });

  test('is what it is meant to be: each kind of event and each way to end', () => {
    expect(feed.map(({ seq, event, reason, fence }) => [seq, event, reason, fence].filter(Boolean).join(' '))).toEqual([
      '1 generated',
      '2 generated',
      '3 activated allocated 1',
      '4 activated allocated 2',
      '5 renewed 2',
      '6 released lru_eviction 1',
      '7 activated allocated_after_eviction 3',
      '8 released released_by_client 2',
      '9 expired ttl_expired 3',
      '10 activated allocated 4',
      '11 deleted deleted_by_client',
      '12 released deleted_by_client 4',
      '13 deleted deleted_by_client',
      '14 generated',
      '15 generated',
      '16 activated allocated 5',
      '17 activated allocated 6',
    ]);
  });

  test('folds to the tokens and leases that there are', () => {
    expect(audited(feed)).toMatchObject({ events: 17, tokens: 2, openLeases: 2 });
  });

  test('may have more than one event an instant', () => {
    const times = { occurred_at: at(100), recorded_at: at(100), expires_at: null };
    const still = feed.slice(0, 2).map((event) => ({ ...event, ...times }));
    expect(audited(still).finish()).toEqual([]);
  });
});

describe('what the first events folded to', () => {
  const keptAfter = (events: number) => {
    const auditor = audited(feed.slice(0, events));
    return { ...auditor.state, hash: '', parts: [...auditor.tokensBy(1)] };
  };

  // An eviction and its grant are never parted: they are of one transaction.
  test.each([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])(
    'is as good as they are when %i are gone',
    async (gone) => {
      const begins = keptAfter(gone);
      const auditor = await Auditor.of({ policy: { size: SIZE }, restores: [], begins });
      feed.slice(gone).forEach((event) => auditor.add(asStored(event)));
      expect(auditor.finish()).toEqual([]);
      expect(auditor).toMatchObject({ events: 17, tokens: 2, openLeases: 2 });
      const fences = begins.parts.flat().map(({ lease }) => lease?.fence ?? Infinity);
      expect(fences).toEqual(fences.toSorted((one, other) => one - other));
    },
  );

  test('is taken in while others have their turn after each part', async () => {
    const parts = Array.from({ length: 20 }, () => keptAfter(17).parts.flat());
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    await Auditor.of({ policy: { size: SIZE }, restores: [], begins: { ...keptAfter(17), parts } });
    isDone = true;
    expect(turns).toBeGreaterThanOrEqual(parts.length);
  });
});

/** The feed with one event changed. */
const altered = (seq: number, otherwise: Partial<EventView>) => (events: EventView[]) =>
  events.map((event) => (event.seq === seq ? { ...event, ...otherwise } : event));
const both =
  (...tampers: ((events: EventView[]) => EventView[])[]) =>
  (events: EventView[]) =>
    tampers.reduce((tampered, tamper) => tamper(tampered), events);
const numbered = (events: EventView[]): EventView[] => events.map((event, place) => ({ ...event, seq: place + 1 }));
/** As if it had never been written: the numbers close up. */
const without = (seq: number) => (events: EventView[]) => numbered(events.filter((event) => event.seq !== seq));
const twice = (seq: number) => (events: EventView[]) =>
  numbered(events.flatMap((event) => (event.seq === seq ? [event, event] : [event])));
const until = (seq: number) => (events: EventView[]) => events.slice(0, seq);
/** Fence 2 was due a second before the eviction of fence 1. */
const overdueSince4 = altered(5, { occurred_at: at(3), recorded_at: at(3), expires_at: at(4) });

describe('a feed that was tampered with is found out', () => {
  test.each<[string, (events: EventView[]) => EventView[], string]>([
    ['a gap', (events) => events.filter(({ seq }) => seq !== 5), 'seq 6 (released %a): seq follows 4'],
    ['a number given twice', altered(5, { seq: 4 }), 'seq 4 (renewed %b): seq follows 4'],
    ['a feed that does not begin with 1', (events) => events.slice(1), 'seq 2 (generated %b): seq follows 0'],
    [
      'a record before its predecessor',
      altered(5, { recorded_at: at(2), occurred_at: at(2) }),
      'recorded before its pre',
    ],
    [
      'a record before the fact',
      altered(8, { occurred_at: at(7) }),
      'seq 8 (released %b): was recorded before it occurred',
    ],
    ['an event of no token', altered(3, { token_id: NOBODYS }), 'about a token that does not exist'],
    [
      'an event of a deleted token',
      altered(16, { token_id: 'a' }),
      'seq 16 (activated a): is about a token that does not',
    ],
    ['a token made twice', altered(2, { token_id: '%a' }), 'seq 2 (generated %a): generates a token that exists'],
    ['a held token that is deleted', without(12), 'seq 12 (deleted %b): deletes a token that is held'],
    ['a held token that is handed out', altered(4, { token_id: '%a' }), 'seq 4 (activated %a): hands out a token that'],
    ['a lease without an end', without(8), 'seq 9 (activated %b): hands out a token that is held'],
    ['a fence that jumps', altered(4, { fence: 3 }), 'seq 4 (activated %b): fence 3 follows 1'],
    ['a fence that is used again', altered(10, { fence: 3 }), 'seq 10 (activated %b): fence 3 follows 3'],
    ['a lease without a fence', altered(3, { fence: null }), 'seq 3 (activated %a): fence null follows 0'],
    ['uses that overlap', altered(10, { occurred_at: at(5.5) }), 'seq 10 (activated %b): begins before the use before'],
    ['an eviction kept secret', altered(7, { reason: 'allocated' }), 'seq 7 (activated %a): has reason allocated'],
    ['an eviction made up', altered(4, { reason: 'allocated_after_eviction' }), 'has reason allocated_after_eviction'],
    ['a lease without a deadline', altered(3, { expires_at: null }), 'seq 3 (activated %a): has no deadline after'],
    ['a lease without a length', altered(3, { expires_at: at(2) }), 'seq 3 (activated %a): has no deadline after'],
    [
      'a renewal after the deadline',
      altered(4, { expires_at: at(4) }),
      'seq 5 (renewed %b): renews a lease that was over',
    ],
    [
      'a renewal by a stranger',
      altered(5, { user_id: STRANGER }),
      'seq 5 (renewed %b): is not about the open lease, fence 2',
    ],
    ['a renewal of what is over', altered(5, { token_id: '%a', fence: 2 }), 'is not about the open lease, fence 1'],
    [
      'an end before the deadline',
      altered(9, { occurred_at: at(64) }),
      'seq 9 (expired %a): did not expire at its deadline',
    ],
    [
      'an end after the deadline',
      altered(9, { occurred_at: at(66) }),
      'seq 9 (expired %a): did not expire at its deadline',
    ],
    [
      'a release after the deadline',
      altered(5, { expires_at: at(5.5) }),
      'seq 8 (released %b): releases a lease that was',
    ],
    ['a lease that ends twice', twice(8), 'seq 9 (released %b): is about a lease that is not open'],
    [
      'an end of a stranger’s lease',
      altered(8, { user_id: STRANGER }),
      'seq 8 (released %b): is not about the open lease',
    ],
    ['an end of an earlier lease', altered(9, { fence: 1, user_id: user(1) }), 'is not about the open lease, fence 3'],
    [
      'an eviction of the younger lease',
      both(altered(6, { token_id: '%b', fence: 2, user_id: user(2) }), altered(7, { token_id: '%b' })),
      'seq 6 (released %b): evicts fence 2 while 1 is the smallest',
    ],
    [
      'an eviction while no lease is open, by two leases of one fence',
      both(
        altered(4, { fence: 1 }),
        altered(5, { fence: 1 }),
        altered(8, { fence: 1, reason: 'lru_eviction' }),
        without(7),
        until(7),
      ),
      'seq 7 (released %b): evicts fence 1 while undefined is the smallest',
    ],
    [
      'an eviction while a token was free',
      both(without(4), without(4)),
      'seq 4 (released %a): evicts while a token is',
    ],
    [
      'an eviction while a lease was overdue, whose end is written later',
      both(overdueSince4, altered(8, { event: 'expired', reason: 'ttl_expired', occurred_at: at(4) })),
      `seq 8 (expired %b): an eviction at ${at(5)} passed over fence 2, overdue since ${at(4)}`,
    ],
    [
      'an eviction while a lease was overdue, whose end is not written yet',
      both(overdueSince4, until(7)),
      `an eviction at ${at(5)} passed over fence 2, overdue since ${at(4)}`,
    ],
    [
      'an eviction in the very instant of a deadline',
      both(altered(5, { expires_at: at(5) }), until(7)),
      `an eviction at ${at(5)} passed over fence 2, overdue since ${at(5)}`,
    ],
  ])('%s', (_, tamper, finding) => {
    // The ids of the two tokens are random: %a and %b stand for them.
    const named = (text: string): string => text.replace('%a', a).replace('%b', b);
    const tampered = tamper(feed).map((event) => ({ ...event, token_id: event.token_id && named(event.token_id) }));
    expect(audited(tampered).finish()).toContainEqual(expect.stringContaining(named(finding)));
  });

  test('more tokens than the pool may have', () => {
    expect(audited(feed, 1).finish()).toContain(`seq 2 (generated ${b}): makes more than 1 tokens`);
  });
});

describe('the policy of then', () => {
  /** Puts an event of the pool behind the first `after` events. */
  const changed = (
    events: readonly EventView[],
    after: number,
    metadata: EventView['metadata'],
    other: Partial<EventView> = {},
  ): EventView[] => {
    const { occurred_at, recorded_at } = events[after - 1]!;
    const unset = { token_id: null, user_id: null, fence: null, reason: null, expires_at: null };
    const policyChanged = { ...events[0]!, ...unset, occurred_at, recorded_at, event: 'policy_changed' as const };
    const all = [...events.slice(0, after), { ...policyChanged, metadata, ...other }, ...events.slice(after)];
    return all.map((event, place) => ({ ...event, seq: place + 1 }));
  };

  test('judges each event by the size that the pool had then', () => {
    const grown = changed(feed, 1, { before: { size: 1 }, after: { size: SIZE } });
    expect(audited(grown, SIZE).finish()).toEqual([]);
    const grownTooLate = changed(feed, 2, { before: { size: 1 }, after: { size: SIZE } });
    expect(audited(grownTooLate, SIZE).finish()).toEqual([`seq 2 (generated ${b}): makes more than 1 tokens`]);
  });

  test('is known from the feed, as far as this tells of it', () => {
    const twice = changed(changed(feed, 3, { before: { ttl_seconds: 60 }, after: { ttl_seconds: 70 } }), 9, {
      before: { ttl_seconds: 70, renewable: true },
      after: { ttl_seconds: 60, renewable: false },
    });
    const auditor = audited(twice);
    expect(auditor.finish()).toEqual([]);
    expect([...auditor.policy]).toEqual([
      ['ttl_seconds', 60],
      ['renewable', false],
    ]);
  });

  test('is found to be changed without an event', () => {
    const hidden = changed(changed(feed, 3, { before: { size: 2 }, after: { size: 3 } }), 9, {
      before: { size: 4 },
      after: { size: 5 },
    });
    expect(audited(hidden).finish()).toEqual(['seq 10 (policy_changed): says that size was 4, and it was 3']);
  });

  test('grants nothing while the pool is paused', () => {
    const paused = { before: { status: 'open' }, after: { status: 'paused' } };
    const open = { before: { status: 'paused' }, after: { status: 'open' } };
    expect(audited(changed(changed(feed, 4, paused), 5, open)).finish()).toEqual([]);
    expect(audited(changed(changed(feed, 3, paused), 5, open)).finish()).toEqual([
      `seq 5 (activated ${b}): is granted in a pool that is paused`,
    ]);
  });

  test('of a smaller size allows no eviction, and demands that a token goes with its lease', () => {
    // After seq 4 both tokens are held.
    const smaller = { before: { size: 2 }, after: { size: 1 } };
    const findings = audited(changed(feed.slice(0, 8), 5, smaller)).finish();
    expect(findings).toContain(`seq 7 (released ${a}): leaves a token beyond the size of the pool`);
    expect(findings).toContain(`seq 8 (activated ${a}): is granted beyond the size of 1`);
    expect(findings).toContain(`seq 9 (released ${b}): leaves a token beyond the size of the pool`);
  });

  test('allows the pool to shrink to its size only', () => {
    const shrunk = (events: EventView[]): EventView[] => altered(11, { reason: 'shrunk' })(events);
    const smaller = { before: { size: 2 }, after: { size: 1 } };
    expect(audited(changed(shrunk(feed.slice(0, 11)), 10, smaller)).finish()).toEqual([]);
    expect(
      audited(changed(shrunk(feed.slice(0, 11)), 10, { before: { size: 2 }, after: { size: 3 } })).finish(),
    ).toEqual([`seq 12 (deleted ${a}): deletes a token that is not beyond the size of the pool`]);
  });

  test('is that of a deleted pool until it is opened again: then nothing happens in it', () => {
    const deleted = { event: 'pool_deleted' as const };
    const opened = { event: 'pool_opened' as const };
    const policy = { after: { size: 2 } };
    // After seq 13 there is no token.
    const sound = changed(changed(feed, 13, {}, deleted), 14, policy, opened);
    expect(audited(sound).finish()).toEqual([]);
    expect(audited(changed(feed, 13, {}, deleted)).finish()[0]).toMatch(
      /^seq 15 \(generated .*: happens in a deleted pool/,
    );
    expect(audited(changed(feed, 11, {}, deleted)).finish()[0]).toBe('seq 12 (pool_deleted): leaves 1 tokens');
    expect(audited(changed(feed, 13, policy, opened)).finish()).toEqual([
      'seq 14 (pool_opened): opens a pool that is not deleted',
    ]);
  });

  test('is of the pool, and of no token', () => {
    const metadata = { before: { size: 2 }, after: { size: 3 } };
    expect(audited(changed(feed, 3, metadata, { token_id: a })).finish()).toEqual([
      `seq 4 (policy_changed ${a}): is about a token`,
    ]);
    expect(audited(changed(feed, 3, metadata, { event: 'deleted' })).finish()).toContain(
      'seq 4 (deleted): is about no token',
    );
  });
});

describe('an event that says something other than its kind is found out', () => {
  test.each<[string, (events: EventView[]) => EventView[]]>([
    ['a release for the reason of an expiry', altered(8, { reason: 'ttl_expired' })],
    ['a release without a reason', altered(8, { reason: null })],
    ['an expiry for the reason of a release', altered(9, { reason: 'released_by_client' })],
    ['an expiry for the reason of an eviction', altered(9, { reason: 'lru_eviction' })],
    ['a deletion without a reason', altered(11, { reason: null })],
    ['a grant without a reason', altered(3, { reason: null })],
    ['a grant to nobody', both(altered(3, { user_id: null }), until(3))],
    ['a renewal until an instant that is past', both(altered(5, { expires_at: at(3.5) }), until(5))],
    ['a renewal without a deadline', both(altered(5, { expires_at: null }), until(5))],
    ['an eviction that served nobody', until(6)],
  ])('%s', (_, tamper) => {
    expect(audited(tamper(feed)).finish()).not.toEqual([]);
  });
});

describe('a feed and the tokens as shown', () => {
  const compared = (tokens: readonly TokenView[]): string[] => audited(feed).compare(tokens, end);
  const changed = (otherwise: Partial<TokenView>): TokenView[] => [{ ...shown[0]!, ...otherwise }, shown[1]!];

  test('agree, a lease that is overdue by then being shown as available', () => {
    expect(shown.map(({ status }) => status)).toEqual(['active', 'available']);
    expect(compared(shown)).toEqual([]);
  });

  test('can be compared again, and a page at a time', () => {
    const auditor = audited(feed);
    for (let time = 0; time < 2; time++) {
      const comparison = auditor.comparison(end);
      for (const token of shown) comparison.add([token]);
      expect(comparison.finish().kept).toEqual([]);
      expect(auditor.compare(shown.slice(1), end)).toEqual([`token ${shown[0]!.id} is in the feed, but not shown`]);
    }
  });

  test('agree only as of the instant at which they were shown', () => {
    expect(audited(feed).compare(shown, instant(76))).toContain(
      `token ${shown[1]!.id}: status is shown as available, the feed says active`,
    );
    expect(audited(feed).compare(shown, instant(131))).toContain(
      `token ${shown[0]!.id}: status is shown as active, the feed says available`,
    );
  });

  test.each<[string, Partial<TokenView>, string]>([
    ['the status', { status: 'available' }, 'status is shown as available, the feed says active'],
    ['the user', { active_user_id: STRANGER }, `active_user_id is shown as ${STRANGER}, the feed says ${user(5)}`],
    ['the fence', { fence: 4 }, 'fence is shown as 4, the feed says 5'],
    ['the deadline', { expires_at: at(130) }, `expires_at is shown as ${at(130)}, the feed says ${at(131)}`],
    ['the latest start', { last_activated_at: null }, `last_activated_at is shown as null, the feed says ${at(71)}`],
  ])('differ in %s', (_, otherwise, difference) => {
    expect(compared(changed(otherwise))).toEqual([`token ${shown[0]!.id}: ${difference}`]);
  });

  test('differ in an overdue lease that is shown as active', () => {
    const active = { ...shown[1]!, status: 'active' as const, active_user_id: user(6), fence: 6, expires_at: at(77) };
    expect(compared([shown[0]!, active])).toHaveLength(4);
  });

  test('differ in a token that is not shown', () => {
    expect(compared([shown[1]!])).toEqual([`token ${shown[0]!.id} is in the feed, but not shown`]);
  });

  test('differ in a token that is shown without ever having been made, or after it was deleted', () => {
    for (const id of [NOBODYS, a]) {
      expect(compared([...shown, { ...shown[1]!, id }])).toEqual([
        `token ${id} is shown, but was never generated or is deleted`,
      ]);
    }
  });

  test('differ in a token that is shown twice', () => {
    expect(compared([...shown, shown[1]!])).not.toEqual([]);
  });
});

describe('a pool that was restored', () => {
  /** After seq 15, of which the fence is 4, everything goes on 100 further up. */
  const RESTORE = { after_seq: 15, next_seq: 116, after_fence: 4, next_fence: 105, recorded_at: at(70.5) };

  const jumped = (by = 100): EventView[] =>
    feed.map((event) =>
      event.seq <= 15
        ? event
        : { ...event, seq: event.seq + by, fence: event.fence === null ? null : event.fence + by },
    );
  const findings = (events: readonly EventView[], ...restores: RestoreView[]): string[] =>
    audited(events, SIZE, restores).finish();

  test('has no finding when its gap is the one that is written down', () => {
    expect(findings(jumped(), RESTORE)).toEqual([]);
  });

  test('has its counters where they were raised to, also before anything happened in it again', () => {
    const auditor = audited(feed.slice(0, 15), SIZE, [RESTORE]);
    expect(auditor.finish()).toEqual([]);
    expect([auditor.events, auditor.fence]).toEqual([115, 104]);
  });

  test('has no finding when it was restored twice at the same place: the last time counts', () => {
    expect(findings(jumped(200), RESTORE, { ...RESTORE, next_seq: 216, next_fence: 205 })).toEqual([]);
  });

  test.each([
    ['no gap is written down', 100, []],
    ['the gap is wider than what is written down', 101, [RESTORE]],
    ['the gap is narrower', 99, [RESTORE]],
    ['there is no gap', 0, [RESTORE]],
    ['the gap is written down for another place', 100, [{ ...RESTORE, after_seq: 14 }]],
    ['it is written down with another fence', 100, [{ ...RESTORE, after_fence: 5 }]],
    ['there is another one at a place that does not exist', 100, [RESTORE, { ...RESTORE, after_seq: 50 }]],
  ])('has a finding when %s', (_case, by, restores) => {
    expect(findings(jumped(by), ...restores)).not.toEqual([]);
  });
});
