// The auditor on feeds of a line: a sound one, and the same with one mistake each.

import { toIso } from '../kernel/instant.js';
import { NOW, SECOND, tokenId, user } from '../testing/given.js';
import type { StoredEventView } from '../reading/views.js';
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

const queued = (id: string, place: number, promised: number | null, more: object = {}): Given => ({
  event: 'queued',
  token_id: null,
  metadata: {
    ...{ ticket_id: id, place, position: place, count: 1 },
    ...{ not_later_than: promised === null ? null : toIso(at(promised)), ...more },
  },
});
const granted = (fence: number, when: number, until: number): Given => ({
  ...{ event: 'activated', reason: 'allocated', fence, user_id: user(fence), at: when, expires_at: at(until) },
});
const offered = (id: string, fence: number, when: number): Given => ({
  ...granted(fence, when, when + 10),
  reason: 'offered',
  metadata: { ticket_id: id },
});
const released = (fence: number, when: number): Given => ({
  ...{ event: 'released', reason: 'released_by_client', fence, user_id: user(fence), at: when },
});
const claimed = (fence: number, when: number): Given => ({
  ...{ event: 'renewed', reason: 'claimed', fence, user_id: user(fence), at: when, expires_at: at(when + 60) },
});
const expired = (reason: 'unclaimed' | 'ttl_expired', fence: number, due: number, when = due): Given => ({
  ...{ event: 'expired', reason, fence, user_id: user(fence), occurred_at: at(due), recorded_at: at(when) },
});
const left = (id: string): Given => ({
  event: 'left',
  reason: 'cancelled',
  token_id: null,
  metadata: { ticket_id: id },
});

const BEFORE = [{}, granted(1, 0, 100), queued('a', 1, 60), queued('b', 2, 130)];

function findings(...events: Given[]): string[] {
  const auditor = new Auditor(10);
  for (const event of feed(...BEFORE, ...events)) auditor.add(event);
  return auditor.finish();
}

test('finds nothing where the line is served in order', () => {
  expect(
    findings(released(1, 5), offered('a', 2, 5), claimed(2, 8), released(2, 9), offered('b', 3, 9), {
      ...expired('unclaimed', 3, 19),
    }),
  ).toEqual([]);
});

test('finds nothing where a place is given back, and the next one gets the token', () =>
  expect(findings(left('a'), released(1, 5), offered('b', 2, 5))).toEqual([]));

test.each<[string, Given[], RegExp]>([
  ['the second is served first', [released(1, 5), offered('b', 2, 5)], /is granted past ticket a/],
  ['somebody passes by', [released(1, 5), granted(2, 5, 65)], /is granted past ticket a/],
  [
    'an offer is later than promised',
    [{ ...claimed(1, 61), reason: null }, released(1, 62), offered('a', 2, 62)],
    /is offered later than promised/,
  ],
  ['a place is taken twice', [queued('c', 2, null, { position: 3 })], /takes place 2, which follows 2/],
  ['a position is wrong', [queued('c', 3, null, { position: 1 })], /takes position 1 where 2 wait/],
  ['a place ends twice', [left('a'), left('a')], /the ticket does not wait/],
  ['an offer is made to nobody', [released(1, 5), offered('x', 2, 5)], /offered to a ticket that does not wait/],
  [
    'an offer is kept without a claim',
    [released(1, 5), offered('a', 2, 5), { ...claimed(2, 8), reason: null }],
    /renews an offer that is not claimed/,
  ],
  [
    'an offer ends as another lease does',
    [released(1, 5), offered('a', 2, 5), expired('ttl_expired', 2, 15)],
    /ends an offer as if it had been claimed/,
  ],
  ['a lease is claimed that is not offered', [claimed(1, 5)], /claims a lease that is not offered/],
  [
    'several tokens are not offered at once',
    [left('a'), left('b'), queued('c', 3, null, { position: 1, count: 2 }), released(1, 5), offered('c', 2, 5)],
    /offers ticket c only 1 of its 2 tokens/,
  ],
])('finds that %s', (_, events, finding) => {
  expect(findings(...events).some((one) => finding.test(one))).toBe(true);
});

test('names an offer apart that is late because nobody noticed the end of the lease', () => {
  const auditor = new Auditor(10);
  const events = [{}, granted(1, 0, 60), queued('a', 1, 60), expired('ttl_expired', 1, 60, 75), offered('a', 2, 75)];
  for (const event of feed(...events)) auditor.add(event);
  expect(auditor.finish()).toEqual([]);
  expect(auditor.lateOffers).toBe(1);
});
