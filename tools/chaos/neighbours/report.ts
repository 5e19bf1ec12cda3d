// The promises to one caller beside an attack, and the figures.

import { number, percent, type Table } from '../../harness/table.js';
import { answersOf, CALLERS, PAUSE_MS, ROUNDS, type NeighboursResult, type Row } from './neighbours.js';

const LEAST_RATE = 0.5;
const MOST_P99 = 5;

const rateOf = ({ alone, beside }: Row): number => beside.perSecond / alone.perSecond;
const slowdownOf = ({ alone, beside }: Row): number => beside.p99Ms / alone.p99Ms;
const isKept = (row: Row): boolean => rateOf(row) >= LEAST_RATE && slowdownOf(row) <= MOST_P99;

export const isShared = ({ rows }: NeighboursResult): boolean => rows.every(isKept) && isSteady(rows);

/** Whether the rate alone is about the same in every row: a slow round alone would make an attack look harmless. */
function isSteady(rows: readonly Row[]): boolean {
  const rates = rows.map(({ alone }) => alone.perSecond);
  return Math.min(...rates) >= LEAST_RATE * Math.max(...rates);
}

export const neighboursTable = ({ rows, seconds }: NeighboursResult): Table => ({
  title: `What is left beside an attack: at least ${percent(LEAST_RATE)} of the rate, a p99 of at most ${MOST_P99} times`,
  head: [
    'attack',
    'alone, a second',
    'beside it',
    'share',
    'p99 alone, ms',
    'beside it',
    'times',
    'kept',
    'attacker is answered, a second',
  ],
  rows: rows.map((row) => [
    row.what,
    number(Math.round(row.alone.perSecond)),
    number(Math.round(row.beside.perSecond)),
    percent(rateOf(row)),
    number(row.alone.p99Ms),
    number(row.beside.p99Ms),
    number(slowdownOf(row)),
    isKept(row) ? 'yes' : 'NO',
    answersOf(row),
  ]),
  note:
    `Allocates and releases of one key in a pool of its own, ${CALLERS} callers, each with a pause of ${PAUSE_MS} ms after each answer; ` +
    `medians of ${ROUNDS} rounds of ${seconds} s alone and as many beside the attack, in turns, on one process with AUTH=keys and its other ` +
    'settings as they are by default. The attacker is a process of its own on the same processors (nice 10); it has one key, and waits for nothing that it is told.',
});
