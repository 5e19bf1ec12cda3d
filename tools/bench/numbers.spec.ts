import { median, quantile, slope } from '../harness/numbers.js';
import { inRounds, ratio, type Case } from './rounds.js';

test('a quantile is the value that the share lies below, whatever the order', () => {
  const values = Array.from({ length: 100 }, (_, i) => 99 - i);
  expect(quantile(values, 0.99)).toBe(99);
  expect(median(values)).toBe(50);
  expect(median([3, 1, 2])).toBe(2);
  expect(median([])).toBeNaN();
});

test('a slope is what y rises by when x rises by one', () => {
  expect(slope([1, 2, 4].map((x) => ({ x, y: 10 + 3 * x })))).toBeCloseTo(3);
});

test('each round measures everything once, and begins with another one each time', async () => {
  const order: string[] = [];
  const cases = ['a', 'b'].map((what): Case => {
    const measure = async () => {
      order.push(what);
      return { rate: order.length, p50: 1, p99: 2, refused: 0 };
    };
    return { what, at: 1, measure };
  });
  const rows = await inRounds(2, cases, () => undefined);
  expect(order).toEqual(['a', 'b', 'b', 'a']);
  expect(rows.map(({ rates }) => rates)).toEqual([
    [1, 4],
    [2, 3],
  ]);
});

test('a ratio is the median of the ratios of the rounds, not the ratio of the medians', () => {
  const row = (what: string, rates: number[]) => ({
    what,
    at: 1,
    rate: median(rates),
    p50: 0,
    p99: 0,
    refused: 0,
    rates,
  });
  const rows = [row('a', [1, 20, 30]), row('b', [10, 10, 100])];
  expect(ratio(rows, 'a', 'b', 1)).toBeCloseTo(0.3);
  expect(ratio(rows, 'a', 'c', 1)).toBeNaN();
});
