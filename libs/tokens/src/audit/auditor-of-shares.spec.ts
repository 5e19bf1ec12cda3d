// Evictions by share in a feed: what may be, whatever the policy was, is not found; what no policy does, is.

import { Auditor } from './auditor.js';
import { HeldByUser } from './held-by-user.js';
import type { StoredEventView } from '../reading/views.js';

type Told = Pick<StoredEventView, 'token_id' | 'event' | 'user_id' | 'fence' | 'reason'>;

const made = (token_id: string): Told => ({ token_id, event: 'generated', user_id: null, fence: null, reason: null });
const granted = (token_id: string, user_id: string, fence: number): Told => ({
  ...{ token_id, event: 'activated', user_id, fence },
  reason: 'allocated',
});
/** The lease of a token ends for another user's. */
const evicted = (token_id: string, user_id: string, fence: number, by: string, next: number): Told[] => [
  { token_id, event: 'released', user_id, fence, reason: 'over_share_eviction' },
  { token_id, event: 'activated', user_id: by, fence: next, reason: 'allocated_after_eviction' },
];

/** Ann has the oldest lease, Bob the two after it, Eve the newest. */
const FULL = [
  ...['a', 'b', 'c', 'd'].map(made),
  granted('a', 'ann', 1),
  granted('b', 'bob', 2),
  granted('c', 'bob', 3),
  granted('d', 'eve', 4),
];

function findings(...told: Told[]): string[] {
  const auditor = new Auditor(4);
  told.forEach((event, place) => {
    const at = place + 1;
    auditor.add({
      ...event,
      holder: null,
      seq: at,
      occurred_at: at,
      recorded_at: at,
      expires_at: event.fence === null ? null : 1000,
      metadata: null,
    });
  });
  return auditor.finish();
}

test.each<[string, Told[]]>([
  ['of the user who holds the most', evicted('b', 'bob', 2, 'new', 5)],
  ['of the caller, who holds the most', evicted('b', 'bob', 2, 'bob', 5)],
  [
    'one after the other',
    [...evicted('b', 'bob', 2, 'eve', 5), ...evicted('d', 'eve', 4, 'new', 6), ...evicted('a', 'ann', 1, 'new', 7)],
  ],
])('an eviction %s is sound', (_, eviction) => {
  expect(findings(...FULL, ...eviction)).toEqual([]);
});

test.each<[string, Told[], string]>([
  [
    'of a younger lease of that user',
    evicted('c', 'bob', 3, 'new', 5),
    'seq 9 (released c): evicts fence 3 while 2 is the smallest of who holds the most',
  ],
  [
    'of one who holds less than another, although it is the oldest',
    evicted('a', 'ann', 1, 'new', 5),
    'seq 9 (released a): evicts a lease of a user who has 1 where another has 2',
  ],
  [
    'of one who holds as many as another whose lease is older',
    [...evicted('b', 'bob', 2, 'new', 5), ...evicted('d', 'eve', 4, 'new', 6)],
    'seq 11 (released d): evicts fence 4 while 1 is the smallest of who holds the most',
  ],
  [
    'while a token is free',
    [{ ...granted('d', 'eve', 4), event: 'released', reason: 'cleanup' }, ...evicted('b', 'bob', 2, 'new', 5)],
    'evicts while a token is free',
  ],
  ['for nobody', evicted('b', 'bob', 2, 'new', 5).slice(0, 1), 'evicts for nobody'],
])('an eviction %s is found out', (_, eviction, finding) => {
  expect(findings(...FULL, ...eviction)).toContainEqual(expect.stringContaining(finding));
});

test('the counts give the user who holds the most, and the oldest lease of that user, after any changes', () => {
  // A random walk, the same each time, compared with a look at everything.
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below;
  const leases: { userId: string; fence: number }[] = [];
  const books = new HeldByUser([]);
  for (let fence = 1; fence <= 5000; fence++) {
    const lease = { userId: `user-${random(7)}`, fence };
    leases.push(lease);
    books.granted(lease);
    while (leases.length > 20 || (leases.length > 0 && random(3) === 0)) {
      books.ended(leases.splice(random(leases.length), 1)[0]!);
    }
    const heldBy = (user: string): number => leases.filter(({ userId }) => userId === user).length;
    const most = Math.max(0, ...leases.map(({ userId }) => heldBy(userId)));
    const oldest = leases.find(({ userId }) => heldBy(userId) === most)?.fence ?? 0;
    expect(books.most()).toEqual({ leases: most, fence: oldest });
  }
});
