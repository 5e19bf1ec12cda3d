// Why nobody gets a token now: it is out of service, dirty or resting.

import type { TokenEvent } from '../api.js';
import { statusOf, type TokenState } from '../live/pool-state.js';
import { Enable } from '../pool/attention.js';
import { serverClock } from '../server-clock.js';
import { Time, TimeLeft } from '../ui/time.js';
import { actorInWords } from '../words.js';

interface Props {
  readonly token: TokenState;
  /** Its newest events, newest first. */
  readonly events: readonly TokenEvent[];
  readonly mayOperate: boolean;
  readonly say: (words: string) => void;
}

export function NotReady({ token, events, mayOperate, say }: Props) {
  const status = statusOf(token, serverClock.now());
  const { disabled, restsUntil } = token;
  if (disabled !== null) {
    return (
      <section class="not-ready" aria-label="Out of service">
        <p>
          <strong>{disabled.reason}</strong>
        </p>
        <p class="note">
          {status === 'disabled' ? 'Out of service' : 'Out of service at the end of its lease'}
          {disabled.by !== null && <>, {actorInWords(disabled.by)}</>}, since{' '}
          <Time at={new Date(disabled.since).toISOString()} />
        </p>
        {mayOperate && <Enable token={token} say={say} />}
      </section>
    );
  }
  if (status === 'dirty') {
    const soiled = events.find(({ event, reason }) => event === 'soiled' && reason !== 'not_cleaned');
    return (
      <p class="not-ready">
        It waits for somebody who cleans it
        {soiled && (
          <>
            , since <Time at={soiled.occurred_at} />
          </>
        )}
        .
      </p>
    );
  }
  if (status !== 'cooling') return null;
  return (
    <p class="not-ready">
      It rests for <TimeLeft until={restsUntil} />, until <Time at={new Date(restsUntil).toISOString()} />.
    </p>
  );
}
