// The tokens that nobody gets until somebody does something: those out of service, and those that wait to be cleaned.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, type Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { statusOf, type TokenState } from '../live/pool-state.js';
import { choose } from '../location.js';
import { serverClock } from '../server-clock.js';
import { TokenName } from '../ui/id.js';
import { Problem } from '../ui/problem.js';
import { seconds } from '../ui/tick.js';
import { Ago } from '../ui/time.js';
import { useAction } from '../ui/use-action.js';
import { actorInWords, nameOf, number } from '../words.js';
import { StatusBadge } from './status-badge.js';
import './attention.css';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
  /** Whether the reader may enable tokens. */
  readonly mayOperate: boolean;
  readonly onSelect: (id: string) => void;
  readonly say: (words: string) => void;
}

const SHOWN = 12;

export function Attention({ live, pool, mayOperate, onSelect, say }: Props) {
  void seconds.value;
  void live.version.value;
  const tokens = needy(live.state?.tokens ?? [], pool, serverClock.now());
  if (tokens.length === 0) return null;
  return (
    <section class="card attention" aria-labelledby="attention-title">
      <header class="card-head">
        <h2 id="attention-title">
          Needs attention <span class="count">{number(tokens.length)}</span>
        </h2>
        {tokens.length > SHOWN && (
          <button type="button" class="button quiet small" onClick={() => choose({ show: 'out', view: 'list' })}>
            Show all
          </button>
        )}
      </header>
      <ul class="needy">
        {tokens.slice(0, SHOWN).map((token) => (
          <Needy key={token.id} token={token} mayOperate={mayOperate} onSelect={onSelect} say={say} />
        ))}
      </ul>
    </section>
  );
}

/** Those out of service first, then what is dirty for longer than a cleaning may take; each the longest first. */
function needy(tokens: readonly TokenState[], { clean_within_seconds }: Pool, now: number): TokenState[] {
  const isLate = ({ dirtySince }: TokenState): boolean =>
    dirtySince === null || now - dirtySince >= (clean_within_seconds ?? 0) * 1000;
  const out = tokens.filter((token) => statusOf(token, now) === 'disabled');
  const dirty = tokens.filter((token) => statusOf(token, now) === 'dirty' && isLate(token));
  out.sort((a, b) => a.disabled!.since - b.disabled!.since);
  dirty.sort((a, b) => (a.dirtySince ?? 0) - (b.dirtySince ?? 0));
  return [...out, ...dirty];
}

interface NeedyProps extends Pick<Props, 'mayOperate' | 'onSelect' | 'say'> {
  readonly token: TokenState;
}

function Needy({ token, mayOperate, onSelect, say }: NeedyProps) {
  const { id, disabled } = token;
  const since = useSignal(token.dirtySince);
  useEffect(() => {
    // The list of tokens does not say since when one is dirty; its events do.
    if (disabled !== null || since.peek() !== null) return;
    void dirtySince(id).then((at) => (since.value = token.dirtySince = at));
  }, [id, disabled]);
  return (
    <li>
      <p>
        <button type="button" class="link" title={`token ${id}`} onClick={() => onSelect(id)}>
          <TokenName id={id} name={token.name} />
        </button>{' '}
        <StatusBadge status={disabled === null ? 'dirty' : 'disabled'} />
      </p>
      <p class="note">
        {disabled === null ? 'Waits for somebody who cleans it' : <strong>{disabled.reason}</strong>}
        {disabled?.by != null && <>, {actorInWords(disabled.by)}</>}
        {(disabled?.since ?? since.value) !== null && (
          <>
            , <Ago at={new Date((disabled?.since ?? since.value)!).toISOString()} />
          </>
        )}
      </p>
      {disabled !== null && mayOperate && <Enable token={token} say={say} />}
    </li>
  );
}

/** One click enables a token; the note beside it is optional. */
export function Enable({ token, say }: Pick<NeedyProps, 'token' | 'say'>) {
  const action = useAction();
  const note = useSignal('');
  const enable = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await action.run(() => api.enable(token.id, note.value.trim() || undefined))) {
      say(`Token ${nameOf(token)} is in service again`);
    }
  };
  return (
    <form class="enable" onSubmit={(event) => void enable(event)}>
      <input
        aria-label={`Note for ${nameOf(token)}`}
        placeholder="Note: what was done"
        value={note.value}
        autocomplete="off"
        onInput={({ currentTarget }) => (note.value = currentTarget.value)}
      />
      <button type="submit" class="button small" aria-disabled={action.isBusy.value}>
        Enable
      </button>
      {action.problem.value && <Problem onClose={action.forget}>{action.problem.value.message}</Problem>}
    </form>
  );
}

/** When a token was last soiled by its use, in milliseconds; null when its newest events do not say. */
export async function dirtySince(id: string): Promise<number | null> {
  const { events } = await api.tokenEvents(id).catch(() => ({ events: [] }));
  const soiled = events.find(({ event, reason }) => event === 'soiled' && reason !== 'not_cleaned');
  return soiled ? Date.parse(soiled.occurred_at) : null;
}
