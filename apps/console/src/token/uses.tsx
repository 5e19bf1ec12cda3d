// The uses of a token, as a drawing over time and as a list.

import type { EndReason, Use } from '../api.js';
import { UserId } from '../ui/id.js';
import { Time } from '../ui/time.js';
import { duration, END_WORDS, number } from '../words.js';

interface Props {
  /** Newest first. */
  readonly uses: readonly Use[];
  /** The note with which a lease was ended, by its fence. */
  readonly notes: ReadonlyMap<number, string>;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly now: number;
}

const CLASS: Readonly<Record<EndReason, string>> = {
  released_by_client: 'released',
  revoked: 'released',
  undelivered: 'released',
  lru_eviction: 'evicted',
  over_share_eviction: 'evicted',
  selected_eviction: 'evicted',
  cleanup: 'cleaned',
  ttl_expired: 'expired',
  unclaimed: 'expired',
  deleted_by_client: 'ended-by-deletion',
  pool_deleted: 'ended-by-deletion',
};

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

export function Uses({ uses, notes, now }: Props) {
  if (uses.length === 0) return <p class="empty">Nobody has had it yet.</p>;
  const longest = Math.max(...uses.map((use) => lengthOf(use, now)));
  return (
    <>
      <Strip uses={uses} now={now} />
      <ol class="uses">
        {uses.map((use) => {
          const length = lengthOf(use, now);
          const reason = use.end_reason === null ? 'open' : CLASS[use.end_reason];
          return (
            <li key={use.fence} class={reason}>
              <span class={`mark ${reason}`} aria-hidden="true" />
              <div class="grow">
                <p class="use-line">
                  <UserId id={use.user_id} holder={use.holder} />
                  <span class="digits">{duration(length / 1000)}</span>
                </p>
                <span class="use-bar" aria-hidden="true">
                  <span class={reason} style={{ width: `${Math.max((length / longest) * 100, 1)}%` }} />
                </span>
                <p class="note">
                  <Time at={use.started_at} />
                  {use.ended_at !== null && (
                    <>
                      {' to '}
                      <Time at={use.ended_at} />
                    </>
                  )}
                  {' · '}
                  {use.end_reason === null ? 'holds it now' : END_WORDS[use.end_reason]} · fence {number(use.fence)}
                </p>
                {notes.has(use.fence) && <p class="metadata">{notes.get(use.fence)}</p>}
              </div>
            </li>
          );
        })}
      </ol>
    </>
  );
}

/** The uses along the time axis, with free time between them. */
function Strip({ uses, now }: Omit<Props, 'notes'>) {
  const from = Date.parse(uses.at(-1)!.started_at);
  const span = Math.max(now - from, 1000);
  const xOf = (at: number): number => ((at - from) / span) * 100;
  return (
    <figure class="strip">
      <svg
        viewBox="0 0 100 10"
        preserveAspectRatio="none"
        role="img"
        aria-label="When it was held, and when it was free"
      >
        <rect class="strip-free" x="0" y="0" width="100" height="10" />
        {uses.map((use) => (
          <rect
            key={use.fence}
            class={`strip-use ${use.end_reason === null ? 'open' : CLASS[use.end_reason]}`}
            x={xOf(Date.parse(use.started_at))}
            y="0"
            width={Math.max((lengthOf(use, now) / span) * 100, 0.4)}
            height="10"
          />
        ))}
      </svg>
      <figcaption class="note digits">
        <span>{CLOCK.format(from)}</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}

const lengthOf = ({ started_at, ended_at }: Use, now: number): number =>
  Math.max((ended_at === null ? now : Date.parse(ended_at)) - Date.parse(started_at), 0);
