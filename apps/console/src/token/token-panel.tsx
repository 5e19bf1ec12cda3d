// One token: its holder, the time left, the actions on it, its earlier uses and its events.

import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { api, ApiError, type Pool, type Token, type TokenEvent, type Use } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { isHeld, kindOf, stateOf, statusOf, type Lease } from '../live/pool-state.js';
import { choose, query } from '../location.js';
import { leaseOf, type MyLease } from '../my-leases.js';
import { nextOut } from '../pool/board.js';
import { serverClock } from '../server-clock.js';
import { SecretOfLease } from '../things/secret.js';
import { ThingSection } from '../things/thing-section.js';
import { CopyButton } from '../ui/copy-button.js';
import { Icon } from '../ui/icon.js';
import { UserId } from '../ui/id.js';
import { Problem } from '../ui/problem.js';
import { seconds } from '../ui/tick.js';
import { Time, TimeLeft, TimePassed } from '../ui/time.js';
import { kindInWords, nameOf, number, reasonInWords } from '../words.js';
import { StatusBadge } from '../pool/status-badge.js';
import { NotReady } from './not-ready.js';
import { TokenActions } from './token-actions.js';
import { Uses } from './uses.js';
import './token-panel.css';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
  readonly id: string;
  /** Whether the reader may change the things of this pool. */
  readonly mayList: boolean;
  /** Whether the reader may take a token out of service. */
  readonly mayOperate: boolean;
  /** Announces a result to screen readers. */
  readonly say: (words: string) => void;
  readonly onClose: () => void;
}

/** A list that loads page by page, newest first. */
interface Past<T> {
  readonly all: readonly T[];
  readonly cursor: string | null;
}

export function TokenPanel({ live, pool, id, mayList, mayOperate, say, onClose }: Props) {
  const panel = useRef<HTMLElement>(null);
  const uses = useSignal<Past<Use> | null>(null);
  const events = useSignal<Past<TokenEvent> | null>(null);
  /** The token as the service last answered it; null for one that is deleted. */
  const answered = useSignal<Token | null>(null);
  const problem = useSignal<ApiError | null>(null);
  const view = query.value.get('past') === 'events' ? 'events' : 'uses';

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async (): Promise<void> => {
      timer = undefined;
      try {
        const [history, log, now] = await Promise.all([api.uses(id), api.tokenEvents(id), ifThere(api.token(id))]);
        answered.value = now;
        uses.value = { all: history.history, cursor: history.next_cursor };
        events.value = { all: log.events, cursor: log.next_cursor };
        problem.value = null;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        problem.value = error;
      }
    };
    uses.value = events.value = answered.value = problem.value = null;
    void load();
    const stopListening = live.listen({
      happened: ({ token_id }) => {
        if (token_id === id) timer ??= setTimeout(() => void load(), 250);
      },
    });
    return () => {
      clearTimeout(timer);
      stopListening();
    };
  }, [id, live]);

  // A keyboard user starts inside the panel, and returns to where it was opened when it closes. A layout effect moves
  // the focus before the next paint, so that no key press gets lost.
  useLayoutEffect(() => {
    const opener = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
    };
  }, [id]);

  void seconds.value;
  void live.version.value;
  const now = serverClock.now();
  // The page follows only a part of a large pool.
  const unfollowed = useMemo(() => (answered.value === null ? null : stateOf(answered.value)), [answered.value]);
  const token = live.state?.find(id) ?? (live.state?.isWhole === false ? unfollowed : null);
  const lease = token !== null && isHeld(token, now) ? token.lease : null;
  const isDeleted = token === null && events.value?.all[0]?.event === 'deleted';
  const mine = lease === null ? undefined : leaseOf(pool.name, lease.fence);
  const name = token?.name ?? nameIn(events.value?.all ?? []);
  const isDraining = token !== null && (answered.value?.draining ?? token.isDraining);
  const metadata = answered.value?.fence === lease?.fence ? (answered.value?.lease_metadata ?? null) : null;

  return (
    <aside
      ref={panel}
      class="token-panel"
      tabIndex={-1}
      aria-label={`Token ${nameOf({ id, name })}`}
      onKeyDown={({ key, defaultPrevented }) => {
        if (key === 'Escape' && !defaultPrevented) onClose();
      }}
    >
      <header class="token-head">
        <div class="grow">
          <p class="eyebrow">Token</p>
          {name === null ? (
            <h2>
              <code title={id}>{id}</code> <CopyButton text={id} what="the token id" />
            </h2>
          ) : (
            <>
              <h2 class="thing-name">
                {name} <CopyButton text={name} what="the name" />
              </h2>
              <p class="note">
                <code>{id}</code> <CopyButton text={id} what="the token id" />
              </p>
            </>
          )}
          <p class="badges">
            {isDeleted && <span class="badge deleted">deleted</span>}
            {token !== null && <StatusBadge status={statusOf(token, now)} />}
            {mine && <span class="badge mine">yours</span>}
            {isDraining && <span class="badge deleted">deleted at the end of its lease</span>}
            {token !== null && token === nextOut(pool, live, now) && <span class="badge next">next to be evicted</span>}
          </p>
        </div>
        <button type="button" class="icon-button" onClick={onClose}>
          <Icon name="close" />
          <span class="unseen">Close this token</span>
        </button>
      </header>
      {problem.value && <Problem>{problem.value.message}</Problem>}
      {token !== null && <NotReady token={token} events={events.value?.all ?? []} mayOperate={mayOperate} say={say} />}
      {lease && <Holder lease={lease} pool={pool} mine={mine} metadata={metadata} />}
      {token !== null && pool.kind === 'listed' && (
        <ThingSection key={id} pool={pool} token={token} mayList={mayList} say={say} />
      )}
      {token !== null && (
        <TokenActions
          key={id}
          pool={pool}
          token={token}
          lease={lease}
          handle={mine?.lease_id ?? null}
          mayList={mayList}
          mayOperate={mayOperate}
          onDraining={() => {
            live.state?.markDraining(id);
            if (answered.value) answered.value = { ...answered.value, draining: true };
          }}
        />
      )}

      <div class="segments" role="group" aria-label="The past of the token">
        <button type="button" aria-pressed={view === 'uses'} onClick={() => choose({ past: null }, 'replace')}>
          Who had it
        </button>
        <button type="button" aria-pressed={view === 'events'} onClick={() => choose({ past: 'events' }, 'replace')}>
          All events
        </button>
      </div>
      {!problem.value && (uses.value === null || events.value === null) && (
        <p class="note" role="status">
          Loading its past…
        </p>
      )}
      {view === 'uses' && uses.value !== null && (
        <Uses uses={uses.value.all} notes={notesOf(events.value?.all ?? [])} now={now} />
      )}
      {view === 'events' && events.value !== null && <Events events={events.value.all} />}
      {view === 'uses' && uses.value?.cursor && (
        <Older
          load={async () => {
            const page = await api.uses(id, uses.value!.cursor!);
            uses.value = { all: [...uses.value!.all, ...page.history], cursor: page.next_cursor };
          }}
        />
      )}
      {view === 'events' && events.value?.cursor && (
        <Older
          load={async () => {
            const page = await api.tokenEvents(id, events.value!.cursor!);
            events.value = { all: [...events.value!.all, ...page.events], cursor: page.next_cursor };
          }}
        />
      )}
    </aside>
  );
}

/** Null for a token that is deleted. */
const ifThere = (answer: Promise<Token>): Promise<Token | null> =>
  answer.catch((error: unknown) => {
    if (error instanceof ApiError && (error.code === 'token_not_found' || error.code === 'token_deleted')) return null;
    throw error;
  });

/** The last name of a token, by its events, newest first. */
function nameIn(events: readonly TokenEvent[]): string | null {
  for (const { event, metadata } of events) {
    const named = event === 'generated' ? metadata : event === 'described' ? metadata['after'] : null;
    const { name } = (named ?? {}) as { name?: unknown };
    if (typeof name === 'string') return name;
  }
  return null;
}

const noteOf = ({ event, metadata }: TokenEvent): string | null =>
  NOTED.includes(event) && typeof metadata['note'] === 'string' ? metadata['note'] : null;

const NOTED: readonly TokenEvent['event'][] = ['released', 'disabled', 'enabled'];

const notesOf = (events: readonly TokenEvent[]): ReadonlyMap<number, string> =>
  new Map(
    events.flatMap((event) => {
      const note = event.event === 'released' ? noteOf(event) : null;
      return note === null ? [] : [[event.fence!, note] as const];
    }),
  );

interface HolderProps {
  readonly lease: Lease;
  readonly pool: Pool;
  /** The same lease, if this tab allocated it. */
  readonly mine: MyLease | undefined;
  readonly metadata: Token['lease_metadata'];
}

function Holder({ lease, pool, mine, metadata }: HolderProps) {
  const handle = mine?.lease_id ?? null;
  const part = Math.min((lease.expiresAt - serverClock.now()) / (pool.ttl_seconds * 1000), 1);
  return (
    <section class="holder" aria-label="Who holds it">
      <div class="holder-left">
        <strong>
          <TimeLeft until={lease.expiresAt} />
        </strong>
        <span class="note">left</span>
      </div>
      <div class={part < 0.2 ? 'left-bar soon' : 'left-bar'} aria-hidden="true">
        <span style={{ width: `${Math.max(part, 0) * 100}%` }} />
      </div>
      <dl class="facts">
        <div>
          <dt>User</dt>
          <dd>
            <UserId id={lease.userId} holder={lease.holder} copy />
            {lease.userId !== null && (
              <button
                type="button"
                class="button quiet small"
                onClick={() => choose({ q: lease.holder ?? lease.userId, token: null })}
                title="Show only the tokens of this user"
              >
                Show all of theirs
              </button>
            )}
          </dd>
        </div>
        <div>
          <dt>Held for</dt>
          <dd>
            <span>
              <TimePassed since={lease.activatedAt} />, since <Time at={new Date(lease.activatedAt).toISOString()} />
            </span>
          </dd>
        </div>
        <div>
          <dt>Until</dt>
          <dd>
            <Time at={new Date(lease.expiresAt).toISOString()} />
          </dd>
        </div>
        <div>
          <dt>Fence</dt>
          <dd class="digits">{number(lease.fence)}</dd>
        </div>
        {handle !== null && (
          <div>
            <dt>Handle</dt>
            <dd>
              <code class="handle">{handle}</code> <CopyButton text={handle} what="the handle" />
            </dd>
          </div>
        )}
      </dl>
      {metadata !== null && Object.keys(metadata).length > 0 && (
        <pre class="metadata">{JSON.stringify(metadata, null, 2)}</pre>
      )}
      {mine?.hasSecret && <SecretOfLease key={mine.lease_id} leaseId={mine.lease_id} />}
    </section>
  );
}

function Older({ load }: { readonly load: () => Promise<void> }) {
  const isBusy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const more = async (): Promise<void> => {
    if (isBusy.peek()) return;
    isBusy.value = true;
    problem.value = null;
    try {
      await load();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      problem.value = error.message;
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <>
      <button type="button" class="button small" aria-disabled={isBusy.value} onClick={() => void more()}>
        Show older
      </button>
      {problem.value && <Problem>{problem.value}</Problem>}
    </>
  );
}

function Events({ events }: { readonly events: readonly TokenEvent[] }) {
  if (events.length === 0) return <p class="empty">Nothing has happened to it.</p>;
  return (
    <ol class="token-events">
      {events.map((event) => {
        const kind = kindOf(event);
        return (
          <li key={event.seq}>
            <span class={`mark ${kind}`} aria-hidden="true" />
            <div class="grow">
              <p>
                <strong class={`kind ${kind}`}>{kindInWords(event)}</strong> {reasonInWords(event)}
              </p>
              <p class="note">
                <Time at={event.occurred_at} />
                {event.fence !== null && (
                  <>
                    {' · '}
                    <UserId id={event.user_id} holder={event.holder} />
                  </>
                )}
                {event.fence !== null && <> · fence {number(event.fence)}</>} · event {number(event.seq)}
                {event.reason !== null && (
                  <>
                    {' · '}
                    <code>{event.reason}</code>
                  </>
                )}
              </p>
              {noteOf(event) !== null && <p class="metadata">{noteOf(event)}</p>}
              {event.lease_metadata && Object.keys(event.lease_metadata).length > 0 && (
                <pre class="metadata">{JSON.stringify(event.lease_metadata, null, 2)}</pre>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
