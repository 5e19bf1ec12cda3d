// The tokens of a pool as a table, the text form of the board. It renders only the rows in sight.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { isHeld, type TokenState } from '../live/pool-state.js';
import { serverClock } from '../server-clock.js';
import { UserId } from '../ui/id.js';
import { seconds } from '../ui/tick.js';
import { Time, TimeLeft, TimePassed } from '../ui/time.js';
import { number, shortId } from '../words.js';
import { nextOut } from './board.js';
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

export function TokenList({ live, pool, matches, selected, onSelect }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  useEffect(() => {
    const resize = new ResizeObserver(([entry]) => (height.value = entry!.contentRect.height));
    resize.observe(frame.current!);
    return () => resize.disconnect();
  }, []);

  void seconds.value;
  const at = serverClock.now();
  const rows = inOrder(live.state?.tokens ?? [], matches, at);
  const first = Math.max(Math.floor(top.value / ROW) - MARGIN, 0);
  const last = Math.min(Math.ceil((top.value + height.value) / ROW) + MARGIN, rows.length);
  const next = nextOut(pool, live, at);

  return (
    <div
      ref={frame}
      class="token-list"
      tabIndex={0}
      role="region"
      aria-label={`Tokens of ${pool.name}`}
      onScroll={({ currentTarget }) => (top.value = currentTarget.scrollTop)}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Token</th>
            <th scope="col">State</th>
            <th scope="col">User</th>
            <th scope="col">Time left</th>
            <th scope="col" class="wide">
              Held for
            </th>
            <th scope="col" class="wide">
              Since
            </th>
            <th scope="col" class="wide number">
              Fence
            </th>
          </tr>
        </thead>
        <tbody>
          <Gap rows={first} />
          {rows.slice(first, last).map((token, i) => (
            <Row
              key={token.id}
              token={token}
              index={first + i + 2}
              isHeld={isHeld(token, at)}
              isNext={token === next}
              isSelected={token.id === selected}
              fullMs={pool.ttl_seconds * 1000}
              at={at}
              onSelect={onSelect}
            />
          ))}
          <Gap rows={rows.length - last} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">No token matches.</p>}
    </div>
  );
}

interface RowProps {
  readonly token: TokenState;
  readonly index: number;
  readonly isHeld: boolean;
  readonly isNext: boolean;
  readonly isSelected: boolean;
  readonly fullMs: number;
  readonly at: number;
  readonly onSelect: (id: string) => void;
}

function Row({ token, index, isHeld, isNext, isSelected, fullMs, at, onSelect }: RowProps) {
  const lease = isHeld ? token.lease : null;
  return (
    <tr aria-rowindex={index} class={isSelected ? 'selected' : undefined}>
      <td>
        <button type="button" class="link" title={`token ${token.id}`} onClick={() => onSelect(token.id)}>
          <code>{shortId(token.id)}</code>
        </button>
      </td>
      <td>
        <span class={lease ? 'badge held' : 'badge free'}>{lease ? 'held' : 'free'}</span>
        {isNext && <span class="badge next">next out</span>}
      </td>
      <td>{lease && <UserId id={lease.userId} holder={lease.holder} />}</td>
      <td>
        {lease && (
          <span class="left">
            <span class="left-bar" aria-hidden="true">
              <span style={{ width: `${Math.min((lease.expiresAt - at) / fullMs, 1) * 100}%` }} />
            </span>
            <TimeLeft until={lease.expiresAt} />
          </span>
        )}
      </td>
      <td class="wide">{lease && <TimePassed since={lease.activatedAt} />}</td>
      <td class="wide">{lease && <Time at={new Date(lease.activatedAt).toISOString()} />}</td>
      <td class="wide number">{lease && number(lease.fence)}</td>
    </tr>
  );
}

/** Takes the room of the rows out of sight. */
function Gap({ rows }: { readonly rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td colSpan={7} class="gap" style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}

/** Oldest lease first, the order of eviction; then the free tokens. */
function inOrder(tokens: readonly TokenState[], matches: Props['matches'], now: number): TokenState[] {
  const shown = matches === null ? [...tokens] : tokens.filter(matches);
  const rank = (token: TokenState): number => (isHeld(token, now) ? token.lease!.fence : Infinity);
  return shown.sort((a, b) => {
    const [one, other] = [rank(a), rank(b)];
    return one === other ? (a.id < b.id ? -1 : 1) : one - other;
  });
}
