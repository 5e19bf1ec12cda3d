import { ServerClock } from './server-clock.js';

const NOON = Date.parse('2026-11-21T12:00:00Z');
const iso = (ms: number): string => new Date(ms).toISOString();

/** The page has been open for `page.now`; the reader's clock is an hour late. */
function clockAt(page: { now: number }): ServerClock {
  return new ServerClock(
    () => page.now,
    () => NOON - 3_600_000 + page.now,
  );
}

test('before the first answer, the estimate is the reader’s clock', () => {
  const page = { now: 500 };
  expect(clockAt(page).now()).toBe(NOON - 3_600_000 + 500);
});

test('one Date header gives the second, several narrow it', () => {
  const page = { now: 0 };
  const clock = clockAt(page);
  // The server is at noon plus 300 ms when the page is at 0, and answers at once.
  const answerAt = (at: number): void => {
    page.now = at;
    clock.readDateHeader(new Date(NOON + 300 + at).toUTCString(), at, at);
  };
  answerAt(0);
  expect(Math.abs(clock.now() - (NOON + 300))).toBeLessThanOrEqual(500);
  for (const at of [150, 420, 690, 710, 1350]) answerAt(at);
  expect(Math.abs(clock.now() - (NOON + 300 + page.now))).toBeLessThanOrEqual(30);
});

test('the database time of an answer beats its Date header', () => {
  const page = { now: 1000 };
  const clock = clockAt(page);
  clock.readDateHeader(new Date(NOON).toUTCString(), 980, 1000);
  clock.readAnswer(iso(NOON + 700), 990, 1000);
  expect(Math.abs(clock.now() - (NOON + 705))).toBeLessThanOrEqual(6);
});

test('if the process and the database disagree, the database wins', () => {
  const page = { now: 1000 };
  const clock = clockAt(page);
  clock.readDateHeader(new Date(NOON + 60_000).toUTCString(), 990, 1000);
  clock.readAnswer(iso(NOON), 990, 1000);
  expect(Math.abs(clock.now() - NOON)).toBeLessThanOrEqual(11);
});

test('an event of the stream gives a lower bound', () => {
  const page = { now: 1000 };
  const clock = clockAt(page);
  clock.readEvent(iso(NOON), 1000);
  clock.readEvent(iso(NOON - 400), 1000); // an event that was delayed
  expect(clock.now()).toBe(NOON);
});

test('the estimate follows a server clock that was set', () => {
  const page = { now: 1000 };
  const clock = clockAt(page);
  clock.readAnswer(iso(NOON), 990, 1000);
  clock.readAnswer(iso(NOON - 30_000), 990, 1000);
  expect(Math.abs(clock.now() - (NOON - 30_000))).toBeLessThanOrEqual(11);
});

test('the estimate includes sleep, though the monotonic clock stood still', () => {
  const page = { now: 1000, slept: 0 };
  const clock = new ServerClock(
    () => page.now,
    () => NOON - 3_600_000 + page.now + page.slept,
  );
  clock.readAnswer(iso(NOON), clock.steady() - 10, clock.steady());
  page.slept = 600_000;
  page.now += 500;
  expect(Math.abs(clock.now() - (NOON + 600_500))).toBeLessThanOrEqual(11);
  // Setting the reader's clock looks the same as sleep, until the next answer.
  page.slept += 86_400_000;
  expect(clock.now()).toBeGreaterThan(NOON + 86_400_000);
  clock.readAnswer(iso(NOON + 600_600), clock.steady() - 10, clock.steady());
  expect(Math.abs(clock.now() - (NOON + 600_600))).toBeLessThanOrEqual(11);
  page.slept -= 7_200_000;
  expect(Math.abs(clock.now() - (NOON + 600_600))).toBeLessThanOrEqual(11);
});

test('an answer without a time changes nothing', () => {
  const clock = clockAt({ now: 0 });
  clock.readAnswer('', 0, 0);
  clock.readEvent('soon', 0);
  expect(clock.now()).toBe(NOON - 3_600_000);
});

test('a missing or malformed Date header changes nothing', () => {
  const page = { now: 0 };
  const clock = clockAt(page);
  clock.readDateHeader(null, 0, 0);
  clock.readDateHeader('soon', 0, 0);
  expect(clock.now()).toBe(NOON - 3_600_000);
});
