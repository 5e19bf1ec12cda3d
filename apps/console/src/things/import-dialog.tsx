// Imports things from pasted text or a file. It shows what will change, and everything that is wrong, before anything
// is sent.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { parseThings, type FileProblem } from '../../../../libs/client/src/index.js';
import { api, ApiError, type Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { PoolState } from '../live/pool-state.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { ChoiceField, Field } from '../ui/field.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import { attributesInWords, count, number } from '../words.js';
import { differenceOf, type Difference } from './difference.js';
import { importThings, type Done } from './import-things.js';

interface Props {
  readonly pool: Pool;
  readonly live: LivePool;
  /** Announces the result to screen readers. */
  readonly say: (words: string) => void;
  readonly onClose: () => void;
}

/** The most lines of a list that the preview shows. */
const SHOWN = 100;

export function ImportDialog({ pool, live, say, onClose }: Props) {
  const action = useAction();
  const text = useSignal('');
  const file = useSignal<string | null>(null);
  const fileProblem = useSignal<string | null>(null);
  const isTyped = useSignal(false);
  const missing = useSignal<'keep' | 'delete'>('keep');
  const progress = useSignal<{ readonly made: number; readonly all: number } | null>(null);
  const outcome = useSignal('');
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const whole = useWhole(live);
  void live.version.value;
  const content = file.value ?? text.value;
  const read = useMemo(
    () => (content.trim() === '' ? null : parseThings(content, { values: isTyped.value ? 'typed' : 'text' })),
    [content, isTyped.value],
  );
  const { state } = whole;
  const difference = useMemo(
    () => (read === null || state === null ? null : differenceOf(read.things, state.tokens)),
    [read, state, state?.thingsVersion],
  );
  const removed = missing.value === 'delete' ? (difference?.left ?? []) : [];
  const problems = read === null ? [] : [...read.problems, ...sizeProblem(pool, difference, removed.length)];
  const isReady = difference !== null && problems.length === 0 && outcome.value === '';

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!isReady || action.isBusy.peek()) return;
    const { signal } = (stop.current = new AbortController());
    const { things } = read!;
    const all = things.length + removed.length;
    let done: Done = { added: 0, changed: 0, unchanged: 0, deleted: 0, draining: 0 };
    progress.value = { made: 0, all };
    const worked = await action.run(() =>
      importThings({ pool: pool.name, things, removed: removed.map(({ id }) => id) }, signal, (now, made) => {
        done = { ...now };
        progress.value = { made, all };
      }),
    );
    const { made } = progress.value;
    const words = doneInWords(done);
    if (worked && made >= all) {
      outcome.value = `Done: ${words}.`;
      // No event tells that a token will go at the end of its lease.
      for (const { id } of removed) live.state?.markDraining(id);
    } else outcome.value = `Stopped after ${number(made)} of ${number(all)}: ${words}.`;
    say(outcome.value);
  };
  const readFile = async (given: File | undefined): Promise<void> => {
    fileProblem.value = null;
    file.value = given === undefined ? null : await textOf(given);
    if (given !== undefined && file.value === null) {
      fileProblem.value = `${given.name} is not in UTF-8: save it as “CSV UTF-8”`;
    }
  };

  return (
    <Dialog
      title={`Import into ${pool.name}`}
      onClose={onClose}
      wide
      isBusy={action.isBusy.value}
      onStop={() => stop.current?.abort()}
      isDone={outcome.value !== ''}
      refusal={action.problem.value}
    >
      <form class="form" noValidate onSubmit={(event) => void submit(event)}>
        {outcome.value === '' && !action.isBusy.value && (
          <>
            <Field
              label="Things"
              help="CSV with a column “name”: every other column is an attribute, and columns such as secret.pin are the secret. Or JSON: a list of objects with name, attributes and secret."
            >
              {({ id, describedBy }) => (
                <textarea
                  id={id}
                  class="mono"
                  rows={6}
                  spellcheck={false}
                  autocomplete="off"
                  placeholder={'name,country,os,secret.pin\n+49 30 1234,de,14,0042'}
                  aria-describedby={describedBy}
                  value={file.value === null ? text.value : ''}
                  disabled={file.value !== null}
                  onInput={({ currentTarget }) => (text.value = currentTarget.value)}
                />
              )}
            </Field>
            <Field label="Or a file" problem={fileProblem.value}>
              {({ id, describedBy, isInvalid }) => (
                <input
                  id={id}
                  type="file"
                  aria-describedby={describedBy}
                  aria-invalid={isInvalid}
                  accept=".csv,.tsv,.json,text/csv,application/json"
                  onChange={({ currentTarget }) => void readFile(currentTarget.files?.[0])}
                />
              )}
            </Field>
            <label class="check">
              <input
                type="checkbox"
                checked={isTyped.value}
                onChange={({ currentTarget }) => (isTyped.value = currentTarget.checked)}
              />
              In CSV, read numbers and true/false as such. Otherwise every value is text.
            </label>
            <ChoiceField
              label="Tokens that the list leaves out"
              name="missing"
              value={missing.value}
              onValue={(value) => (missing.value = value)}
              choices={[
                { value: 'keep', label: 'Stay', help: 'The list adds and changes; it is not the whole pool.' },
                {
                  value: 'delete',
                  label: 'Are deleted when free',
                  help: 'Free ones at once, held ones at the end of their leases. Nobody loses a lease.',
                },
              ]}
            />
            {whole.problem && <Problem>{whole.problem}</Problem>}
            {read !== null && state === null && !whole.problem && <p class="note">Reading the pool…</p>}
            {problems.length > 0 && <Problems problems={problems} />}
            {difference !== null && problems.length === 0 && (
              <Preview difference={difference} isDeleting={missing.value === 'delete'} />
            )}
          </>
        )}
        {action.isBusy.value && progress.value !== null && (
          <p class="note">
            <progress value={progress.value.made} max={progress.value.all} aria-label="Imported" />{' '}
            {number(progress.value.made)} of {number(progress.value.all)}…
          </p>
        )}
        {action.problem.value && <Problem>{action.problem.value.message}</Problem>}
        <p class={outcome.value === '' ? 'unseen' : 'outcome'} role="status">
          {outcome.value}
        </p>
        <DialogFoot leave={action.isBusy.value ? 'Stop' : outcome.value === '' ? 'Cancel' : 'Close'}>
          {outcome.value === '' && (
            <button type="submit" class="button primary" disabled={!isReady} aria-disabled={action.isBusy.value}>
              {read === null ? 'Import' : `Import ${count(read.things.length, 'thing')}`}
            </button>
          )}
        </DialogFoot>
      </form>
    </Dialog>
  );
}

/** @returns null for a file that is not in UTF-8, of which half the letters would be wrong */
async function textOf(file: File): Promise<string | null> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return null;
  }
}

function Problems({ problems }: { readonly problems: readonly FileProblem[] }) {
  return (
    <section class="import-part" aria-label="What is wrong">
      <h3>Nothing can be imported yet: {count(problems.length, 'problem')}</h3>
      <ul class="import-list wrong" tabIndex={0} aria-label="Problems">
        {problems.slice(0, SHOWN).map(({ line, message }, index) => (
          <li key={index}>
            {line > 0 && <strong class="digits">Line {number(line)}</strong>} {message}
          </li>
        ))}
        {problems.length > SHOWN && <li class="note">and {number(problems.length - SHOWN)} more</li>}
      </ul>
    </section>
  );
}

interface PreviewProps {
  readonly difference: Difference;
  readonly isDeleting: boolean;
}

function Preview({ difference: { added, changed, unchanged, left }, isDeleting }: PreviewProps) {
  const held = left.filter(({ lease }) => lease !== null).length;
  const lines = [
    ...added.map(({ name, attributes = {} }) => ({ kind: 'new', name, words: attributesInWords(attributes) })),
    ...changed.map(({ thing: { name }, words }) => ({ kind: 'changed', name, words })),
    ...(isDeleting ? left : []).map(({ name, lease }) => ({
      kind: 'deleted',
      name: name ?? '',
      words: lease === null ? '' : 'at the end of its lease',
    })),
  ];
  const hasSecrets = [...added, ...unchanged, ...changed.map(({ thing }) => thing)].some(({ secret }) => secret);
  return (
    <section class="import-part" aria-label="What will change">
      <h3>
        {number(added.length)} new, {number(changed.length)} changed, {number(unchanged.length)} unchanged
      </h3>
      <p class="note">
        {left.length === 0
          ? 'The list leaves out no token of the pool.'
          : isDeleting
            ? `${count(left.length, 'token')} left out: ${number(left.length - held)} deleted at once, ${number(held)} at the end of their leases.`
            : `${count(left.length, 'token')} left out: ${left.length === 1 ? 'it stays' : 'they stay'}.`}{' '}
        {hasSecrets && 'Secrets are sent and not shown; one that is there already counts as unchanged.'}
      </p>
      {lines.length > 0 && (
        <ul class="import-list" tabIndex={0} aria-label="Changes">
          {lines.slice(0, SHOWN).map(({ kind, name, words }) => (
            <li key={`${kind} ${name}`}>
              <span class={`badge import-${kind}`}>{kind}</span> <strong>{name}</strong>{' '}
              <span class="note">{words}</span>
            </li>
          ))}
          {lines.length > SHOWN && <li class="note">and {number(lines.length - SHOWN)} more</li>}
        </ul>
      )}
    </section>
  );
}

/** The pool has room for so many tokens. */
function sizeProblem({ size }: Pool, difference: Difference | null, removed: number): FileProblem[] {
  if (difference === null) return [];
  const { added, changed, unchanged, left } = difference;
  const total = added.length + changed.length + unchanged.length + left.length - removed;
  if (total <= size) return [];
  return [{ line: 0, message: `the pool may have ${count(size, 'token')}, and would have ${number(total)}` }];
}

function doneInWords({ added, changed, unchanged, deleted, draining }: Done): string {
  const words = [`${number(added)} added`, `${number(changed)} changed`, `${number(unchanged)} unchanged`];
  if (deleted > 0) words.push(`${number(deleted)} deleted`);
  if (draining > 0)
    words.push(`${number(draining)} to be deleted at the end of ${draining === 1 ? 'its lease' : 'their leases'}`);
  return words.join(', ');
}

/** All tokens of the pool. The page follows only a part of a large one; then the rest is read here. */
function useWhole(live: LivePool): { readonly state: PoolState | null; readonly problem: string | null } {
  const read = useSignal<PoolState | null>(null);
  const problem = useSignal<string | null>(null);
  const isWhole = live.state?.isWhole === true;
  useEffect(() => {
    if (isWhole) return;
    let isOver = false;
    void (async () => {
      try {
        const tokens = [];
        for (let cursor: string | null = ''; cursor !== null && !isOver;) {
          const page = await pageOf(live.name, cursor);
          tokens.push(...page.tokens);
          cursor = page.next_cursor;
        }
        if (!isOver) read.value = new PoolState(tokens, 0);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        problem.value = error.message;
      }
    })();
    return () => {
      isOver = true;
    };
  }, [isWhole]);
  return { state: isWhole ? live.state : read.value, problem: problem.value };
}

const pageOf = (pool: string, cursor: string): ReturnType<typeof api.tokens> =>
  api.tokens({ pool, limit: 1_000, ...(cursor !== '' && { cursor }) });
