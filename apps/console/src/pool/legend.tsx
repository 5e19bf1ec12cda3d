// The legend of the board's colours.

import type { Pool } from '../api.js';
import { duration } from '../words.js';

export function Legend({ pool }: { readonly pool: Pool }) {
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
