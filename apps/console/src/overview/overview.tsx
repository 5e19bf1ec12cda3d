// All pools at a glance.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ApiError, type Pool } from '../api.js';
import { Banner } from '../banner.js';
import { NOT_READY } from '../live/pool-state.js';
import { go } from '../location.js';
import { PoolForm } from '../pool-form/pool-form.js';
import { UtilisationBar } from '../pool/utilisation-bar.js';
import { Icon } from '../ui/icon.js';
import { Link } from '../ui/link.js';
import { Problem } from '../ui/problem.js';
import { count, number, policyInWords, STATUS_WORDS } from '../words.js';
import './overview.css';

/** The overview polls, because the API has no stream of all pools. */
const LOOK_MS = 2_000;

export function Overview() {
  const pools = useSignal<readonly Pool[] | null>(null);
  /** How many wait, by pool. */
  const waiting = useSignal<ReadonlyMap<string, number>>(new Map());
  const problem = useSignal<ApiError | null>(null);
  const isCreating = useSignal(false);

  useEffect(() => {
    let isGone = false;
    let timer: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      try {
        const all = await api.pools();
        if (isGone) return;
        pools.value = all;
        const lines = all.filter(({ max_waiting }) => max_waiting > 0);
        const counts = await Promise.all(lines.map(async ({ name }) => [name, await countWaiting(name)] as const));
        if (isGone) return;
        waiting.value = new Map(counts);
        problem.value = null;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        problem.value = error;
      }
      if (!isGone) timer = setTimeout(() => void (document.hidden ? undefined : look()), LOOK_MS);
    };
    const seen = (): void => void (document.hidden ? undefined : look());
    document.addEventListener('visibilitychange', seen);
    void look();
    return () => {
      isGone = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, []);

  return (
    <main class="page" id="main" tabIndex={-1}>
      {problem.value && pools.value && (
        <Banner>Connection lost: {problem.value.message}. The numbers are those of a moment ago.</Banner>
      )}
      <header class="page-head">
        <div>
          <h1>Pools</h1>
          <p class="lead">Tokens that only one user at a time may hold, each for a limited time.</p>
        </div>
        <button type="button" class="button primary" onClick={() => (isCreating.value = true)}>
          <Icon name="plus" /> Create a pool
        </button>
      </header>
      {pools.value === null && problem.value && <Problem>{problem.value.message}</Problem>}
      {pools.value === null && !problem.value && <Loading />}
      {pools.value?.length === 0 && <p class="empty card">There is no pool yet. Create the first one.</p>}
      <ul class="pool-grid">
        {pools.value?.map((pool) => (
          <PoolCard key={pool.name} pool={pool} waiting={waiting.value.get(pool.name) ?? 0} />
        ))}
      </ul>
      {isCreating.value && (
        <PoolForm onClose={() => (isCreating.value = false)} onDone={({ name }) => go(`/pools/${name}`)} />
      )}
    </main>
  );
}

/** Each ticket says how many wait. */
async function countWaiting(pool: string): Promise<number> {
  const { tickets } = await api.line(pool, 1);
  return tickets[0]?.waiting ?? 0;
}

function PoolCard({ pool, waiting }: { readonly pool: Pool; readonly waiting: number }) {
  const { total, available, active } = pool.counts;
  return (
    <li class="card pool-card">
      <div class="pool-card-head">
        <h2>
          <Link to={`/pools/${pool.name}`} class="cover">
            {pool.name}
          </Link>
        </h2>
        <span class="badge">{pool.status === 'paused' ? `${pool.kind}, paused` : pool.kind}</span>
      </div>
      <p class="pool-card-count">
        {total === 0 ? (
          'No tokens yet'
        ) : (
          <>
            <strong>{number(active)}</strong> of {number(total)} held
          </>
        )}
        <span class="percent">{total > 0 && `${Math.round((active / total) * 100)}%`}</span>
      </p>
      <UtilisationBar held={active} total={total} />
      <p class="note">
        {number(available)} free
        {NOT_READY.map(
          (status) => (pool.counts[status] ?? 0) > 0 && `, ${number(pool.counts[status]!)} ${STATUS_WORDS[status]}`,
        )}
        {waiting > 0 && <strong>, {number(waiting)} in line</strong>}
        {pool.kind === 'elastic' && `, up to ${count(pool.size, 'token')}`}
      </p>
      <ul class="policy">
        {policyInWords(pool).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </li>
  );
}

function Loading() {
  return (
    <div class="pool-grid" role="status">
      <span class="unseen">Loading the pools</span>
      {[1, 2].map((key) => (
        <div key={key} class="card skeleton" aria-hidden="true" />
      ))}
    </div>
  );
}
