// The feed of a listed pool: what may be is not found; a broken promise about a name, an attribute, a secret or a
// selection is.

import { Auditor } from './auditor.js';
import { mostOf } from './held-by-user.js';
import type { SnapshotTokenView, StoredEventView, StoredTokenView } from '../reading/views.js';

type Told = Pick<StoredEventView, 'token_id' | 'event' | 'user_id' | 'fence' | 'reason' | 'metadata'> & {
  readonly expires_at?: number;
  readonly at?: number;
};

const NO_LEASE = { user_id: null, fence: null, reason: null };
const DE = { country: 'de' };
const AT = { country: 'at' };

const made = (token_id: string, metadata: Told['metadata']): Told => ({
  ...{ token_id, event: 'generated', ...NO_LEASE },
  metadata,
});
const added = (id: string, attributes: object, name = `name of ${id}`): Told => made(id, { name, attributes });
const described = (token_id: string, metadata: Told['metadata']): Told => ({
  ...{ token_id, event: 'described', ...NO_LEASE },
  metadata,
});
const draining = (id: string, is = true): Told => described(id, { before: { draining: !is }, after: { draining: is } });
const granted = (token_id: string, fence: number, reason: Told['reason'] = 'allocated', other = {}): Told => ({
  ...{ token_id, event: 'activated', user_id: `user ${fence}`, fence, reason, metadata: null },
  ...other,
});
const released = (id: string, fence: number, reason: Told['reason'] = 'released_by_client', metadata = {}): Told => ({
  ...{ token_id: id, event: 'released', user_id: `user ${fence}`, fence, reason },
  metadata,
});
const deleted = (token_id: string, reason: Told['reason'] = 'removed'): Told => ({
  ...{ token_id, event: 'deleted', ...NO_LEASE, reason },
  metadata: null,
});
const ofPool = (event: StoredEventView['event'], metadata: Told['metadata']): Told => ({
  ...{ token_id: null, event, ...NO_LEASE },
  metadata,
});
/** The lease of a token ends for the next one. */
const evicted = (id: string, fence: number, next: number, select: object | null = DE): Told[] => [
  released(id, fence, 'selected_eviction', select ? { select } : {}),
  granted(id, next, 'allocated_after_eviction'),
];
const evictedOldest = (id: string, fence: number, next: number, reason: Told['reason'] = 'lru_eviction'): Told[] => [
  released(id, fence, reason),
  granted(id, next, 'allocated_after_eviction'),
];

/** Two things in Germany and two in Austria. */
const THINGS = [added('a', DE), added('b', DE), added('c', AT), added('d', AT)];
const FULL = [...THINGS, granted('c', 1), granted('a', 2), granted('b', 3), granted('d', 4)];

function audited(told: readonly Told[], auditor = new Auditor(9)): Auditor {
  const before = auditor.events;
  told.forEach((event, place) => {
    const { at = before + place + 1, expires_at = event.fence === null ? null : 1000 } = event;
    auditor.add({
      ...{ ...event, holder: null, seq: before + place + 1, expires_at },
      ...{ occurred_at: at, recorded_at: before + place + 1 },
    });
  });
  return auditor;
}
const findings = (...told: Told[]): string[] => audited(told).finish();

describe('nothing is found', () => {
  test.each<[string, Told[]]>([
    ['in the life of things', [...FULL, released('a', 2), deleted('a'), added('e', {}, 'name of a')]],
    [
      'in changes of a name, of attributes in another order, and of a secret',
      [
        added('a', { x: 1, y: true }),
        described('a', {
          before: { name: 'name of a', attributes: { y: true, x: 1 } },
          after: { name: 'n', attributes: {} },
        }),
        described('a', { before: {}, after: {}, secret: 'changed' }),
        added('b', {}, 'name of a'),
      ],
    ],
    [
      'in metadata of a lease with a secret of its own',
      [...THINGS, granted('a', 1, 'allocated', { metadata: { secret: 1 } })],
    ],
    ['in an attribute that is called secret', [added('a', { secret: true })]],
    ['in a token that goes at the end of its lease', [...FULL, draining('a'), released('a', 2), deleted('a')]],
    ['in one that stays after all', [...FULL, draining('a'), draining('a', false), released('a', 2)]],
    ['in an eviction of those selected', [...FULL, ...evicted('a', 2, 5), ...evicted('b', 3, 6)]],
    ['while others are free', [...FULL, released('c', 1), ...evicted('a', 2, 5)]],
    [
      'in a selection of several values, and of none',
      [...FULL, ...evicted('c', 1, 5, { country: ['de', 'at'], sim: null })],
    ],
    [
      'where a thing was changed while it was held',
      [...FULL, described('c', { before: { attributes: AT }, after: { attributes: DE } }), ...evicted('c', 1, 5)],
    ],
    ['where the oldest lease is that of a token that goes', [...FULL, draining('c'), ...evictedOldest('a', 2, 5)]],
    [
      'where that stays after all',
      [...FULL, draining('c'), ...evictedOldest('a', 2, 5), draining('c', false), ...evictedOldest('c', 1, 6)],
    ],
    [
      'where one that is selected stays after all',
      [...FULL, draining('a'), ...evicted('b', 3, 5), draining('a', false), ...evicted('a', 2, 6)],
    ],
    [
      'in an eviction by share that spares such a token',
      [...FULL, draining('c'), ...evictedOldest('a', 2, 5, 'over_share_eviction')],
    ],
    [
      'in a pool that is deleted, and opened again as one of another kind',
      [
        added('a', {}),
        deleted('a', 'pool_deleted'),
        ofPool('pool_deleted', { kind: 'listed', before: { size: 9 } }),
        ofPool('pool_opened', { kind: 'elastic', after: { size: 9 } }),
        made('b', null),
      ],
    ],
    [
      'where an overdue lease is passed over by an eviction of others',
      [
        ...THINGS,
        ...[granted('c', 1, 'allocated', { expires_at: 6 }), granted('a', 2), granted('b', 3)],
        ...evicted('a', 2, 4),
        { ...granted('c', 1, 'ttl_expired'), event: 'expired', at: 6, expires_at: 6 },
      ],
    ],
  ])('%s', (_, told) => {
    expect(findings(...told)).toEqual([]);
  });
});

describe('it is found', () => {
  test.each<[string, Told[], string]>([
    [
      'that two tokens have a name',
      [added('a', {}), added('b', {}, 'name of a')],
      'takes the name name of a, which token a has',
    ],
    [
      'that one is given a name that another has',
      [...THINGS, described('a', { before: { name: 'name of a' }, after: { name: 'name of b' } })],
      'seq 5 (described a): takes the name name of b, which token b has',
    ],
    [
      'that a token of a listed pool has no name',
      [...THINGS, made('e', null)],
      'seq 5 (generated e): has no name in a listed pool',
    ],
    ['that it has no attributes', [made('a', { name: 'n' })], 'has no attributes'],
    [
      'that a token of another pool has a name',
      [made('a', null), added('b', {})],
      'has a name in a pool that is not listed',
    ],
    [
      'that the kind is another than was told',
      [ofPool('pool_deleted', {}), ofPool('pool_opened', { kind: 'fixed', after: {} }), added('a', {})],
      'seq 3 (generated a): has a name in a pool that is not listed',
    ],
    [
      'that a deleted pool was of another kind',
      [added('a', {}), deleted('a', 'pool_deleted'), ofPool('pool_deleted', { kind: 'fixed', before: {} })],
      'says that the pool was fixed, and it was not',
    ],
    [
      'that the policy of a deleted pool was another',
      [
        ofPool('policy_changed', { before: { size: 8 }, after: { size: 9 } }),
        ofPool('pool_deleted', { kind: 'fixed', before: { size: 8 } }),
      ],
      'says that size was 8, and it was 9',
    ],
    [
      'that a name was another before its change',
      [...THINGS, described('a', { before: { name: 'x' }, after: { name: 'y' } })],
      'says that name was x, and it was name of a',
    ],
    [
      'that attributes were others before their change',
      [...THINGS, described('a', { before: { attributes: AT }, after: { attributes: {} } })],
      'says that attributes was {"country":"at"}, and it was {"country":"de"}',
    ],
    ['that a change changes nothing', [...THINGS, described('a', { before: {}, after: {} })], 'changes nothing'],
    [
      'that it leaves a field as it was',
      [...THINGS, described('a', { before: { attributes: DE }, after: { attributes: DE } })],
      'leaves attributes as it was',
    ],
    ['that it does not say what', [...THINGS, described('a', null)], 'does not say what it changes'],
    [
      'that a name is none',
      [...THINGS, described('a', { before: { name: 'name of a' }, after: { name: 1 } })],
      'has no name',
    ],
    [
      'that attributes are none',
      [...THINGS, described('a', { before: { attributes: DE }, after: { attributes: 'x' } })],
      'has no attributes',
    ],
    [
      'that a token without a name is described',
      [made('a', null), described('a', { before: { name: 'x' }, after: { name: 'y' } })],
      'changes name, which the token does not have',
    ],
    [
      'that its secret is changed',
      [made('a', null), described('a', { before: {}, after: {}, secret: 'changed' })],
      'changes the secret of a token without a name',
    ],
    ['that an event contains a secret', [made('a', { name: 'n', attributes: {}, secret: 'x' })], 'contains a secret'],
    [
      'that a change contains one',
      [...THINGS, described('a', { before: {}, after: {}, secret: { pin: 1 } })],
      'contains a secret',
    ],
    [
      'that a change contains one after it',
      [...THINGS, described('a', { before: { name: 'name of a' }, after: { name: 'n', secret: 'changed' } })],
      'contains a secret',
    ],
    [
      'that an event contains a sealed one',
      [...FULL, released('a', 2, 'revoked', { sealed: 'x' })],
      'contains a secret',
    ],
    [
      'that a free token waits for its end',
      [...THINGS, draining('a')],
      'waits for the end of a lease that is not open',
    ],
    [
      'that a token stays that was to go',
      [...FULL, draining('a'), released('a', 2)],
      'seq 10 (released a): leaves a token that was to be deleted',
    ],
    [
      'that a lease with whose end a token goes was evicted',
      [...FULL, draining('a'), ...evicted('a', 2, 5)],
      'evicts a lease with whose end the token is deleted',
    ],
    [
      'that a token was evicted that was not selected',
      [...FULL, ...evicted('c', 1, 5)],
      'evicts a token that is not selected',
    ],
    [
      'that a younger lease of those selected was evicted',
      [...FULL, ...evicted('b', 3, 5)],
      'evicts fence 3 while 2 is the smallest of those selected',
    ],
    [
      'that a token was evicted while one of those selected was free',
      [...FULL, released('b', 3), ...evicted('a', 2, 5)],
      'evicts while a selected token is free',
    ],
    ['that nothing was selected', [...FULL, ...evicted('a', 2, 5, null)], 'does not say what was selected'],
    [
      'that an eviction passed over an overdue lease of those selected',
      [
        ...THINGS,
        ...[granted('c', 1), granted('a', 2), granted('b', 3, 'allocated', { expires_at: 8 })],
        ...evicted('a', 2, 4),
        { ...granted('b', 3, 'ttl_expired'), event: 'expired', at: 8, expires_at: 8 },
      ],
      'passed over fence 3',
    ],
    [
      'that a held token was deleted, also after an eviction of a selection',
      [...FULL, ...evicted('a', 2, 5), deleted('b'), released('b', 3)],
      'deletes a token that is held',
    ],
    [
      'that an eviction of the oldest lease took place while a token was free',
      [...FULL, ...evicted('a', 2, 5), released('d', 4), ...evictedOldest('c', 1, 6)],
      'evicts while a token is free',
    ],
  ])('%s', (_, told, finding) => {
    expect(findings(...told)).toContainEqual(expect.stringContaining(finding));
  });
});

describe('the fold of a listed pool', () => {
  const view = (id: string, other: Partial<StoredTokenView> = {}): StoredTokenView => ({
    ...{ id, pool: 'p', name: `name of ${id}`, attributes: DE, status: 'available', active_user_id: null },
    ...{ holder: null, last_activated_at: null, expires_at: null, fence: null, leaving: false },
    ...other,
  });
  const compared = (other: Partial<StoredTokenView>): string[] =>
    audited([added('a', DE)]).compare([view('a', other)], 0);

  test('is compared with the names and attributes that are shown', () => {
    expect(compared({})).toEqual([]);
    expect(compared({ leaving: undefined })).toEqual([]);
    expect(compared({ name: 'x' })).toEqual(['token a: name is shown as x, the feed says name of a']);
    expect(compared({ attributes: null })).toEqual([
      'token a: attributes are shown as null, the feed says {"country":"de"}',
    ]);
    expect(compared({ leaving: true })).toEqual(['token a: leaving is stored as true, the feed says false']);
  });

  test('is in a snapshot: names, attributes, and what goes at the end of its lease', async () => {
    const auditor = audited([...FULL, draining('a')]);
    const parts = [...auditor.tokensBy(3)];
    const kept = (of: string): SnapshotTokenView => parts.flat().find(({ id }) => id === of)!;
    expect(kept('a')).toMatchObject({ name: 'name of a', attributes: DE, leaving: true });
    expect(kept('c')).not.toHaveProperty('leaving');
    const goOn = async (...told: Told[]): Promise<string[]> => {
      const begins = { ...auditor.state, hash: '', parts };
      return audited(told, await Auditor.of({ policy: { size: 9 }, restores: [], begins })).finish();
    };
    expect(await goOn(...evicted('b', 3, 5), released('a', 2), deleted('a'), added('e', {}, 'name of a'))).toEqual([]);
    expect(await goOn(released('a', 2))).toHaveLength(1);
    expect(await goOn(added('e', {}, 'name of b'))).toHaveLength(1);
    expect(await goOn(made('e', null))).toHaveLength(1);
  });

  test('of a pool without names has none in a snapshot', () => {
    expect([...audited([made('a', null)]).tokensBy(9)].flat()).toEqual([
      { id: 'a', last_activated_at: null, last_end_at: 0, lease: null },
    ]);
  });
});

test('the user who holds the most has a lease that may be evicted', () => {
  const leases = [1, 2, 3, 4, 5].map((fence) => ({ fence, userId: fence < 4 ? 'ann' : fence === 4 ? 'bob' : 'eve' }));
  expect(mostOf(leases, () => true)).toEqual({ leases: 3, fence: 1 });
  expect(mostOf(leases, ({ fence }) => fence > 2)).toEqual({ leases: 3, fence: 3 });
  expect(mostOf(leases, ({ fence }) => fence > 3)).toEqual({ leases: 1, fence: 4 });
});
