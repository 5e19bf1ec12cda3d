// The auditor on feeds of tokens that are kept back between two users: a sound one, and the same with one mistake each.

import { toIso } from '../kernel/instant.js';
import { NOW, SECOND, tokenId, user } from '../testing/given.js';
import type { SnapshotView, StoredEventView } from '../reading/views.js';
import { Auditor } from './auditor.js';

const at = (seconds: number): number => NOW + seconds * SECOND;

type Given = Partial<StoredEventView> & { readonly at?: number };

/** Events with their seqs, all of token 1 and at the beginning unless they say otherwise. */
const feed = (...given: Given[]): StoredEventView[] =>
  given.map(({ at: seconds = 0, ...event }, place) => ({
    seq: place + 1,
    token_id: tokenId(1),
    event: 'generated',
    user_id: null,
    holder: null,
    fence: null,
    reason: null,
    occurred_at: at(seconds),
    recorded_at: at(seconds),
    expires_at: null,
    metadata: null,
    ...event,
  }));

const policy = (after: object): Given => ({
  ...{ event: 'policy_changed', token_id: null, metadata: { before: {}, after } },
});
const granted = (fence: number, when: number, more: Given = {}): Given => ({
  ...{ event: 'activated', reason: 'allocated', fence, user_id: user(fence), at: when, expires_at: at(when + 60) },
  ...more,
});
const cleaning = (fence: number, when: number): Given => granted(fence, when, { reason: 'cleaning' });
const released = (fence: number, when: number, more: Given = {}): Given => ({
  ...{ event: 'released', reason: 'released_by_client', fence, user_id: user(fence), at: when },
  ...more,
});
const resting = (fence: number, when: number, until: number): Given =>
  released(fence, when, { metadata: { available_at: toIso(at(until)) } });
const expired = (fence: number, due: number): Given => ({
  ...{ event: 'expired', reason: 'ttl_expired', fence, user_id: user(fence), at: due },
});
const soiled = (when: number, reason: StoredEventView['reason'] = 'used'): Given => ({
  ...{ event: 'soiled', reason, at: when },
});
const cleaned = (when: number): Given => ({ event: 'cleaned', at: when });
const disabled = (when: number, reason: StoredEventView['reason'] = 'disabled_by_client', more = {}): Given => ({
  ...{ event: 'disabled', reason, at: when, metadata: { note: 'why', ...more } },
});
const enabled = (when: number): Given => ({ event: 'enabled', at: when });

const gone = (when: number): Given => ({ event: 'deleted', reason: 'deleted_by_client', at: when });
const undelivered = (fence: number, when: number): Given => ({ ...released(fence, when), reason: 'undelivered' });

const CLEANED = policy({ after_use: 'clean', max_cleans: 2 });

function findings(events: readonly StoredEventView[], size = 1): string[] {
  const auditor = new Auditor(size);
  for (const event of events) auditor.add(event);
  return auditor.finish();
}

test.each<[string, Given[]]>([
  ['rests after a lease', [{}, granted(1, 1), resting(1, 5, 15), granted(2, 15)]],
  [
    'is cleaned after a lease',
    [{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), cleaning(2, 6), released(2, 9), cleaned(9), granted(3, 9)],
  ],
  [
    'is cleaned twice without success, and disabled',
    [
      ...[{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), cleaning(2, 6), expired(2, 66)],
      ...[soiled(66, 'not_cleaned'), cleaning(3, 70), released(3, 71), soiled(71, 'not_cleaned')],
      ...[disabled(71, 'not_cleaned'), enabled(80), cleaning(4, 81), released(4, 82), cleaned(82), granted(5, 83)],
    ],
  ],
  ['is disabled while it is held', [{}, granted(1, 1), disabled(2, undefined, { when_free: true }), released(1, 3)]],
  ['is enabled while it is held', [{}, granted(1, 1), disabled(2, undefined, { when_free: true }), enabled(3)]],
  ['is disabled, and for another reason, and enabled', [{}, disabled(1), disabled(2), enabled(3), granted(1, 4)]],
  ['is deleted while it is dirty', [{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), gone(6)]],
  ['is not dirty after a grant that nobody received', [{}, CLEANED, granted(1, 1), undelivered(1, 2), granted(2, 3)]],
])('finds nothing where a token %s', (_, events) => {
  expect(findings(feed(...events))).toEqual([]);
});

test.each<[string, RegExp, Given[]]>([
  [
    'a resting token is granted',
    /hands out a token that rests until/,
    [{}, granted(1, 1), resting(1, 5, 15), granted(2, 14)],
  ],
  [
    'a dirty token is granted',
    /hands out a token that is dirty/,
    [{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), granted(2, 9)],
  ],
  ['a disabled token is granted', /hands out a token that is disabled/, [{}, disabled(1), granted(1, 2)]],
  [
    'a token that was dirty is granted after it was enabled',
    /hands out a token that is dirty/,
    [{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), disabled(6), enabled(7), granted(2, 9)],
  ],
  ['a clean token is cleaned', /is given to be cleaned, and the token is clean/, [{}, cleaning(1, 1)]],
  [
    'a disabled token is cleaned',
    /is given to be cleaned, and the token is disabled/,
    [{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), disabled(6), cleaning(2, 9)],
  ],
  ['a clean token becomes clean', /cleans a token that is clean/, [{}, cleaned(1)]],
  ['a token is soiled while it is held', /is about a token that is held/, [{}, granted(1, 1), soiled(2)]],
  ['a token is disabled while it is held', /disables a token that is held/, [{}, granted(1, 1), disabled(2)]],
  ['a token in service is enabled', /enables a token that is not disabled/, [{}, enabled(1)]],
  [
    'a used token is left as clean',
    /leaves a token as clean that was used/,
    [{}, CLEANED, granted(1, 1), released(1, 5), granted(2, 9)],
  ],
  [
    'a token stays in service after too many cleanings',
    /stays in service after 2 cleanings/,
    [
      ...[{}, CLEANED, granted(1, 1), released(1, 5), soiled(5), cleaning(2, 6), expired(2, 66)],
      ...[soiled(66, 'not_cleaned'), cleaning(3, 70), released(3, 71), soiled(71, 'not_cleaned'), cleaning(4, 72)],
    ],
  ],
])('finds that %s', (_, finding, events) => {
  expect(findings(feed(...events))).toContainEqual(expect.stringMatching(finding));
});

test('evicting counts only what could be granted', () => {
  const other = (event: Given): Given => ({ ...event, token_id: tokenId(2) });
  const evicts = [
    { ...released(1, 9), reason: 'lru_eviction' as const },
    granted(2, 9, { reason: 'allocated_after_eviction' }),
  ];
  const kept: Given[] = [{}, other({}), granted(1, 1), other(disabled(2))];
  expect(findings(feed(...kept, ...evicts), 2)).toEqual([]);
  const free = [...kept, other(enabled(3)), ...evicts];
  expect(findings(feed(...free), 2)).toContainEqual(expect.stringMatching(/evicts while a token is free/));
});

test('an audit goes on from a snapshot with what keeps tokens back', () => {
  const before = feed({}, CLEANED, granted(1, 1), released(1, 5), soiled(5), disabled(6), enabled(7));
  const auditor = new Auditor(1);
  for (const event of before) auditor.add(event);
  const parts = [...auditor.tokensBy(10)];
  expect(parts).toMatchObject([[{ upkeep: { dirty_since: at(5) } }]]);
  const later = feed(...before.map(() => ({})), granted(2, 9)).slice(-1);
  const begins: SnapshotView = { ...auditor.state, hash: '', parts };
  return Auditor.of({ policy: { size: 1 }, restores: [], begins }).then((next) => {
    for (const event of later) next.add(event);
    expect(next.finish()).toContainEqual(expect.stringMatching(/hands out a token that is dirty/));
  });
});
