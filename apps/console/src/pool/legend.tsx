// The legend of the board's colours.

import type { Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { NOT_READY } from '../live/pool-state.js';
import { duration } from '../words.js';
import { STATUS_CLASS } from './status-badge.js';

const LEGEND: Readonly<Record<(typeof NOT_READY)[number], string>> = {
  cooling: 'Resting',
  dirty: 'Dirty: waits to be cleaned',
  cleaning: 'Being cleaned',
  disabled: 'Out of service',
};

const isUsed = ({ cooldown_seconds, after_use }: Pool, status: 'cooling' | 'dirty' | 'cleaning'): boolean =>
  status === 'cooling' ? cooldown_seconds !== null : after_use === 'clean';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
}

export function Legend({ live, pool }: Props) {
  void live.version.value;
  const counts = live.counts();
  return (
    <ul class="board-legend">
      <li>
        <span class="cell free" aria-hidden="true" /> Free
      </li>
      <li>
        <span class="cell held" aria-hidden="true" /> Held: drains from {duration(pool.ttl_seconds)} to nothing
      </li>
      <li>
        <span class="cell soon" aria-hidden="true" /> Ends soon
      </li>
      {NOT_READY.filter((status) => counts[status] > 0 || (status !== 'disabled' && isUsed(pool, status))).map(
        (status) => (
          <li key={status}>
            <span class={`cell ${STATUS_CLASS[status]}`} aria-hidden="true" /> {LEGEND[status]}
          </li>
        ),
      )}
      {pool.on_exhausted === 'evict_oldest' && (
        <li>
          <span class="cell next" aria-hidden="true" /> Next to be evicted, when none is free
        </li>
      )}
      <li class="flashes">
        Just now: <span class="flash granted">granted</span> <span class="flash released">released</span>{' '}
        <span class="flash expired">expired</span> <span class="flash evicted">evicted</span>
      </li>
    </ul>
  );
}
