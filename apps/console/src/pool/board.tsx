// The pool as a board on a canvas, with one cell for each token. For the keyboard and for screen readers it is a list
// box that renders only the option under the cursor.

import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { isHeld, nextToBeEvicted, statusOf, type TokenState } from '../live/pool-state.js';
import { serverClock } from '../server-clock.js';
import { TokenName } from '../ui/id.js';
import { now } from '../ui/tick.js';
import { paint } from '../ui/theme-switch.js';
import { attributesInWords, countdown, duration, nameOf, number, shortId, SOMEBODY, STATUS_WORDS } from '../words.js';
import { cellAt, layoutOf, placeOf, stepFrom, type BoardLayout } from './board-layout.js';
import { BoardPainter } from './board-painter.js';
import './board.css';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
  readonly matches: ((token: TokenState) => boolean) | null;
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
}

export function Board({ live, pool, matches, selected, onSelect }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const layout = useSignal<BoardLayout | null>(null);
  const cursor = useSignal(-1);
  const pointed = useSignal(-1);
  const tokens = live.state?.tokens ?? [];

  // The painter reads this each frame, even if the component has not rendered since.
  const view = useRef({ pool, matches, selected });
  view.current = { pool, matches, selected };

  useEffect(() => {
    const resize = new ResizeObserver(([entry]) => fit(Math.floor(entry!.contentRect.width)));
    const painter = new BoardPainter(canvas.current!);
    let width = 0;
    let colours = paint();
    const fit = (to: number): void => {
      width = to;
      layout.value = layoutOf(live.state?.tokens.length ?? 0, width, devicePixelRatio);
      painter.resize(layout.value);
    };
    resize.observe(frame.current!);
    let request = requestAnimationFrame(function next() {
      request = requestAnimationFrame(next);
      const { state, flashes } = live;
      if (state === null || width === 0) return;
      live.lapse();
      const { count, ratio } = layout.peek()!;
      if (state.tokens.length !== count || ratio !== devicePixelRatio) fit(width);
      if (colours !== paint()) {
        colours = paint();
        painter.recolour();
      }
      const at = serverClock.now();
      painter.paint({
        state,
        now: at,
        fullMs: view.current.pool.ttl_seconds * 1000,
        nextOut: nextOut(view.current.pool, live, at),
        matches: view.current.matches,
        flashes,
        selected: view.current.selected,
        cursor: document.activeElement === frame.current ? cursor.peek() : -1,
      });
    });
    return () => {
      cancelAnimationFrame(request);
      resize.disconnect();
    };
  }, [live]);

  // If the board shrinks, the cursor stays within it.
  useSignalEffect(() => {
    const { count = 0 } = layout.value ?? {};
    if (cursor.value >= count) cursor.value = count - 1;
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    if (layout.value === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const token = tokens[cursor.value];
    if ((event.key === 'Enter' || event.key === ' ') && token) onSelect(token.id);
    else {
      const to = stepFrom(layout.value, cursor.value, event.key);
      if (to === null) return;
      cursor.value = to;
      reveal(frame.current!, layout.value, to);
    }
    event.preventDefault();
  };
  const cellOf = (event: PointerEvent | MouseEvent): number => {
    const { left, top } = canvas.current!.getBoundingClientRect();
    return layout.value === null ? -1 : cellAt(layout.value, event.clientX - left, event.clientY - top);
  };

  return (
    <div
      ref={frame}
      class="board"
      role="listbox"
      tabIndex={0}
      aria-label={`Tokens of ${pool.name}`}
      aria-activedescendant={cursor.value >= 0 ? 'board-option' : undefined}
      onKeyDown={onKeyDown}
      onFocus={() => {
        if (cursor.value < 0)
          cursor.value = Math.max(
            tokens.findIndex(({ id }) => id === selected),
            0,
          );
      }}
      onPointerMove={(event) => (pointed.value = event.pointerType === 'touch' ? -1 : cellOf(event))}
      onPointerLeave={() => (pointed.value = -1)}
      onClick={(event) => {
        const index = cellOf(event);
        const token = tokens[index];
        if (!token) return;
        cursor.value = index;
        onSelect(token.id);
      }}
    >
      <canvas ref={canvas} aria-hidden="true" />
      <CursorOption live={live} pool={pool} index={cursor.value} selected={selected} />
      {layout.value !== null && pointed.value >= 0 && (
        <Tip live={live} pool={pool} layout={layout.value} index={pointed.value} />
      )}
    </div>
  );
}

interface AtCell {
  readonly live: LivePool;
  readonly pool: Pool;
  readonly index: number;
}

/** The option under the cursor: rendering all of tens of thousands would be too slow. */
function CursorOption({ live, pool, index, selected }: AtCell & { readonly selected: string | null }) {
  const tokens = live.state?.tokens ?? [];
  const token = tokens[index];
  // The text stays the same while the cursor rests, so that screen readers do not repeat it each second.
  const words = useMemo(
    () => token && describe(token, pool, live),
    [token, token?.words, token?.lease?.fence, selected],
  );
  if (token === undefined) return null;
  return (
    <div
      id="board-option"
      class="unseen"
      role="option"
      aria-selected={token.id === selected}
      aria-posinset={index + 1}
      aria-setsize={tokens.length}
    >
      {words}
    </div>
  );
}

function Tip({ live, pool, layout, index }: AtCell & { readonly layout: BoardLayout }) {
  const token = live.state?.tokens[index];
  if (token === undefined) return null;
  const { x, y } = placeOf(layout, index);
  const { lease } = token;
  const at = now.value;
  const isRight = x > layout.width / 2;
  return (
    <div
      class="tip"
      aria-hidden="true"
      style={{
        top: `${y + layout.pitch + 4}px`,
        left: isRight ? 'auto' : `${x}px`,
        right: isRight ? `${layout.width - x - layout.size}px` : 'auto',
      }}
    >
      <TokenName {...token} />
      {Object.keys(token.attributes).length > 0 && <span class="note">{attributesInWords(token.attributes)}</span>}
      {lease !== null && isHeld(token, at) ? (
        <>
          <span>
            {lease.isCleaning ? 'cleaned' : 'held'} by{' '}
            {lease.userId === null ? SOMEBODY : (lease.holder ?? <code>{shortId(lease.userId)}</code>)} for{' '}
            {duration(Math.max(Math.floor((at - lease.activatedAt) / 1000), 0))}
          </span>
          <strong>{countdown(lease.expiresAt - at)} left</strong>
          {token === nextOut(pool, live, at) && <span class="next-out">next to be evicted</span>}
        </>
      ) : (
        <>
          <span>{STATUS_WORDS[statusOf(token, at)]}</span>
          {token.disabled !== null && <span class="note">{token.disabled.reason}</span>}
          {statusOf(token, at) === 'cooling' && <strong>{countdown(token.restsUntil - at)} left</strong>}
        </>
      )}
    </div>
  );
}

/** The token that the next allocation would evict, when the pool evicts and none is free. */
export function nextOut(pool: Pool, { state }: LivePool, at: number): TokenState | null {
  return pool.on_exhausted === 'evict_oldest' && state?.isWhole ? nextToBeEvicted(state.tokens, pool, at) : null;
}

function describe(token: TokenState, pool: Pool, live: LivePool): string {
  const at = serverClock.now();
  const { lease } = token;
  const name = `Token ${nameOf(token)}`;
  if (lease === null || !isHeld(token, at)) {
    const why = token.disabled === null ? '' : `: ${token.disabled.reason}`;
    return `${name}, ${STATUS_WORDS[statusOf(token, at)]}${why}`;
  }
  const left = duration(Math.ceil((lease.expiresAt - at) / 1000));
  const user = lease.userId === null ? SOMEBODY : (lease.holder ?? `user ${shortId(lease.userId)}`);
  const words = `${name}, ${lease.isCleaning ? 'cleaned' : 'held'} by ${user}, lease ${number(lease.fence)}, ${left} left`;
  return token === nextOut(pool, live, at) ? `${words}, next to be evicted` : words;
}

function reveal(frame: HTMLElement, layout: BoardLayout, index: number): void {
  const top = frame.getBoundingClientRect().top + placeOf(layout, index).y;
  if (top < 80) scrollBy(0, top - 80);
  else if (top + layout.pitch > innerHeight - 16) scrollBy(0, top + layout.pitch - innerHeight + 16);
}
