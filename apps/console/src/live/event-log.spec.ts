import type { PoolEvent } from '../api.js';
import { EventLog, quantile } from './event-log.js';

const NOON = Date.parse('2026-11-21T12:00:00Z');
const iso = (seconds: number): string => new Date(NOON + seconds * 1000).toISOString();

let seq = 0;
function event(
  at: number,
  kind: PoolEvent['event'],
  fence: number | null,
  reason: PoolEvent['reason'] = null,
): PoolEvent {
  const time = iso(at);
  seq++;
  return {
    id: `event-${seq}`,
    seq,
    token_id: 'a',
    event: kind,
    user_id: null,
    holder: null,
    fence,
    reason,
    occurred_at: time,
    recorded_at: time,
    expires_at: null,
    actor: 'open',
    request_id: null,
    metadata: {},
    lease_metadata: null,
  };
}

const granted = (at: number, fence: number) => event(at, 'activated', fence, 'allocated');
const evicted = (at: number, fence: number) => event(at, 'released', fence, 'lru_eviction');
const expired = (at: number, fence: number) => event(at, 'expired', fence, 'ttl_expired');

function logOf(...events: PoolEvent[]): EventLog {
  const log = new EventLog();
  for (const each of events) log.append(each, null);
  return log;
}

test('the summary has the median and p99 of how long leases were held', () => {
  const log = new EventLog();
  for (let i = 1; i <= 100; i++) {
    log.append(granted(0, i), null);
    log.append(expired(i, i), null);
  }
  expect(log.summary(NOON)).toMatchObject({ medianHeld: 50_000, p99Held: 99_000 });
  expect(log.summary(NOON + 90_000)).toMatchObject({ medianHeld: 95_000, counts: { expired: 11, granted: 0 } });
});

test('without an end there is no median', () => {
  expect(logOf(granted(0, 1)).summary(NOON)).toMatchObject({ medianHeld: null, p99Held: null, youngest: null });
  expect(quantile(new Float64Array(), 0.5)).toBeNull();
});

test('the summary counts evictions of leases younger than a minute separately', () => {
  const log = logOf(granted(0, 1), granted(0, 2), granted(0, 3), evicted(7, 1), expired(8, 2), evicted(60, 3));
  expect(log.summary(NOON)).toMatchObject({ youngEvictions: 1, youngest: 7_000, counts: { evicted: 2, expired: 1 } });
});

test('the beginning of a lease comes from its token, or from older events that are read later', () => {
  const log = new EventLog();
  log.append(evicted(50, 1), {
    fence: 1,
    userId: 'u',
    holder: null,
    activatedAt: NOON + 20_000,
    isCleaning: false,
    expiresAt: NOON + 90_000,
  });
  log.append(expired(60, 2), null);
  expect(log.summary(NOON).medianHeld).toBe(30_000);
  log.prepend([granted(10, 2)]);
  expect(log.summary(NOON)).toMatchObject({ medianHeld: 30_000, p99Held: 50_000 });
  expect(log.since).toBe(NOON + 10_000);
});

test('the series computes counts backwards from the current state of the pool', () => {
  const log = logOf(
    event(1, 'generated', null),
    granted(11, 1),
    granted(12, 2),
    expired(25, 1),
    event(35, 'deleted', null, 'idle_ttl'),
  );
  // Lease 2 has been overdue since 38, and its expired event has not arrived.
  const series = log.series(NOON, NOON + 40_000, 4, { held: 0, total: 5, lapsed: [NOON + 38_000] });
  expect(series.times).toEqual([10, 20, 30, 40].map((s) => NOON + s * 1000));
  expect(series.held).toEqual([0, 2, 1, 0]);
  expect(series.total).toEqual([6, 6, 6, 5]);
  expect(series.counts.granted).toEqual([0, 2, 0, 0]);
  expect(series.counts.expired).toEqual([0, 0, 1, 0]);
  expect(series.medianHeld).toEqual([null, null, 14_000, null]);
});

test('an event at the end of a bucket belongs to it, one before the first bucket to none', () => {
  const log = logOf(granted(0, 1), granted(10, 2), granted(20, 3));
  const { counts } = log.series(NOON, NOON + 20_000, 2, { held: 3, total: 3, lapsed: [] });
  expect(counts.granted).toEqual([1, 1]);
});

test('the log keeps the newest hundred thousand events', () => {
  const log = new EventLog();
  for (let i = 0; i < 120_000; i++) log.append(granted(i, i + 1), null);
  const { counts } = log.summary(0);
  expect(counts.granted).toBeLessThanOrEqual(110_000);
  expect(counts.granted).toBeGreaterThanOrEqual(100_000);
  expect(log.since).toBeGreaterThan(NOON);
  log.prepend([granted(0, 1)]); // dropped events do not return
  expect(log.summary(0).counts).toEqual(counts);
});
