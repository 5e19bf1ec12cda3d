// The line of a pool: the reader's own places, and who waits in which order.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ApiError, type Pool, type Ticket } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { forget, leave, myTickets, type MyTicket } from '../my-tickets.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { InputField, problemOf } from '../ui/field.js';
import { Icon } from '../ui/icon.js';
import { UserId } from '../ui/id.js';
import { Problem } from '../ui/problem.js';
import { now } from '../ui/tick.js';
import { Ago, Time, TimeLeft } from '../ui/time.js';
import { useAction } from '../ui/use-action.js';
import { attributesInWords, count, duration, number, ordinal } from '../words.js';
import './line.css';

interface Props {
  readonly live: LivePool;
  readonly pool: Pool;
  /** Whether the reader may remove places of others. */
  readonly mayOperate: boolean;
  readonly say: (words: string) => void;
}

/** So many of the first in line are shown. */
const SHOWN = 50;
/** The least time between two looks at a line that moves, in milliseconds. */
const BREATH_MS = 500;

export function Line({ live, pool, mayOperate, say }: Props) {
  const { tickets, problem } = useLine(live, pool);
  const mine = myTickets.value.filter((ticket) => ticket.pool === pool.name);
  const removing = useSignal<Ticket | null>(null);
  if (pool.max_waiting === 0 && mine.length === 0 && tickets.length === 0) return null;
  const waiting = tickets.at(-1)?.waiting ?? 0;
  const more = waiting - tickets.filter(({ status }) => status === 'waiting').length;
  return (
    <section class="card line" aria-labelledby="line-title">
      <header class="card-head">
        <h2 id="line-title">In line {waiting > 0 && <span class="count">{number(waiting)}</span>}</h2>
        <span class="note">of {count(pool.max_waiting, 'place')} at most</span>
      </header>
      {mine.length > 0 && (
        <ul class="my-places" aria-label="Your places">
          {mine.map((ticket) => (
            <MyPlace key={ticket.id} ticket={{ ...ticket, ...seenOf(ticket, tickets) }} say={say} />
          ))}
        </ul>
      )}
      {problem !== null && <Problem>{problem.message}</Problem>}
      {tickets.length === 0 ? (
        <p class="empty">Nobody waits.</p>
      ) : (
        <ol class="places" tabIndex={0} aria-label="The line, the next one first">
          {tickets.map((ticket) => (
            <Place
              key={ticket.id}
              ticket={ticket}
              isMine={mine.some(({ id }) => id === ticket.id)}
              onRemove={mayOperate ? () => (removing.value = ticket) : null}
            />
          ))}
          {more > 0 && <li class="note">and {number(more)} behind them</li>}
        </ol>
      )}
      {removing.value && <RemoveDialog ticket={removing.value} say={say} onClose={() => (removing.value = null)} />}
    </section>
  );
}

/** The first tickets of the line. It reads them again when an event says that the line has moved. */
function useLine(live: LivePool, { name, max_waiting }: Pool) {
  const tickets = useSignal<readonly Ticket[]>([]);
  const problem = useSignal<ApiError | null>(null);
  useEffect(() => {
    let isGone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isReading = false;
    const read = async (): Promise<void> => {
      isReading = true;
      try {
        const line = await api.line(name, SHOWN);
        if (!isGone) [tickets.value, problem.value] = [line.tickets, null];
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        problem.value = error;
      } finally {
        isReading = false;
      }
    };
    const soon = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        if (isReading) soon();
        else void read();
      }, BREATH_MS);
    };
    // What a pool without a line does cannot move one.
    const mayMove = (): boolean => max_waiting > 0 || tickets.peek().length > 0;
    void read();
    const stopListening = live.listen({ begun: soon, happened: () => void (mayMove() && soon()) });
    return () => {
      isGone = true;
      clearTimeout(timer);
      stopListening();
    };
  }, [live, max_waiting]);
  return { tickets: tickets.value, problem: problem.value };
}

/** What the line says of a place, which may be newer than the last sign of life. */
function seenOf({ id }: MyTicket, tickets: readonly Ticket[]): Partial<MyTicket> {
  const { position, waiting, not_later_than } = tickets.find((ticket) => ticket.id === id) ?? {};
  return waiting === undefined ? {} : { position, waiting, not_later_than };
}

function MyPlace({ ticket, say }: { readonly ticket: MyTicket; readonly say: Props['say'] }) {
  const action = useAction();
  const { id, position, waiting, not_later_than, lost, patience, holder, user_id } = ticket;
  const giveBack = () =>
    action.run(async () => {
      await leave(id);
      say('The place was given back');
    });
  if (lost !== null) {
    return (
      <li class="my-place lost">
        <p>
          <strong>Your place is lost.</strong> {lost}
        </p>
        <button type="button" class="button small" onClick={() => forget(id)}>
          All right
        </button>
      </li>
    );
  }
  return (
    <li class="my-place">
      <p>
        <strong>
          {position === null ? 'It is your turn' : `You are ${ordinal(position)}`}
          {position !== null && waiting > 1 && ` of ${number(waiting)}`}
        </strong>
        {ticket.count > 1 && ` for ${number(ticket.count)} tokens at once`} <Promised at={not_later_than} />
      </p>
      <p class="note">
        as <UserId id={user_id} holder={holder} />. This tab keeps the place and takes what it is offered; without it,
        the place is lost after {duration(patience)}.
      </p>
      <button type="button" class="button small" aria-disabled={action.isBusy.value} onClick={() => void giveBack()}>
        Leave the line
      </button>
      {action.problem.value && <Problem onClose={action.forget}>{action.problem.value.message}</Problem>}
    </li>
  );
}

/** "at the latest 14:07:31, in 2:13" */
export function Promised({ at }: { readonly at: string | null }) {
  if (at === null) return <span class="note">no time is promised: leases here may be kept alive</span>;
  const isOver = Date.parse(at) <= now.value;
  return (
    <span class="promised">
      at the latest <Time at={at} />
      {isOver ? (
        <span class="note"> (that is over)</span>
      ) : (
        <>
          , in <TimeLeft until={Date.parse(at)} />
        </>
      )}
    </span>
  );
}

interface PlaceProps {
  readonly ticket: Ticket;
  readonly isMine: boolean;
  readonly onRemove: (() => void) | null;
}

function Place({ ticket, isMine, onRemove }: PlaceProps) {
  const { position, holder, user_id, queued_at, count: wanted, select, claim_by, not_later_than } = ticket;
  return (
    <li class={isMine ? 'place mine' : 'place'}>
      <span class="place-number digits">{position === null ? <Icon name="check" /> : number(position)}</span>
      <div class="grow">
        <p>
          <UserId id={user_id} holder={holder} /> {isMine && <span class="badge mine">yours</span>}
          {wanted > 1 && <span class="badge">{count(wanted, 'token')} at once</span>}
          {select !== null && <span class="badge">{attributesInWords(select as Record<string, string>)}</span>}
        </p>
        <p class="note">
          waits since <Ago at={queued_at} />
          {claim_by !== null && (
            <>
              {' · '}
              <strong>is offered it</strong>, for <TimeLeft until={Date.parse(claim_by)} /> more
            </>
          )}
          {claim_by === null && not_later_than !== null && (
            <>
              {' · '}at the latest <Time at={not_later_than} />
            </>
          )}
        </p>
      </div>
      {onRemove && (
        <button type="button" class="icon-button small" title="Remove this place" onClick={onRemove}>
          <Icon name="close" />
          <span class="unseen">Remove the place of {holder ?? user_id ?? 'somebody'}</span>
        </button>
      )}
    </li>
  );
}

interface RemoveProps {
  readonly ticket: Ticket;
  readonly say: (words: string) => void;
  readonly onClose: () => void;
}

function RemoveDialog({ ticket, say, onClose }: RemoveProps) {
  const action = useAction();
  const note = useSignal('');
  const remove = async (event: Event): Promise<void> => {
    event.preventDefault();
    const worked = await action.run(() => api.leave(ticket.id, note.value.trim() || undefined));
    if (!worked) return;
    say('The place was removed');
    onClose();
  };
  const problem = action.problem.value;
  const ofNote = problemOf(problem, 'note');
  return (
    <Dialog title="Remove a place in line" onClose={onClose} isBusy={action.isBusy.value} refusal={problem}>
      <form onSubmit={(event) => void remove(event)}>
        <p>
          <UserId id={ticket.user_id} holder={ticket.holder} /> loses the place
          {ticket.status === 'offered' && ', and what it is offered,'} and those behind move up. It cannot be taken
          back.
        </p>
        <InputField
          label="Reason"
          value={note.value}
          onValue={(value) => (note.value = value)}
          problem={ofNote}
          help="Stays with the event, for those who ask later."
        />
        {problem && ofNote === null && <Problem>{problem.message}</Problem>}
        <DialogFoot>
          <button type="submit" class="button danger" aria-disabled={action.isBusy.value}>
            Remove
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
