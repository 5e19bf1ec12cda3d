// The pool in a few numbers: its utilisation and its recent use.

import type { ComponentChildren } from 'preact';
import type { Pool } from '../api.js';
import type { Summary } from '../live/event-log.js';
import type { LivePool } from '../live/live-pool.js';
import { NOT_READY } from '../live/pool-state.js';
import { seconds } from '../ui/tick.js';
import { count, duration, number, rate, STATUS_WORDS } from '../words.js';
import { UtilisationBar } from './utilisation-bar.js';
import './figures.css';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
  readonly summary: Summary;
  /** The range of the summary in words: "15 min". */
  readonly period: string;
  /** The range of the summary in seconds; less when the log covers less. */
  readonly periodSeconds: number;
}

export function Figures({ live, pool, summary, period, periodSeconds }: Props) {
  void seconds.value;
  const { total } = live.present();
  const { available, active: held, ...others } = live.counts();
  const { granted } = summary.counts;
  return (
    <dl class="figures">
      <div class="figure utilisation">
        <dt>Held</dt>
        <dd>
          {total === 0 ? (
            'No tokens yet'
          ) : (
            <>
              <strong>{number(held)}</strong> of {count(total, 'token')}
            </>
          )}
          <span class="percent">{total === 0 ? '' : `${Math.round((held / total) * 100)}%`}</span>
        </dd>
        <UtilisationBar held={held} total={total} />
        <dd class="note">
          {number(available)} free
          {NOT_READY.map((status) => others[status] > 0 && `, ${number(others[status])} ${STATUS_WORDS[status]}`)}
          {pool.kind === 'elastic' && `, ${number(Math.max(pool.size - total, 0))} more may be made`}
        </dd>
      </div>
      <Figure name="Granted" note={`in ${period}`}>
        {number(granted)} <small>{rate(granted, periodSeconds)}</small>
      </Figure>
      <Figure name="Held for, median" note={`leases that ended in ${period}`}>
        {summary.medianHeld === null ? '–' : duration(summary.medianHeld / 1000)}
      </Figure>
      <Figure name="Held for, p99" note="99 of 100 ended sooner">
        {summary.p99Held === null ? '–' : duration(summary.p99Held / 1000)}
      </Figure>
      <Figure name="Evicted" note={evictedNote(pool, summary)} isBad={summary.youngEvictions > 0}>
        {number(summary.counts.evicted)}
      </Figure>
    </dl>
  );
}

interface FigureProps {
  readonly name: string;
  readonly note: string;
  readonly isBad?: boolean;
  readonly children: ComponentChildren;
}

function Figure({ name, note, isBad = false, children }: FigureProps) {
  return (
    <div class={isBad ? 'figure bad' : 'figure'}>
      <dt>{name}</dt>
      <dd class="value">{children}</dd>
      <dd class="note">{note}</dd>
    </div>
  );
}

function evictedNote({ on_exhausted }: Pool, { counts, youngEvictions }: Summary): string {
  if (on_exhausted === 'reject' && counts.evicted === 0) return 'this pool refuses instead';
  return youngEvictions === 0 ? 'none younger than a minute' : `${number(youngEvictions)} younger than a minute`;
}
