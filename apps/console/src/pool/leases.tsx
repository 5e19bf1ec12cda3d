// The leases that this tab allocated: their time left, handle and actions.

import { useComputed, useSignal } from '@preact/signals';
import { api, type Pool } from '../api.js';
import { endLease, forgetEnded, isOver, myLeases, renewLease, type MyLease } from '../my-leases.js';
import { serverClock } from '../server-clock.js';
import { CopyButton } from '../ui/copy-button.js';
import { SecretOfLease } from '../things/secret.js';
import { TokenName, UserId } from '../ui/id.js';
import { Problem } from '../ui/problem.js';
import { now, seconds } from '../ui/tick.js';
import { Ago, TimeLeft } from '../ui/time.js';
import { useAction } from '../ui/use-action.js';
import { attributesInWords, count, duration, END_WORDS, number } from '../words.js';
import './leases.css';

interface Props {
  readonly pool: Pool;
  readonly onSelect: (id: string) => void;
}

const SHOWN = 30;

export function Leases({ pool, onSelect }: Props) {
  void seconds.value;
  const all = myLeases.value.filter((lease) => lease.pool === pool.name);
  const open = all.filter((lease) => !isOver(lease));
  const hasEnded = open.length < all.length;
  return (
    <section class="card leases" aria-labelledby="leases-title">
      <header class="card-head">
        <h2 id="leases-title">Your leases {open.length > 0 && <span class="count">{number(open.length)}</span>}</h2>
        {hasEnded && (
          <button type="button" class="button quiet small" onClick={() => forgetEnded(pool.name)}>
            Clear ended
          </button>
        )}
      </header>
      {all.length === 0 ? (
        <p class="empty">What you allocate here shows up with its handle. It stays in this tab.</p>
      ) : (
        <ul class="lease-list" tabIndex={0} aria-label="Your leases, newest first">
          {all.slice(0, SHOWN).map((lease) => (
            <LeaseItem key={lease.fence} lease={lease} pool={pool} onSelect={onSelect} />
          ))}
          {all.length > SHOWN && <li class="note">and {count(all.length - SHOWN, 'older one')}</li>}
        </ul>
      )}
    </section>
  );
}

function LeaseItem({ lease, pool, onSelect }: Props & { readonly lease: MyLease }) {
  const action = useAction();
  const isExplained = useSignal(true);
  const over = isOver(lease);
  const { token_id, lease_id, fence, evicted, name, attributes } = lease;
  const release = () =>
    action.run(async () => {
      await api.release(token_id, { lease_id });
      endLease(pool.name, fence, {
        at: new Date(serverClock.now()).toISOString(),
        reason: 'released_by_client',
      });
    });
  const keepAlive = () =>
    action.run(async () => renewLease(pool.name, fence, (await api.keepAlive(token_id, { lease_id })).expires_at));
  return (
    <li class={over ? 'lease over' : 'lease'}>
      <div class="lease-head">
        <Ring lease={lease} fullMs={pool.ttl_seconds * 1000} />
        <div class="lease-names">
          <button type="button" class="link" title={`token ${token_id}`} onClick={() => onSelect(token_id)}>
            <TokenName id={token_id} name={name ?? null} />
          </button>
          {attributes && Object.keys(attributes).length > 0 && (
            <span class="note">{attributesInWords(attributes)}</span>
          )}
          <span class="note">
            as <UserId id={lease.user_id} holder={lease.holder} />
          </span>
        </div>
        {over ? (
          <Ending lease={lease} />
        ) : (
          <strong class="lease-left">
            <TimeLeft until={Date.parse(lease.expires_at)} />
          </strong>
        )}
      </div>
      {!over && (
        <div class="lease-tools">
          <span class="handle" title="The handle: a request with it acts for this lease">
            <span class="note">handle</span> <code>{lease_id}</code>
          </span>
          <CopyButton text={lease_id} what="the handle" />
          {pool.renewable && (
            <button
              type="button"
              class="button small"
              aria-disabled={action.isBusy.value}
              onClick={() => void keepAlive()}
            >
              Keep alive
            </button>
          )}
          <button type="button" class="button small" aria-disabled={action.isBusy.value} onClick={() => void release()}>
            Release
          </button>
        </div>
      )}
      {!over && lease.hasSecret && <SecretOfLease key={lease_id} leaseId={lease_id} />}
      {evicted !== null && isExplained.value && !over && (
        <p class="lease-cost">
          <span class="mark evicted" aria-hidden="true" />
          <span>
            No token was free, so a lease had to go: that of <UserId id={evicted.user_id} holder={evicted.holder} />,
            held for {duration((Date.parse(lease.activated_at) - Date.parse(evicted.activated_at)) / 1000)}.
          </span>
        </p>
      )}
      {action.problem.value && <Problem onClose={action.forget}>{action.problem.value.message}</Problem>}
    </li>
  );
}

function Ending({ lease: { ended, expires_at } }: { readonly lease: MyLease }) {
  const reason = ended === null ? 'ttl_expired' : ended.reason;
  return (
    <span class={`lease-end ${reason?.endsWith('_eviction') ? 'bad' : ''}`}>
      {reason === null ? 'over' : END_WORDS[reason]}, <Ago at={ended?.at ?? expires_at} />
    </span>
  );
}

/** The time left as a share of a circle. */
function Ring({ lease, fullMs }: { readonly lease: MyLease; readonly fullMs: number }) {
  const until = Date.parse(lease.expires_at);
  const part = useComputed(() =>
    lease.ended !== null ? 0 : Math.max(Math.min((until - now.value) / fullMs, 1), 0),
  ).value;
  const length = 2 * Math.PI * 9;
  return (
    <svg class={part < 0.2 ? 'ring soon' : 'ring'} viewBox="0 0 24 24" aria-hidden="true">
      <circle cx="12" cy="12" r="9" class="ring-track" />
      <circle
        cx="12"
        cy="12"
        r="9"
        class="ring-left"
        stroke-dasharray={`${part * length} ${length}`}
        transform="rotate(-90 12 12)"
      />
    </svg>
  );
}
