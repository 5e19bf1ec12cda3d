// The page of a pool: its state, its events and its actions.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { api, type Pool } from '../api.js';
import type { EventLog } from '../live/event-log.js';
import { LivePool, MOST_TOKENS } from '../live/live-pool.js';
import type { PoolState } from '../live/pool-state.js';
import { choose, query } from '../location.js';
import { endLease, isOver, myLeases, updateLease } from '../my-leases.js';
import { noteOffer } from '../my-tickets.js';
import { PoolForm } from '../pool-form/pool-form.js';
import { useMayOperate } from '../rights.js';
import { serverClock } from '../server-clock.js';
import { ImportDialog } from '../things/import-dialog.js';
import { ThingDialog } from '../things/thing-dialog.js';
import { TokenPanel } from '../token/token-panel.js';
import { Icon } from '../ui/icon.js';
import { Link } from '../ui/link.js';
import { Problem } from '../ui/problem.js';
import { seconds } from '../ui/tick.js';
import { useAction } from '../ui/use-action.js';
import { count, duration, number, policyInWords } from '../words.js';
import { Activity } from './activity.js';
import { Attention } from './attention.js';
import { Allocate, OfferToWait } from './allocate.js';
import { Board } from './board.js';
import { Charts } from './charts.js';
import { CleanupDialog } from './cleanup.js';
import { filterOf } from './columns.js';
import { ConnectionBanner } from './connection-banner.js';
import { DeletePoolDialog } from './delete-pool.js';
import { Figures } from './figures.js';
import { Leases } from './leases.js';
import { Legend } from './legend.js';
import { isEmpty, isOf, matcher, SHOWN, type Filter, type Shown } from './matches.js';
import { Line } from './line.js';
import { TokenList } from './token-list.js';
import { TooSmall } from './too-small.js';
import './pool-page.css';

/** The ranges of charts and figures, and the length of a bucket in each, in seconds. */
const PERIODS = [
  { seconds: 300, bucket: 5 },
  { seconds: 900, bucket: 10 },
  { seconds: 3_600, bucket: 40 },
  { seconds: 21_600, bucket: 240 },
] as const;
const USUAL = PERIODS[1];

const SHOWN_WORDS: Readonly<Record<Shown, string>> = {
  all: 'All',
  held: 'Held',
  free: 'Free',
  out: 'Not ready',
  mine: 'Yours',
};

export function PoolPage({ name }: { readonly name: string }) {
  const live = useMemo(() => new LivePool(name), [name]);
  useEffect(() => {
    const stopListening = live.listen({
      happened: (event) => {
        updateLease(name, event);
        noteOffer(event);
      },
      begun: (state) => void settle(name, state),
    });
    live.start();
    return () => {
      live.stop();
      stopListening();
    };
  }, [live]);

  const connection = live.connection.value;
  const pool = live.pool.value;
  if (connection.is === 'refused') {
    return (
      <main class="page" id="main" tabIndex={-1}>
        <h1>{name}</h1>
        <Problem>{connection.error.message}</Problem>
        <p>
          <Link to="/">All pools</Link>
        </p>
      </main>
    );
  }
  if (pool === null || live.state === null) {
    return (
      <main class="page" id="main" tabIndex={-1}>
        <ConnectionBanner live={live} />
        <h1>{name}</h1>
        <div class="card skeleton tall" role="status">
          <span class="unseen">Loading the pool</span>
        </div>
      </main>
    );
  }
  return <LoadedPool key={name} live={live} pool={pool} />;
}

function LoadedPool({ live, pool }: { readonly live: LivePool; readonly pool: Pool }) {
  const { name } = pool;
  const allocating = useAction();
  const generating = useAction();
  const switching = useAction();
  const dialog = useSignal<'change' | 'cleanup' | 'delete' | 'import' | 'add' | null>(null);
  const announcement = useSignal('');
  const { filter, period, view, selected } = readQuery();
  const isListed = pool.kind === 'listed';
  const mayOperate = useMayOperate(name);
  const mayList = isListed && mayOperate;
  const say = (words: string): void => void (announcement.value = words);

  // Recomputes once a second, and after each event.
  const second = seconds.value;
  const version = live.version.value;
  const from = serverClock.now() - period.seconds * 1000;
  const { log } = live;
  const known = Math.max(log.since, from);
  const figures = useMemo(
    () => ({ summary: log.summary(from), series: seriesOf(live, log, period) }),
    [second, version, period, log],
  );
  useEffect(() => live.readBackTo(from - pool.ttl_seconds * 1000), [period, log]);
  // The figures name only the time that the log covers.
  const knownSeconds = Number.isFinite(known) ? Math.max((serverClock.now() - known) / 1000, 0) : 0;
  const periodSeconds = Math.min(period.seconds, knownSeconds);
  const periodWords = duration(periodSeconds);

  const mine = new Set(
    myLeases.value.filter((lease) => lease.pool === name && !isOver(lease)).map((lease) => lease.fence),
  );
  const matches = isEmpty(filter) ? null : matcher(filter, serverClock.now(), mine);
  const matching = matches === null ? null : (live.state?.tokens.filter(matches).length ?? 0);
  const part = filter.text.trim().toLowerCase();
  const select = (id: string | null): void => choose({ token: id, past: null });
  const isPaused = pool.status === 'paused';
  const pauseOrOpen = () =>
    switching.run(async () => {
      await api.changePool(name, { status: isPaused ? 'open' : 'paused' });
      say(isPaused ? 'The pool grants again' : 'The pool is paused: it grants nothing');
      await live.look();
    });
  const generate = () =>
    generating.run(async () => {
      await api.generate(name);
      say('Token generated');
    });

  return (
    <>
      <main class={selected === null ? 'page' : 'page with-panel'} id="main" tabIndex={-1}>
        <ConnectionBanner live={live} />
        <header class="page-head">
          <div class="grow">
            <h1>
              {name} <span class="badge">{pool.kind}</span> {isPaused && <span class="badge">paused</span>}
            </h1>
            <p class="lead">{policyInWords(pool).join(' ')}</p>
          </div>
          <div class="page-actions">
            <div class="buttons">
              <button type="button" class="button" onClick={() => (dialog.value = 'change')}>
                <Icon name="options" /> Change…
              </button>
              {(!isListed || mayList) && (
                <button type="button" class="button" onClick={() => (dialog.value = 'cleanup')}>
                  <Icon name="sweep" /> Clean up…
                </button>
              )}
              <button
                type="button"
                class="button"
                title={isPaused ? 'Grant again' : 'Grant nothing until it is opened again; leases go on'}
                aria-disabled={switching.isBusy.value}
                onClick={() => void pauseOrOpen()}
              >
                <Icon name={isPaused ? 'open' : 'pause'} /> {isPaused ? 'Open' : 'Pause'}
              </button>
              {pool.kind === 'elastic' && (
                <button
                  type="button"
                  class="button"
                  aria-disabled={generating.isBusy.value}
                  onClick={() => void generate()}
                >
                  <Icon name="plus" /> Generate
                </button>
              )}
              {mayList && (
                <>
                  <button type="button" class="button" onClick={() => (dialog.value = 'add')}>
                    <Icon name="plus" /> Add…
                  </button>
                  <button type="button" class="button" onClick={() => (dialog.value = 'import')}>
                    <Icon name="list" /> Import…
                  </button>
                </>
              )}
              <button type="button" class="button danger-quiet" onClick={() => (dialog.value = 'delete')}>
                <Icon name="trash" /> Delete…
              </button>
              <Allocate live={live} pool={pool} action={allocating} say={say} />
            </div>
            {allocating.problem.value && (
              <Problem onClose={allocating.forget}>
                {allocating.problem.value.message}
                <OfferToWait pool={pool} place={allocating.problem.value.place} onDone={allocating.forget} say={say} />
              </Problem>
            )}
            {switching.problem.value && <Problem onClose={switching.forget}>{switching.problem.value.message}</Problem>}
            {generating.problem.value && (
              <Problem onClose={generating.forget}>{generating.problem.value.message}</Problem>
            )}
          </div>
        </header>
        <p class="unseen" role="status">
          {announcement.value}
        </p>

        <TooSmall
          pool={pool}
          summary={figures.summary}
          period={periodWords}
          onChange={() => (dialog.value = 'change')}
        />
        <Figures live={live} pool={pool} summary={figures.summary} period={periodWords} periodSeconds={periodSeconds} />

        <div class="columns">
          <section class="card tokens" aria-labelledby="tokens-title">
            <header class="card-head">
              <h2 id="tokens-title">Tokens</h2>
              <div class="filters">
                <label class="search small">
                  <Icon name="search" />
                  <span class="unseen">
                    {isListed ? 'Part of a name, an attribute, a user or an id' : 'Part of the id of a token or user'}
                  </span>
                  <input
                    type="search"
                    placeholder={isListed ? 'Name or value…' : 'Token or user…'}
                    value={filter.text}
                    spellcheck={false}
                    onInput={({ currentTarget }) => choose({ q: currentTarget.value }, 'replace')}
                  />
                </label>
                <div class="segments" role="group" aria-label="Which tokens">
                  {SHOWN.filter((shown) => shown !== 'out' || filter.shown === 'out' || isKept(pool)).map((shown) => (
                    <button
                      type="button"
                      key={shown}
                      aria-pressed={filter.shown === shown}
                      onClick={() => choose({ show: shown === 'all' ? null : shown })}
                    >
                      {SHOWN_WORDS[shown]}
                    </button>
                  ))}
                </div>
                <div class="segments" role="group" aria-label="How they are shown">
                  <button type="button" aria-pressed={view === 'board'} onClick={() => choose({ view: null })}>
                    <Icon name="board" /> Board
                  </button>
                  <button type="button" aria-pressed={view === 'list'} onClick={() => choose({ view: 'list' })}>
                    <Icon name="list" /> List
                  </button>
                </div>
              </div>
            </header>
            {live.state?.isWhole === false && (
              <p class="note">
                This pool is too large to be shown whole: here are {number(MOST_TOKENS)} of its{' '}
                {count(pool.counts.total, 'token')}. Counts, charts and search know all of them.
              </p>
            )}
            {filter.attributes.length > 0 && (
              <ul class="chips" aria-label="Attributes that are wanted">
                {filter.attributes.map(([key, value]) => (
                  <li key={key}>
                    <button
                      type="button"
                      class="button small"
                      title="Show tokens with any value again"
                      onClick={() => choose({ [filterOf(key)]: null })}
                    >
                      {key} {value} <Icon name="close" />
                    </button>
                  </li>
                ))}
              </ul>
            )}
            {matching !== null && (
              <p class="matching" role="status">
                {count(matching, 'token')} {matching === 1 ? 'matches' : 'match'}.{' '}
                <button type="button" class="link" onClick={() => choose(withoutFilter(filter))}>
                  Show all
                </button>
              </p>
            )}
            {live.state?.tokens.length === 0 ? (
              <div class="empty">
                <p>This pool has no tokens yet.</p>
                {!isListed && (
                  <button
                    type="button"
                    class="button"
                    aria-disabled={generating.isBusy.value}
                    onClick={() => void generate()}
                  >
                    <Icon name="plus" /> Generate the first one
                  </button>
                )}
                {mayList && (
                  <button type="button" class="button" onClick={() => (dialog.value = 'import')}>
                    <Icon name="list" /> Import your things
                  </button>
                )}
              </div>
            ) : view === 'board' ? (
              <>
                <Board live={live} pool={pool} matches={matches} selected={selected} onSelect={select} />
                <Legend live={live} pool={pool} />
              </>
            ) : (
              <TokenList live={live} pool={pool} matches={matches} selected={selected} onSelect={select} />
            )}
          </section>
          <div class="side">
            <Attention live={live} pool={pool} mayOperate={mayOperate} onSelect={select} say={say} />
            <Line live={live} pool={pool} mayOperate={mayOperate} say={say} />
            <Leases pool={pool} onSelect={select} />
            <Activity
              live={live}
              onSelect={select}
              matches={
                part === ''
                  ? null
                  : ({ name: named, event: { token_id, user_id: userId, holder } }) =>
                      token_id?.includes(part) === true ||
                      named?.toLowerCase().includes(part) === true ||
                      live.state?.find(token_id ?? '')?.words.includes(part) === true ||
                      isOf({ userId, holder }, part)
              }
            />
          </div>
          <section class="over-time" aria-labelledby="over-time-title">
            <div class="section-head">
              <h2 id="over-time-title">Over time</h2>
              <div class="segments" role="group" aria-label="How far back">
                {PERIODS.map(({ seconds: length }) => (
                  <button
                    type="button"
                    key={length}
                    aria-pressed={period.seconds === length}
                    onClick={() => choose({ period: length === USUAL.seconds ? null : String(length) })}
                  >
                    {duration(length)}
                  </button>
                ))}
              </div>
              {Number.isFinite(known) && known > from + 1000 && (
                <p class="note">The newest events only: known since {new Date(known).toLocaleTimeString()}.</p>
              )}
            </div>
            <Charts pool={pool} series={figures.series} since={log.since} />
          </section>
        </div>
      </main>
      {selected !== null && (
        <TokenPanel
          live={live}
          pool={pool}
          id={selected}
          mayList={mayList}
          mayOperate={mayOperate}
          say={say}
          onClose={() => select(null)}
        />
      )}
      {dialog.value === 'change' && (
        <PoolForm
          pool={pool}
          onClose={() => (dialog.value = null)}
          onDone={() => {
            dialog.value = null;
            say('Pool changed');
            void live.look();
          }}
        />
      )}
      {dialog.value === 'add' && <ThingDialog pool={pool} say={say} onClose={() => (dialog.value = null)} />}
      {dialog.value === 'import' && (
        <ImportDialog pool={pool} live={live} say={say} onClose={() => (dialog.value = null)} />
      )}
      {dialog.value === 'delete' && <DeletePoolDialog pool={pool} live={live} onClose={() => (dialog.value = null)} />}
      {dialog.value === 'cleanup' && (
        <CleanupDialog pool={pool} live={live} say={say} onClose={() => (dialog.value = null)} />
      )}
    </>
  );
}

function readQuery() {
  const given = query.value;
  const filter: Filter = {
    shown: SHOWN.find((shown) => shown === given.get('show')) ?? 'all',
    text: given.get('q') ?? '',
    attributes: [...given]
      .filter(([key]) => key.startsWith(filterOf('')))
      .map(([key, value]) => [key.slice(filterOf('').length), value] as const),
  };
  return {
    filter,
    period: PERIODS.find(({ seconds: length }) => String(length) === given.get('period')) ?? USUAL,
    view: given.get('view') === 'list' ? ('list' as const) : ('board' as const),
    selected: given.get('token'),
  };
}

/** Whether tokens of the pool may be neither held by a user nor free. */
const isKept = ({ counts }: Pool): boolean => counts.disabled !== undefined;

const withoutFilter = ({ attributes }: Filter): Record<string, null> => ({
  q: null,
  show: null,
  ...Object.fromEntries(attributes.map(([key]) => [filterOf(key), null])),
});

/** Aligns the buckets to multiples of their length, so that bars stand still and only the last one grows. */
function seriesOf(live: LivePool, log: EventLog, { seconds: length, bucket }: (typeof PERIODS)[number]) {
  const width = bucket * 1000;
  const to = Math.ceil(serverClock.now() / width) * width;
  return log.series(to - length * 1000, to, length / bucket, live.present());
}

/** Reads from their tokens how leases of this tab ended while no page followed the pool. */
async function settle(pool: string, state: PoolState): Promise<void> {
  const now = serverClock.now();
  const gone = myLeases
    .peek()
    .filter((lease) => lease.pool === pool && !isOver(lease) && now - Date.parse(lease.activated_at) > 5_000)
    .filter(({ token_id, fence }) => state.isWhole && state.find(token_id)?.lease?.fence !== fence);
  for (const { token_id, fence } of gone) {
    const { history } = await api.uses(token_id).catch(() => ({ history: [] }));
    const use = history.find((each) => each.fence === fence);
    if (use?.ended_at) endLease(pool, fence, { at: use.ended_at, reason: use.end_reason });
  }
}
