import { isGross, reach } from './reach.js';
import type { BenchResult } from './result.js';
import type { SweepRow } from './sections/sweep.js';

const swept = (p50: number, p99: number): SweepRow => ({
  what: 'allocate in the pool that is swept',
  seconds: 1.2,
  quiet: { p50: 4, p99: 8 },
  meanwhile: { p50, p99 },
  ratio: p99 / 8,
});

const gross = (row: SweepRow): string[] =>
  reach({ sweep: { result: { leases: 10_000, callers: 16, rows: [swept(4, 8), row] } } } as unknown as BenchResult)
    .filter(isGross)
    .map(({ what }) => what);

test('one pause of the disk, which decides the slowest few, is no gross regression', () => {
  expect(gross(swept(16, 600))).toEqual([]);
});

test('a sweep that everybody waits for is one', () => {
  expect(gross(swept(400, 600))).toEqual(['the same, in the pool that is swept']);
});
