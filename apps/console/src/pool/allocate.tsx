// Allocates one token, ten, or any number with all options of a lease.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { parseExactJson } from '../../../../libs/client/src/index.js';
import { abreast } from '../abreast.js';
import { api, ApiError, type AllocateRequest, type Grant, type OfferedPlace, type Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import type { TokenState } from '../live/pool-state.js';
import { keepLease } from '../my-leases.js';
import { takePlace } from '../my-tickets.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { Field, InputField, problemOf } from '../ui/field.js';
import { Icon } from '../ui/icon.js';
import { Problem } from '../ui/problem.js';
import { useAction, type Action } from '../ui/use-action.js';
import { SelectField, selectorOf, useValues, type Wanted } from './select-field.js';
import { Promised } from './line.js';
import { count, duration, generateFirst, number, numberIn, ordinal, shortId } from '../words.js';

/** The most tokens that the dialog allocates at once. */
const MOST = 500;
/** The most that the service grants in one request. */
const MOST_AT_ONCE = 100;
/** The most names that the browser offers while somebody types one. */
const OFFERED = 50;
/** What a refusal may be about. */
const FIELDS = ['name', 'select', 'holder', 'user_id', 'ttl_seconds', 'metadata'];

interface Props {
  readonly pool: Pool;
  readonly live: LivePool;
  readonly action: Action;
  /** Announces the result to screen readers. */
  readonly say: (words: string) => void;
}

export function Allocate({ pool, live, action, say }: Props) {
  const { total } = live.present();
  const isAsking = useSignal(false);
  const allocate = (howMany: number): Promise<boolean> =>
    action.run(async () => say(outcome(await allocateMany({ pool: pool.name }, howMany, generateFirst(pool, total)))));
  return (
    <>
      <div class="button-group">
        <button
          type="button"
          class="button primary"
          aria-disabled={action.isBusy.value}
          onClick={() => void allocate(1)}
        >
          <Icon name="plus" /> Allocate
        </button>
        <button
          type="button"
          class="button primary"
          aria-disabled={action.isBusy.value}
          title="Allocate ten tokens"
          onClick={() => void allocate(10)}
        >
          ×10<span class="unseen"> Allocate ten tokens</span>
        </button>
        <button
          type="button"
          class="button primary"
          title="Allocate with options"
          onClick={() => (isAsking.value = true)}
        >
          <Icon name="options" />
          <span class="unseen">Allocate with options</span>
        </button>
      </div>
      {isAsking.value && (
        <AllocateDialog pool={pool} live={live} total={total} say={say} onClose={() => (isAsking.value = false)} />
      )}
    </>
  );
}

interface OfferProps extends Pick<Props, 'pool' | 'say'> {
  /** What the refusal says of the line; undefined in a pool without one. */
  readonly place: OfferedPlace | undefined;
  readonly onDone: () => void;
}

/** Below a refusal: the place in line that the reader would get. */
export function OfferToWait({ pool, place, onDone, say }: OfferProps) {
  const action = useAction();
  if (place === undefined) return null;
  const wait = async (): Promise<void> => {
    if (!(await action.run(() => takePlace(pool, { pool: pool.name })))) return;
    say('You are in line');
    onDone();
  };
  return (
    <div class="offer-to-wait">
      <button type="button" class="button small" aria-disabled={action.isBusy.value} onClick={() => void wait()}>
        Wait in line
      </button>{' '}
      You would be {ordinal(place.position)}, <Promised at={place.notLaterThan} />
      {action.problem.value && <Problem onClose={action.forget}>{action.problem.value.message}</Problem>}
    </div>
  );
}

interface DialogProps {
  readonly pool: Pool;
  readonly live: LivePool;
  readonly total: number;
  readonly say: (words: string) => void;
  readonly onClose: () => void;
}

/** Refusals of a token that was asked for by name. */
const CERTAIN = ['token_in_use', 'token_not_found'];

function AllocateDialog({ pool, live, total, say, onClose }: DialogProps) {
  const action = useAction();
  const howMany = useSignal('1');
  const name = useSignal('');
  const select = useSignal<readonly Wanted[]>([]);
  const tokens = live.state?.tokens ?? [];
  const values = useValues(tokens);
  const holder = useSignal('');
  const userId = useSignal('');
  const seconds = useSignal('');
  const metadata = useSignal('');
  /** All tokens at once, or none. */
  const atOnce = useSignal(false);
  const ownProblem = useSignal<{ readonly field: string; readonly words: string } | null>(null);
  const taken = useSignal(0);
  /** The number of requested tokens, while the work is under way. */
  const wanted = useSignal(0);
  const stopped = useSignal('');
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const problem = action.problem.value;
  const problemAt = (field: string): string | null =>
    ownProblem.value?.field === field ? ownProblem.value.words : problemOf(problem, field);
  const isOfName = problem !== null && name.value !== '' && CERTAIN.includes(problem.code);
  const isOfSelect = problem?.code === 'unsatisfiable';
  const most = (waits: boolean): number => (waits || atOnce.peek() ? MOST_AT_ONCE : MOST);
  const isElsewhere =
    problem !== null && !isOfName && !isOfSelect && !FIELDS.some((field) => problemOf(problem, field));

  /** @param waits whether to take a place in line, and not a token */
  const submit = async (event: Event, waits = false): Promise<void> => {
    event.preventDefault();
    const n = numberIn(howMany.value);
    const given = parsed(metadata.value);
    ownProblem.value =
      n === undefined || !(Number.isInteger(n) && n >= 1 && n <= most(waits))
        ? { field: 'how_many', words: `must be a whole number from 1 to ${most(waits)}` }
        : n > 1 && name.value !== ''
          ? { field: 'how_many', words: 'must be 1, as there is one token of that name' }
          : given instanceof Error
            ? { field: 'metadata', words: given.message }
            : null;
    if (ownProblem.value !== null) return;
    const ttl = numberIn(seconds.value);
    const selector = selectorOf(select.value, values);
    const request: AllocateRequest = {
      pool: pool.name,
      ...(name.value !== '' && { name: name.value }),
      ...(selector && { select: selector }),
      ...(holder.value.trim() !== '' && { holder: holder.value.trim() }),
      ...(userId.value.trim() !== '' && { user_id: userId.value.trim() }),
      ...(ttl !== undefined && { ttl_seconds: ttl }),
      ...(given !== undefined && { metadata: given as Record<string, unknown> }),
    };
    if (action.isBusy.peek()) return;
    if (waits) {
      const worked = await action.run(async () => {
        await takePlace(pool, { ...request, count: n! });
        say('You are in line');
      });
      if (worked) onClose();
      return;
    }
    const { signal } = (stop.current = new AbortController());
    [taken.value, wanted.value, stopped.value] = [0, n!, ''];
    const worked = await action.run(async () => {
      const grants = atOnce.peek()
        ? await allocateAtOnce(request, n!)
        : await allocateMany(request, n!, generateFirst(pool, total), { signal, took: () => taken.value++ });
      if (grants.length < n!) stopped.value = `Stopped: ${number(grants.length)} of ${count(n!, 'token')} were taken.`;
      say(stopped.value || outcome(grants));
    });
    if (worked && stopped.peek() === '') onClose();
  };

  return (
    <Dialog
      title={`Allocate from ${pool.name}`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      onStop={() => stop.current?.abort()}
      isDone={stopped.value !== ''}
      refusal={ownProblem.value ?? problem}
    >
      <form class="form" noValidate onSubmit={(event) => void submit(event)}>
        <InputField
          label="How many"
          type="number"
          value={howMany.value}
          onValue={(value) => (howMany.value = value)}
          problem={problemAt('how_many')}
          help={
            pool.on_exhausted === 'evict_oldest'
              ? 'Where no token is free, each evicts a lease, as far as the policy allows.'
              : 'Where no token is free, the rest is refused.'
          }
        />
        {(numberIn(howMany.value) ?? 1) > 1 && (
          <label class="check">
            <input
              type="checkbox"
              checked={atOnce.value}
              onChange={({ currentTarget }) => (atOnce.value = currentTarget.checked)}
            />{' '}
            All at once, or none
          </label>
        )}
        {pool.kind === 'listed' && (
          <>
            <Field
              label="A certain token"
              problem={isOfName ? problem.message : problemAt('name')}
              help="Its name. Empty: any that is free."
            >
              {({ id, describedBy, isInvalid }) => (
                <>
                  <input
                    id={id}
                    list={`${id}-names`}
                    autocomplete="off"
                    spellcheck={false}
                    aria-describedby={describedBy}
                    aria-invalid={isInvalid}
                    value={name.value}
                    onInput={({ currentTarget }) => (name.value = currentTarget.value)}
                  />
                  <datalist id={`${id}-names`}>
                    {namesWith(tokens, name.value).map((each) => (
                      <option key={each} value={each} />
                    ))}
                  </datalist>
                </>
              )}
            </Field>
            <SelectField
              values={values}
              wanted={select.value}
              onWanted={(wanted) => (select.value = wanted)}
              problem={isOfSelect ? problem.message : problemAt('select')}
            />
          </>
        )}
        <InputField
          label="Holder"
          value={holder.value}
          placeholder="ci-4711"
          onValue={(value) => (holder.value = value)}
          problem={problemAt('holder')}
          help="Who will hold the token: any name. The same name is always the same user."
        />
        <InputField
          label="User id"
          mono
          value={userId.value}
          placeholder="made up for you"
          onValue={(value) => (userId.value = value)}
          problem={problemAt('user_id')}
          help="Instead of a name: a UUID. Without both, each lease gets a new user."
        />
        <InputField
          label="Length of the lease"
          type="number"
          unit="seconds"
          value={seconds.value}
          placeholder={String(pool.ttl_seconds)}
          onValue={(value) => (seconds.value = value)}
          problem={problemAt('ttl_seconds')}
          help={`At most ${duration(pool.ttl_seconds)} in this pool; more is cut to that.`}
        />
        <Field
          label="Metadata"
          problem={problemAt('metadata')}
          help="A JSON object, kept with the event: a ticket, a host, a reason. Optional."
        >
          {({ id, describedBy, isInvalid }) => (
            <textarea
              id={id}
              class="mono"
              rows={3}
              spellcheck={false}
              placeholder={'{"ticket": "A-1"}'}
              aria-describedby={describedBy}
              aria-invalid={isInvalid}
              value={metadata.value}
              onInput={({ currentTarget }) => (metadata.value = currentTarget.value)}
            />
          )}
        </Field>
        {isElsewhere && <Problem>{problem.message}</Problem>}
        {action.isBusy.value && (
          <p class="note">
            <progress value={taken.value} max={wanted.value} aria-label="Taken" /> {number(taken.value)} of{' '}
            {number(wanted.value)} taken…
          </p>
        )}
        <p class={stopped.value === '' ? 'unseen' : 'note'} role="status">
          {stopped.value}
        </p>
        <DialogFoot leave={action.isBusy.value ? 'Stop' : stopped.value === '' ? 'Cancel' : 'Close'}>
          {pool.max_waiting > 0 && name.value === '' && (
            <button
              type="button"
              class="button"
              title="A place in line: it is offered all of them at once, when it is its turn"
              aria-disabled={action.isBusy.value}
              onClick={(event) => void submit(event, true)}
            >
              Wait in line
            </button>
          )}
          <button type="submit" class="button primary" aria-disabled={action.isBusy.value}>
            Allocate
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

/** The first names with this part, for the browser to offer. */
function namesWith(tokens: readonly TokenState[], text: string): string[] {
  const part = text.toLowerCase();
  const names: string[] = [];
  for (const { name } of tokens) {
    if (name?.toLowerCase().includes(part)) names.push(name);
    if (names.length === OFFERED) break;
  }
  return names;
}

/**
 * @returns an Error for text that is not JSON, or that JavaScript would change by parsing. The service validates the
 * rest.
 */
function parsed(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return parseExactJson(text);
  } catch (error) {
    return error instanceof RangeError ? error : new Error('must be a JSON object');
  }
}

interface Progress {
  readonly signal: AbortSignal;
  readonly took: () => void;
}

/**
 * Remembers each granted lease.
 * @returns the granted leases; after a stop fewer than requested
 * @throws ApiError of the first refused request
 */
async function allocateMany(
  request: AllocateRequest,
  howMany: number,
  ifNoneIsFree: string,
  progress?: Progress,
): Promise<Grant[]> {
  const grants: Grant[] = [];
  const one = async (): Promise<void> => {
    const grant = await api.allocate(request);
    grants.push(grant);
    keepLease(grant);
    progress?.took();
  };
  try {
    await abreast(howMany, one, progress?.signal);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const done = grants.length === 0 ? '' : `${count(grants.length, 'token')} of ${number(howMany)} allocated, then: `;
    const advice = error.code === 'pool_exhausted' ? ifNoneIsFree : '';
    throw new ApiError(error.code, done + error.message + advice, undefined, error.place);
  }
  return grants;
}

/** All or none. @throws ApiError */
async function allocateAtOnce(request: AllocateRequest, howMany: number): Promise<readonly Grant[]> {
  const grants = await api.allocateSeveral({ ...request, count: howMany });
  grants.forEach(keepLease);
  return grants;
}

function outcome(grants: readonly Grant[]): string {
  const evicted = grants.filter((grant) => grant.evicted !== null).length;
  const first = grants[0];
  const what =
    grants.length === 1 && first
      ? `Token ${first.name ?? shortId(first.token_id)} allocated`
      : `${count(grants.length, 'token')} allocated`;
  return evicted === 0 ? what : `${what}; ${count(evicted, 'lease')} evicted`;
}
