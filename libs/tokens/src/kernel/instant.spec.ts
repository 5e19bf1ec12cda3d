import fc from 'fast-check';
import { instantOf, fromIso, fromSeconds, secondsUntil, toIso } from './instant.js';

/** Up to the year 2255, in microseconds. */
const instants = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('a duration', () => {
  test.each([
    [120, 120_000_000],
    [0.5, 500_000],
    [0.000_001, 1],
    [31_536_000, 31_536_000_000_000],
  ])('of %d seconds is %d microseconds', (seconds, micros) => {
    expect(fromSeconds(seconds)).toBe(micros);
  });

  test('is at least one microsecond, so that no lease ends as it begins', () => {
    expect(fromSeconds(0.000_000_1)).toBe(1);
  });

  test('is whole microseconds, whatever the fraction', () => {
    expect(fromSeconds(0.1 + 0.2)).toBe(300_000);
    expect(fromSeconds(1 / 3)).toBe(333_333);
  });
});

describe('the seconds until an instant', () => {
  test.each([
    [0, 60_000_000, 60],
    [0, 60_000_001, 61],
    [0, 1, 1],
    [5, 5, 1],
    [9, 5, 1],
  ])('from %d to %d are %d: whole, rounded up, at least one', (from, to, seconds) => {
    expect(secondsUntil(from, to)).toBe(seconds);
  });
});

describe('an instant in words', () => {
  test('has six decimals and is in UTC', () => {
    expect(toIso(Date.UTC(2026, 10, 21, 9, 30) * 1000 + 123_456)).toBe('2026-11-21T09:30:00.123456Z');
  });

  test('keeps the zeros before and after its decimals', () => {
    expect(toIso(0)).toBe('1970-01-01T00:00:00.000000Z');
    expect(toIso(1_000_007)).toBe('1970-01-01T00:00:01.000007Z');
    expect(toIso(1_120_000)).toBe('1970-01-01T00:00:01.120000Z');
  });

  test('names the same millisecond as a Date', () => {
    fc.assert(
      fc.property(instants, (instant) => {
        expect(new Date(toIso(instant)).getTime()).toBe(Math.floor(instant / 1000));
      }),
    );
  });

  test('is the same instant again when it is read', () => {
    fc.assert(fc.property(instants, (instant) => expect(fromIso(toIso(instant))).toBe(instant)));
  });

  test('sorts as text just as the instants sort as numbers', () => {
    fc.assert(
      fc.property(instants, fc.integer({ min: 1, max: 2_000 }), (instant, later) => {
        fc.pre(instant + later <= Number.MAX_SAFE_INTEGER);
        expect(toIso(instant) < toIso(instant + later)).toBe(true);
      }),
    );
  });
});

test.each([
  ['2026-11-21T09:30:00Z', '2026-11-21T09:30:00.000000Z'],
  ['2026-11-21T09:30:00.5+16:00', '2026-11-20T17:30:00.500000Z'],
  ['2024-02-29T23:59:59.123456-00:30', '2024-03-01T00:29:59.123456Z'],
  ['2026-11-21T09:30:00.1234567Z', null],
  ['2026-02-30T09:30:00Z', null],
  ['2026-13-01T09:30:00Z', null],
  ['2026-11-21T24:00:00Z', null],
  ['2026-12-31T23:59:60Z', null],
  ['0000-01-01T00:00:00Z', null],
  ['0001-01-01T00:00:00+16:00', null],
  ['9999-12-31T23:59:59-16:00', null],
  ['12026-11-21T09:30:00Z', null],
  ['2026-11-21T09:30:00+24:00', null],
  ['2026-11-21T09:30:00Z\n', null],
])('what a caller gives as %j is %j', (given, instant) => expect(instantOf(given)).toBe(instant));

test('decimals beyond microseconds are cut off where they are allowed', () =>
  expect(instantOf('2026-11-21T09:30:00.123456789Z', 9)).toBe('2026-11-21T09:30:00.123456Z'));
