// Finds how early in a history a finding shows: what a run of that length would have found.

import { fromIso } from '@app/tokens';
import type { History, Operation, PoolHistory } from '../history.js';
import { check } from './check.js';
import type { Finding } from './finding.js';
import { Wall } from './instants.js';

/** @returns nanoseconds to the first sign, to within 1 % of the history; the whole history must show it */
export function firstSign(history: History, shows: (finding: Finding) => boolean): number {
  const length = history.operations.reduce((latest, { answered }) => Math.max(latest, answered), 0);
  let [without, within] = [0, length];
  while (within - without > length / 100) {
    const middle = (without + within) / 2;
    if (check(beginning(history, middle)).some(shows)) within = middle;
    else without = middle;
  }
  return within;
}

/** @returns the history up to an instant; operations that were under way then have no answer */
function beginning(history: History, until: number): History {
  const wall = new Wall(history.run, history.end);
  const seen = (operations: readonly Operation[]): Operation[] =>
    operations.filter(({ sent }) => sent <= until).map((one) => (one.answered <= until ? one : underWay(one)));
  const part = ({ setting, events, operations }: PoolHistory): PoolHistory => ({
    setting,
    events: events.filter(({ recorded_at }) => fromIso(recorded_at) <= wall.at(until)),
    operations: seen(operations),
    state: null,
  });
  return {
    ...history,
    operations: seen(history.operations),
    faults: history.faults.filter(({ healed }) => healed <= until),
    recoveries: [],
    pools: history.pools.map(part),
    line: history.line && part(history.line),
    waits: history.waits.filter(({ answered }) => answered <= until),
    cleaned: history.cleaned && part(history.cleaned),
    visits: history.visits.filter(({ answered }) => answered <= until),
    end: null,
  };
}

const underWay = (operation: Operation): Operation => ({
  ...operation,
  status: null,
  error: 'under way',
  answer: undefined,
  detail: undefined,
  retryAfter: undefined,
});
