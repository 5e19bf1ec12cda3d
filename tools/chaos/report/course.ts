// Draws a run: the answers a second over time, and the faults below.

import { lines } from '../../harness/svg.js';
import { NEMESES } from '../nemeses/all.js';
import type { RunSummary } from './summary.js';

const FAMILIES = ['process', 'database', 'network', 'clock'] as const;

/** @param upTo the seconds of the run to show */
export function courseOf({ course, run }: RunSummary, upTo = Infinity): string {
  const { step, faults } = course;
  const points = (counts: readonly number[]) =>
    counts.map((count, place) => ({ x: (place + 0.5) * step, y: count / step })).filter(({ x }) => x <= upTo);
  return lines({
    title: `${run.seconds <= upTo ? 'A run' : `The first ${upTo} s of it`}, and what was broken when`,
    unit: 'requests a second',
    timeUnit: 'seconds',
    series: [
      { name: 'answered', points: points(course.answered) },
      { name: '503, or no answer', points: points(course.failed) },
    ],
    lanes: NEMESES.flatMap(({ name, family }) => {
      const marks = faults
        .filter((fault) => fault.name === name && fault.from <= upTo)
        .map(({ from, to, hint }) => ({ from, to: Math.min(to, upTo), title: hint }));
      return marks.length === 0 ? [] : [{ name, group: FAMILIES.indexOf(family) + 2, marks }];
    }),
  });
}
