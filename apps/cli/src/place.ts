// What a command that waits in the line of a pool takes and says.

import { secondsOf, type Ticket } from '../../../libs/client/src/index.js';
import type { Arguments } from './arguments.js';
import type { Options } from './option.js';
import { UsageError } from './usage-error.js';

const MOST_AT_ONCE = 100;

export const PLACE_OPTIONS: Options = {
  wait: { value: 'TIME', help: 'waits in the line if no token is free: seconds, or such as 90s, 10m, 2h' },
  count: { value: 'N', help: `so many tokens at once or none, at most ${MOST_AT_ONCE}; default: 1` },
};

interface Waiting {
  /** Left out, the command does not wait. */
  readonly wait: string | undefined;
  readonly count: number;
  /** Prints the place; it is called when the place is taken and when it has changed. */
  readonly onPlace: ((ticket: Ticket) => void) | undefined;
}

/** @throws UsageError */
export function waitingOf(given: Arguments): Waiting {
  const [wait, count = 1] = [given.text('wait'), given.whole('count', 1)];
  const named = ['name', 'token'].find((option) => given.text(option) !== undefined);
  if (named && (wait !== undefined || count > 1)) {
    throw new UsageError(`--${named} asks for one token, which has no line: it cannot stand beside --wait or --count`);
  }
  if (count > MOST_AT_ONCE) throw new UsageError(`--count is ${count}; the most is ${MOST_AT_ONCE}`);
  try {
    if (wait !== undefined) secondsOf(wait);
  } catch (error) {
    throw new UsageError(`--wait: ${(error as Error).message}`);
  }
  const tell = (ticket: Ticket): void => console.error(`tokenpool: ${wordsOf(ticket)}`);
  return { wait, count, onPlace: given.flag('json') ? undefined : tell };
}

/** Such as `3rd of 12 in the line of phones, at the latest 14:07:31`. */
export function wordsOf({ pool, position, waiting, not_later_than: latest }: Ticket): string {
  if (position === null) return `it is your turn in the line of ${pool}`;
  const promise = latest === null ? 'nobody can say when it is your turn' : `at the latest ${clock(latest)}`;
  return `${ordinal(position)} of ${waiting} in the line of ${pool}, ${promise}`;
}

function ordinal(n: number): string {
  const isTeen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${(!isTeen && ['th', 'st', 'nd', 'rd'][n % 10]) || 'th'}`;
}

/** The time of the day where the reader is, with the day unless it is today. */
function clock(at: string): string {
  const [then, today] = [new Date(at), new Date()];
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = [then.getHours(), then.getMinutes(), then.getSeconds()].map(two).join(':');
  if (then.toDateString() === today.toDateString()) return time;
  return `${[then.getFullYear(), then.getMonth() + 1, then.getDate()].map(two).join('-')} ${time}`;
}
