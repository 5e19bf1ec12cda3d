import type { OwnedEvent } from '@app/tokens';
import type { History, PoolSetting, Visit } from '../history.js';
import { checkUpkeep } from './upkeep.js';

const SETTING: PoolSetting = {
  name: 'cleaned',
  kind: 'fixed',
  size: 2,
  ttl_seconds: 1,
  idle_ttl_seconds: null,
  on_exhausted: 'reject',
  cooldown_seconds: 0.5,
  clean_within_seconds: 0.6,
  max_cleans: 2,
};

const iso = (seconds: number): string =>
  new Date(Date.UTC(2026, 10, 21) + seconds * 1000).toISOString().replace('Z', '000Z');

type Given = Partial<OwnedEvent> & Pick<OwnedEvent, 'event'>;
const feed = (...events: [at: number, event: Given][]): OwnedEvent[] =>
  events.map(
    ([at, event], place) =>
      ({
        seq: place + 1,
        token_id: 'a',
        fence: null,
        reason: null,
        metadata: {},
        occurred_at: iso(at),
        ...event,
      }) as OwnedEvent,
  );

const granted = (fence: number): Given => ({ event: 'activated', reason: 'allocated', fence });
const cleaning = (fence: number): Given => ({ event: 'activated', reason: 'cleaning', fence });
const released = (fence: number, at: number, condition?: string): Given => ({
  ...{ event: 'released', reason: 'released_by_client', fence },
  metadata: { available_at: iso(at + 0.5), condition },
});
const soiled: Given = { event: 'soiled', reason: 'used' };
const notCleaned: Given = { event: 'soiled', reason: 'not_cleaned' };

const check = (events: OwnedEvent[], visits: Partial<Visit>[] = [], setting = SETTING) =>
  checkUpkeep({ cleaned: { setting, events, operations: [], state: null }, visits } as unknown as History)!;

const GOOD: [number, Given][] = [
  [0, granted(1)],
  [1, released(1, 1, 'ok')],
  [1, soiled],
  [1.2, cleaning(2)],
  [1.4, { ...released(2, 0.9, 'dirty') }],
  [1.4, notCleaned],
  [2, cleaning(3)],
  [2.1, released(3, 1.6, 'ok')],
  [2.1, { event: 'cleaned' }],
  [2.5, granted(4)],
];

test('a good feed has no finding, and is counted', () => {
  const { findings, figures } = check(feed(...GOOD), [
    { as: 'user', token: 'a', fence: 1, condition: 'ok', released: true },
    { as: 'janitor', token: 'a', fence: 2, condition: 'dirty', released: true },
    { as: 'janitor', token: 'a', fence: 3, condition: 'ok', released: null },
  ]);
  expect(findings).toEqual([]);
  expect(figures).toMatchObject({ grants: 2, cleanings: 2, cleaned: 1, failed: 1, disabled: 0, enabled: 0 });
  expect(figures.cleanedForSeconds).toBeCloseTo(0.3);
  expect(figures.waitedSeconds).toBeCloseTo(0.6);
});

test.each<[string, [number, Given][], RegExp]>([
  ['a dirty token is granted', [...GOOD.slice(0, 3), [1.6, granted(2)]], /is granted while it is dirty/],
  ['a token that was used is not dirty', [...GOOD.slice(0, 2), [2, granted(2)]], /was used, and is not dirty/],
  [
    'it is granted before it has rested',
    [...GOOD.slice(0, 3), [1.1, cleaning(2)], [1.2, released(2, 0.7)], [1.2, { event: 'cleaned' }], [1.3, granted(3)]],
    /0.2 s before it has rested/,
  ],
  [
    'it rests too short',
    [
      [0, granted(1)],
      [1, released(1, 0.8)],
      [1, soiled],
    ],
    /rests until .*, not for 0.5 s/,
  ],
  [
    'it is granted out of service',
    [
      [0, { event: 'disabled', reason: 'disabled_by_client' }],
      [1, granted(1)],
    ],
    /while it is out of service/,
  ],
  [
    'it is granted twice',
    [
      [0, granted(1)],
      [1, granted(2)],
    ],
    /while it is held/,
  ],
  ['something clean is cleaned', [[0, cleaning(1)]], /is cleaned, and is not dirty/],
  ['nobody has cleaned it', [...GOOD.slice(0, 3), [2, { event: 'cleaned' }]], /no janitor has said so/],
  [
    'a third cleaning fails',
    [...GOOD.slice(0, 3), [1, notCleaned], [1, notCleaned], [1, notCleaned]],
    /in 3 cleanings, and is not disabled/,
  ],
  [
    'it is disabled too soon',
    [...GOOD.slice(0, 3), [1, { event: 'disabled', reason: 'not_cleaned' }]],
    /is disabled after 0 cleanings/,
  ],
  [
    'a janitor keeps it',
    [...GOOD.slice(0, 3), [1.2, cleaning(2)], [3, released(2, 2.5)]],
    /was with janitors for 1.8 s/,
  ],
])('it is found that %s', (_, events, what) => {
  expect(check(feed(...events)).findings).toEqual([expect.stringMatching(what)]);
});

test.each<[string, Partial<Visit>, RegExp]>([
  ['a grant is not in the audit', { as: 'user', fence: 9, token: 'a' }, /fence 9, which is not in the audit/],
  ['a janitor got what a user got', { as: 'janitor', fence: 1, token: 'a' }, /which is not in the audit/],
  [
    'a report is lost',
    { as: 'user', fence: 1, token: 'a', condition: 'broken', released: true },
    /as broken, in the audit/,
  ],
  ['a refused release was done', { as: 'user', fence: 1, token: 'a', released: false }, /was refused the release/],
])('it is found that %s', (_, visit, what) => {
  expect(check(feed(...GOOD), [visit]).findings).toEqual([expect.stringMatching(what)]);
});
