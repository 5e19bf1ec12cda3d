import { levelsOf, shortened } from './rows.js';

test('a plan shows three partitions that were looked into, and how many more there were and were not', () => {
  const scan = (month: number, end: string): string =>
    `  ->  Index Scan using key on token_events_2026_0${month} e (actual rows=${end}\n        Index Cond: (seq > 1)`;
  const plan = [
    'Append (actual rows=5.00 loops=1)',
    '  Subplans Removed: 30',
    ...[1, 2, 3, 4, 5].map((month) => scan(month, '1.00 loops=1)')),
    ...[6, 7].map((month) => scan(month, 'never executed)').replace('(actual rows=never', '(never')),
    'Planning Time: 1',
  ];
  expect(shortened(plan.join('\n')).split('\n')).toEqual([
    ...plan.slice(0, 2),
    ...[1, 2, 3].flatMap((month) => scan(month, '1.00 loops=1)').split('\n')),
    '  ->  … and 2 partitions more like these',
    '  ->  … and 2 partitions never looked into',
  ]);
});

test('a key has a level more when its inner pages have no room for what is below them', () => {
  expect([1, 2, 140, 141, 140 * 140, 140 * 140 + 1].map(levelsOf)).toEqual([1, 2, 2, 3, 3, 4]);
});
