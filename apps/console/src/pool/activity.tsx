// The latest events in words, newest first.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Happening, LivePool } from '../live/live-pool.js';
import { isEnd } from '../live/event-log.js';
import { kindOf } from '../live/pool-state.js';
import { TokenName, UserId } from '../ui/id.js';
import { Ago } from '../ui/time.js';
import { duration, kindInWords, number, reasonInWords } from '../words.js';
import './activity.css';

interface Props {
  readonly live: LivePool;
  readonly matches: ((happening: Happening) => boolean) | null;
  readonly onSelect: (id: string) => void;
}

const SHOWN = 60;
/** The events of a place in line, which has a user and no lease. */
const OF_LINE: readonly string[] = ['queued', 'left', 'promised'];

export function Activity({ live, matches, onSelect }: Props) {
  // The list pauses under the reader's pointer or focus, so that no row moves away.
  const isRead = useSignal(false);
  const kept = useRef<readonly Happening[]>([]);
  void live.version.value;
  if (!isRead.value || kept.current.length === 0) {
    const all = matches === null ? live.recent : live.recent.filter(matches);
    kept.current = all.slice(0, SHOWN);
  }
  const newest = live.recent[0]?.event.seq ?? 0;
  const missed = isRead.value ? newest - (kept.current[0]?.event.seq ?? newest) : 0;
  return (
    <section class="card activity" aria-labelledby="activity-title">
      <header class="card-head">
        <h2 id="activity-title">What just happened</h2>
        {missed > 0 && <span class="note">paused, {number(missed)} newer</span>}
      </header>
      {kept.current.length === 0 ? (
        <p class="empty">{matches === null ? 'Nothing has happened yet.' : 'Nothing lately that matches.'}</p>
      ) : (
        <ol
          class="happenings"
          tabIndex={0}
          aria-label="Events, newest first"
          onPointerEnter={() => (isRead.value = true)}
          onPointerLeave={() => (isRead.value = false)}
          onFocusCapture={() => (isRead.value = true)}
          onBlurCapture={() => (isRead.value = false)}
        >
          {kept.current.map((happening) => (
            <Line key={happening.event.seq} {...happening} onSelect={onSelect} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Line({ event, held, name, onSelect }: Happening & Pick<Props, 'onSelect'>) {
  const kind = kindOf(event);
  const { token_id: id, metadata } = event;
  const { note } = metadata;
  return (
    <li class="happening">
      <span class={`mark ${kind}`} aria-hidden="true" />
      <span class="what">
        <strong class={`kind ${kind}`}>{kindInWords(event)}</strong>{' '}
        {id !== null && (
          <button type="button" class="link" title={`token ${id}`} onClick={() => onSelect(id)}>
            <TokenName id={id} name={name} />
          </button>
        )}
        {event.fence !== null && (isEnd(kind) ? ' from ' : ' to ')}
        {(event.fence !== null || OF_LINE.includes(event.event)) && <UserId id={event.user_id} holder={event.holder} />}
        {held !== null && <> after {duration(held / 1000)}</>}
        <span class="why">{reasonInWords(event)}</span>
        {typeof note === 'string' && <span class="why">“{note}”</span>}
      </span>
      <Ago at={event.occurred_at} />
    </li>
  );
}
