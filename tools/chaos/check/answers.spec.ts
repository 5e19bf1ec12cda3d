// The audit does not say which ends belong to which cleanup; the checker finds out by their number and time.

import type { OwnedEvent } from '@app/tokens';
import type { Operation, PoolHistory, Run } from '../history.js';
import { Answers } from './answers.js';
import { Callers } from './callers.js';
import { Wall } from './instants.js';
import { Ledger } from './ledger.js';

const SECOND = 1e9;

const cleanup = (id: string, sent: number, answered: number): Operation => ({
  kind: 'operation',
  id,
  process: 0,
  pool: 'a',
  call: { do: 'cleanup' },
  sent: sent * SECOND,
  answered: answered * SECOND,
  status: 200,
  answer: { released: 1 },
});

/** A feed of ends only, at these seconds. */
const endsAt = (...seconds: number[]): OwnedEvent[] =>
  seconds.map((second, place) => {
    const recorded_at = `1970-01-01T00:00:0${second}.000000Z`;
    return { seq: place + 1, event: 'released', reason: 'cleanup', fence: second, recorded_at } as OwnedEvent;
  });

function findings(operations: Operation[], events: OwnedEvent[]): string[] {
  const pool = { setting: { name: 'a' }, events, operations, state: null } as unknown as PoolHistory;
  const answers = new Answers(
    pool,
    new Ledger(events),
    new Wall({ wallAtZero: 0 } as Run, null),
    new Callers({ keys: [], operations }),
  );
  answers.check();
  return answers.findings.map(({ rule }) => rule);
}

test('each of two cleanups has its own ends, also when the time of one is within that of the other', () => {
  const [long, short] = [cleanup('long', 1, 9), cleanup('short', 2, 4)];
  const ends = endsAt(3, 7);
  expect(findings([long, short], ends)).toEqual([]);
  expect(findings([short, long], ends)).toEqual([]);
});

test('a cleanup without ends is found out, and so are ends without a cleanup', () => {
  expect(findings([cleanup('a', 1, 2)], endsAt(3))).toEqual(['answered', 'unasked']);
});
