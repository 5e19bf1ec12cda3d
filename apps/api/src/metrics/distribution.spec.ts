import { Distribution } from './distribution.js';

test('a value counts in every bucket whose bound it does not exceed, and in the sum', () => {
  const distribution = new Distribution([1, 5]);
  for (const value of [0, 1, 1.5, 5, 6]) distribution.add(value);
  expect(distribution.samples('age', { pool: 'p' })).toEqual([
    { metricName: 'age_bucket', labels: { pool: 'p', le: 1 }, value: 2 },
    { metricName: 'age_bucket', labels: { pool: 'p', le: 5 }, value: 4 },
    { metricName: 'age_bucket', labels: { pool: 'p', le: '+Inf' }, value: 5 },
    { metricName: 'age_sum', labels: { pool: 'p' }, value: 13.5 },
    { metricName: 'age_count', labels: { pool: 'p' }, value: 5 },
  ]);
});

test('buckets are there before any value is', () => {
  expect(new Distribution([1]).samples('age').map(({ value }) => value)).toEqual([0, 0, 0, 0]);
});
