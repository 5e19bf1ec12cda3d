// The tokens of a pool as a table, the text form of the board. It renders only the rows in sight.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { isHeld, type TokenState } from '../live/pool-state.js';
import { choose, query } from '../location.js';
import { serverClock } from '../server-clock.js';
import { TokenName } from '../ui/id.js';
import { seconds } from '../ui/tick.js';
import { nextOut } from './board.js';
import { LEFT, NAME, OF_LEASE, ofAttributes, STATE, USER, type At, type Column } from './columns.js';
import { sorted, type SortBy } from './order.js';
import './token-list.css';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
  readonly matches: ((token: TokenState) => boolean) | null;
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
}

const ROW = 44;
/** The number of rows rendered beyond each edge, so that scrolling shows no gap. */
const MARGIN = 8;
const NOBODY: readonly TokenState[] = [];

export function TokenList({ live, pool, matches, selected, onSelect }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  useEffect(() => {
    const resize = new ResizeObserver(([entry]) => (height.value = entry!.contentRect.height));
    resize.observe(frame.current!);
    return () => resize.disconnect();
  }, []);

  const tick = seconds.value;
  const version = live.version.value;
  const now = serverClock.now();
  const tokens = live.state?.tokens ?? NOBODY;
  const things = live.state?.thingsVersion;
  const isListed = pool.kind === 'listed';
  const columns = useMemo((): readonly Column[] => {
    const name: Column = {
      ...NAME,
      cell: ({ id, name }) => (
        <button type="button" class="link" title={`token ${id}`} onClick={() => onSelect(id)}>
          <TokenName id={id} name={name} />
        </button>
      ),
    };
    return [name, STATE, USER, LEFT, ...(isListed ? ofAttributes(tokens) : OF_LEASE)];
  }, [tokens, things, isListed]);

  const given = query.value.get('sort') ?? (isListed ? NAME.key : '');
  const isDescending = given.startsWith('-');
  const sort = columns.find(({ key }) => key === given.replace(/^-/, ''));
  // Sorting ten thousand tokens takes longer than a key press should: an order that stays is kept.
  const ordered = useMemo(
    () => sorted(tokens, sort?.sortBy ?? byLease, isDescending, now),
    [tokens, things, sort, isDescending, sort?.isStill === true ? 0 : `${tick} ${version}`],
  );
  const rows = matches === null ? ordered : ordered.filter(matches);
  const first = Math.max(Math.floor(top.value / ROW) - MARGIN, 0);
  const last = Math.min(Math.ceil((top.value + height.value) / ROW) + MARGIN, rows.length);
  const next = nextOut(pool, live, now);

  return (
    <div
      ref={frame}
      class={isListed ? 'token-list listed' : 'token-list'}
      tabIndex={0}
      role="region"
      aria-label={`Tokens of ${pool.name}`}
      onScroll={({ currentTarget }) => (top.value = currentTarget.scrollTop)}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.key} column={column} order={column === sort ? (isDescending ? -1 : 1) : 0} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Gap rows={first} columns={columns.length} />
          {rows.slice(first, last).map((token, i) => (
            <Row
              key={token.id}
              token={token}
              columns={columns}
              index={first + i + 2}
              isSelected={token.id === selected}
              at={{ now, fullMs: pool.ttl_seconds * 1000, isNext: token === next }}
            />
          ))}
          <Gap rows={rows.length - last} columns={columns.length} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">No token matches.</p>}
    </div>
  );
}

/** Oldest lease first, the order of eviction; then the free tokens. */
const byLease: SortBy = (token, now) => (isHeld(token, now) ? token.lease!.fence : null);

interface HeadProps {
  readonly column: Column;
  /** 1 if the list is in the order of this column, -1 if the other way round. */
  readonly order: 1 | 0 | -1;
}

function Head({ column, order }: HeadProps) {
  return (
    <th scope="col" class={column.class} aria-sort={order === 0 ? undefined : order === 1 ? 'ascending' : 'descending'}>
      <button
        type="button"
        class="sort"
        onClick={() => choose({ sort: order === 1 ? `-${column.key}` : column.key }, 'replace')}
      >
        {column.title}
        <span aria-hidden="true">{order === 0 ? '' : order === 1 ? ' ↑' : ' ↓'}</span>
      </button>
    </th>
  );
}

interface RowProps {
  readonly token: TokenState;
  readonly columns: readonly Column[];
  readonly index: number;
  readonly isSelected: boolean;
  readonly at: At;
}

function Row({ token, columns, index, isSelected, at }: RowProps) {
  const lease = isHeld(token, at.now) ? token.lease : null;
  return (
    <tr aria-rowindex={index} class={isSelected ? 'selected' : undefined}>
      {columns.map((column) => (
        <td key={column.key} class={column.class}>
          {column.cell(token, lease, at)}
        </td>
      ))}
    </tr>
  );
}

/** Takes the room of the rows out of sight. */
function Gap({ rows, columns }: { readonly rows: number; readonly columns: number }) {
  if (rows <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td colSpan={columns} class="gap" style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}
