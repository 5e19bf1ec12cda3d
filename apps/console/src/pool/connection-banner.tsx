// Warns when the page is out of date: since when, and when it retries. Also tells when events are missing.

import { Banner } from '../banner.js';
import type { LivePool } from '../live/live-pool.js';
import { now } from '../ui/tick.js';
import { duration } from '../words.js';

export function ConnectionBanner({ live }: { readonly live: LivePool }) {
  const connection = live.connection.value;
  if (connection.is === 'live' && connection.isAnew) {
    return (
      <Banner kind="warning">
        <strong>Begun anew.</strong> What happened while this page was away is not kept any more; all that you see is as
        of now.{' '}
        <button type="button" class="link" onClick={live.acknowledge}>
          All right
        </button>
      </Banner>
    );
  }
  if (connection.is !== 'lost') return null;
  return (
    <Banner>
      <strong>Connection lost.</strong> What you see is how it was; it catches up by itself.{' '}
      <Waiting since={connection.since} retryAt={connection.retryAt} />{' '}
      <button type="button" class="link" onClick={live.retry}>
        Try now
      </button>
    </Banner>
  );
}

/** Hidden from screen readers, which would otherwise announce it each second. */
function Waiting({ since, retryAt }: { readonly since: number; readonly retryAt: number | null }) {
  void now.value;
  const at = performance.now();
  const left = retryAt === null ? 0 : Math.ceil((retryAt - at) / 1000);
  return (
    <span aria-hidden="true">
      Lost for {duration(Math.max(Math.floor((at - since) / 1000), 0))}
      {left > 0 ? `, next try in ${left} s.` : ', trying…'}
    </span>
  );
}
