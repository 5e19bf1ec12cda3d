// The form that creates or changes a pool. It explains each rule beside its field, and sums up the policy in sentences.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { api, type Policy, type Pool } from '../api.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { ChoiceField, InputField, problemOf } from '../ui/field.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import { count, duration, number, numberIn, policyInWords } from '../words.js';
import './pool-form.css';

interface Props {
  /** The pool to change; without it the form creates one. */
  readonly pool?: Pool;
  readonly onDone: (pool: Pool) => void;
  readonly onClose: () => void;
}

type Field = keyof Policy;

/** How a field is typed: a limit may be left empty, which means that there is none. */
type Typing<Value> = Value extends boolean
  ? 'flag'
  : Value extends string
    ? 'word'
    : null extends Value
      ? 'limit'
      : 'number';

/** The fields as typed. */
type Draft = { readonly name: string; readonly kind: Pool['kind'] } & {
  readonly [F in Field]: Policy[F] extends boolean ? 'yes' | 'no' : Policy[F] extends string ? Policy[F] : string;
};

/** Each field of a policy: how it is typed, and what the form of a new pool begins with. */
const FIELDS: { readonly [F in Field]: { readonly as: Typing<Policy[F]> } & Record<Pool['kind'], Draft[F]> } = {
  size: { as: 'number', fixed: '100', elastic: '10', listed: '100000' },
  ttl_seconds: { as: 'number', fixed: '120', elastic: '60', listed: '3600' },
  renewable: { as: 'flag', fixed: 'no', elastic: 'yes', listed: 'yes' },
  max_lifetime_seconds: { as: 'limit', fixed: '', elastic: '', listed: '' },
  idle_ttl_seconds: { as: 'limit', fixed: '', elastic: '300', listed: '' },
  on_exhausted: { as: 'word', fixed: 'evict_oldest', elastic: 'reject', listed: 'reject' },
  release_authority: { as: 'word', fixed: 'anyone', elastic: 'anyone', listed: 'holder' },
  max_per_user: { as: 'limit', fixed: '', elastic: '', listed: '' },
  max_per_key: { as: 'limit', fixed: '', elastic: '', listed: '' },
  protect_seconds: { as: 'limit', fixed: '', elastic: '', listed: '' },
  evict: { as: 'word', fixed: 'oldest', elastic: 'oldest', listed: 'oldest' },
  max_waiting: { as: 'number', fixed: '0', elastic: '0', listed: '0' },
  max_waiting_per_user: { as: 'number', fixed: '1', elastic: '1', listed: '1' },
  claim_seconds: { as: 'number', fixed: '10', elastic: '10', listed: '10' },
  patience_seconds: { as: 'number', fixed: '30', elastic: '30', listed: '30' },
  cooldown_seconds: { as: 'limit', fixed: '', elastic: '', listed: '' },
  cooldown_after: { as: 'word', fixed: 'always', elastic: 'always', listed: 'always' },
  after_use: { as: 'word', fixed: 'available', elastic: 'available', listed: 'available' },
  clean_within_seconds: { as: 'limit', fixed: '', elastic: '', listed: '' },
  max_cleans: { as: 'number', fixed: '3', elastic: '3', listed: '3' },
  disable_after_unclean: { as: 'limit', fixed: '', elastic: '', listed: '' },
  status: { as: 'word', fixed: 'open', elastic: 'open', listed: 'open' },
};

const fields = Object.keys(FIELDS) as Field[];

export function PoolForm({ pool, onDone, onClose }: Props) {
  const action = useAction();
  // Others may change the pool while the form is open. The form sends only what differs from what it began with.
  const opened = useRef(pool).current;
  const draft = useSignal<Draft>(opened ? draftOf(opened) : newDraft('fixed'));
  const set = (change: Partial<Draft>): void => {
    draft.value = { ...draft.value, ...change };
  };
  const { name, kind } = draft.value;
  const problem = action.problem.value;
  const isElsewhere = problem !== null && !['name', ...fields].some((field) => problemOf(problem, field));
  /** What the input of a field needs. */
  const input = <F extends Field>(field: F) => ({
    value: draft.value[field],
    onValue: (value: Draft[F]): void => set({ [field]: value }),
    problem: problemOf(problem, field),
  });

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    let done: Pool | undefined;
    const worked = await action.run(async () => {
      done = opened
        ? await api.changePool(opened.name, changeOf(opened, draft.value))
        : await api.createPool(newPool(draft.value));
    });
    if (worked && done) onDone(done);
  };

  return (
    <Dialog
      title={pool ? `Change ${pool.name}` : 'Create a pool'}
      onClose={onClose}
      wide
      isBusy={action.isBusy.value}
      refusal={action.problem.value}
    >
      <form class="form pool-form" noValidate onSubmit={(event) => void submit(event)}>
        {!pool && (
          <InputField
            label="Name"
            mono
            value={name}
            placeholder="licence-seats"
            onValue={(value) => set({ name: value })}
            problem={problemOf(problem, 'name') ?? (problem?.code === 'pool_exists' ? problem.message : null)}
            help="Small letters, digits and hyphens. It stands in addresses and cannot be changed."
          />
        )}
        {!pool && (
          <ChoiceField
            label="Kind"
            name="kind"
            value={kind}
            onValue={(value) => (draft.value = newDraft(value, name))}
            choices={[
              { value: 'fixed', label: 'Fixed', help: 'All tokens are made now and stay: seats, devices, numbers.' },
              {
                value: 'elastic',
                label: 'Elastic',
                help: 'Tokens are made on request, up to a limit, and may go again.',
              },
              {
                value: 'listed',
                label: 'Listed',
                help: 'Things of your own, which you put in: phone numbers, accounts, devices.',
              },
            ]}
          />
        )}
        <div class="form-columns">
          <InputField
            label={kind === 'fixed' ? 'Tokens' : 'Tokens at most'}
            type="number"
            {...input('size')}
            help={
              pool
                ? `Now ${number(pool.size)}. ${surplusInWords(pool, numberIn(draft.value.size))}`
                : 'How many can be held at the same time.'
            }
          />
          <InputField
            label="Length of a lease"
            type="number"
            unit="seconds"
            {...input('ttl_seconds')}
            help={`${inWords(draft.value.ttl_seconds)}Then the token is free again, whatever its user does. Requests may ask for less.`}
          />
        </div>
        <ChoiceField
          label="When no token is free"
          name="on_exhausted"
          {...input('on_exhausted')}
          choices={[
            {
              value: 'evict_oldest',
              label: 'Evict a lease',
              help: 'A request is served, and somebody loses a token early.',
            },
            {
              value: 'reject',
              label: 'Refuse',
              help: 'Nobody loses a token early. The request is told when to try again.',
            },
          ]}
        />
        {draft.value.on_exhausted === 'evict_oldest' && (
          <>
            <ChoiceField
              label="Whose lease is evicted"
              name="evict"
              {...input('evict')}
              choices={[
                { value: 'oldest', label: 'The oldest', help: 'Who has held a token the longest loses it.' },
                {
                  value: 'over_share_first',
                  label: 'That of the user who holds the most',
                  help: 'The oldest one of theirs. A user who takes too many evicts only their own leases.',
                },
              ]}
            />
            <InputField
              label="Protect a lease for its first"
              type="number"
              unit="seconds"
              placeholder="not at all"
              {...input('protect_seconds')}
              help={`${inWords(draft.value.protect_seconds)}While it is the turn of a younger one, requests are refused. Empty: any may be evicted.`}
            />
          </>
        )}
        <div class="form-columns">
          <InputField
            label="Leases a user at most"
            type="number"
            placeholder="no limit"
            {...input('max_per_user')}
            help="Open at a time. One more is refused. Empty: no limit."
          />
          <InputField
            label="Leases an API key at most"
            type="number"
            placeholder="no limit"
            {...input('max_per_key')}
            help="Of all users who came with the key. Empty: no limit."
          />
        </div>
        <ChoiceField
          label="Keeping alive"
          name="renewable"
          {...input('renewable')}
          choices={[
            { value: 'no', label: 'No', help: 'A lease ends when its time is up.' },
            { value: 'yes', label: 'Yes', help: 'A user who keeps asking keeps the token; one who vanishes loses it.' },
          ]}
        />
        <div class="form-columns">
          <InputField
            label="Greatest age of a lease"
            type="number"
            unit="seconds"
            placeholder="no limit"
            {...input('max_lifetime_seconds')}
            help={`${inWords(draft.value.max_lifetime_seconds)}However often it is kept alive. Empty: no limit.`}
          />
          {kind === 'elastic' && (
            <InputField
              label="Delete a free token after"
              type="number"
              unit="seconds"
              placeholder="never"
              {...input('idle_ttl_seconds')}
              help={`${inWords(draft.value.idle_ttl_seconds)}So that a pool that was busy shrinks. Empty: never.`}
            />
          )}
        </div>
        <ChoiceField
          label="Who may release and keep alive"
          name="release_authority"
          {...input('release_authority')}
          choices={[
            { value: 'anyone', label: 'Everybody who knows the token', help: 'Simple: the id of the token will do.' },
            {
              value: 'holder',
              label: 'Only its holder',
              help: 'The handle of the lease must be shown, which only the one it was granted to ever gets.',
            },
          ]}
        />
        <h3>When several want one</h3>
        <div class="form-columns">
          <InputField
            label="Places in line"
            type="number"
            {...input('max_waiting')}
            help="So many may wait for a token in the order in which they came. 0: none waits, as by default."
          />
          {isOn(draft.value.max_waiting) && (
            <InputField
              label="Places a user at most"
              type="number"
              {...input('max_waiting_per_user')}
              help="In this line, at a time."
            />
          )}
        </div>
        {isOn(draft.value.max_waiting) && (
          <div class="form-columns">
            <InputField
              label="An offer must be claimed within"
              type="number"
              unit="seconds"
              {...input('claim_seconds')}
              help={`${inWords(draft.value.claim_seconds)}Then it goes to the next in line. So long may a token lie idle for somebody who has left.`}
            />
            <InputField
              label="A place lives without a sign of life for"
              type="number"
              unit="seconds"
              {...input('patience_seconds')}
              help={`${inWords(draft.value.patience_seconds)}Each request about the place is such a sign.`}
            />
          </div>
        )}
        <h3>Between two users</h3>
        <ChoiceField
          label="After a lease, a token is"
          name="after_use"
          {...input('after_use')}
          choices={[
            { value: 'available', label: 'Free', help: 'The next user may have it, once it has rested.' },
            { value: 'clean', label: 'Dirty', help: 'Somebody must clean it before the next user gets it.' },
          ]}
        />
        {draft.value.after_use === 'clean' && (
          <div class="form-columns">
            <InputField
              label="A cleaning takes at most"
              type="number"
              unit="seconds"
              placeholder="as a lease"
              {...input('clean_within_seconds')}
              help={`${inWords(draft.value.clean_within_seconds)}Then it has failed. Empty: as long as a lease, and no time is promised in line.`}
            />
            <InputField
              label="Failed cleanings until it is out of service"
              type="number"
              {...input('max_cleans')}
              help="In a row. Somebody must enable it again then."
            />
          </div>
        )}
        <div class="form-columns">
          <InputField
            label="A token rests for"
            type="number"
            unit="seconds"
            placeholder="not at all"
            {...input('cooldown_seconds')}
            help={`${inWords(draft.value.cooldown_seconds)}After a lease, before the next user gets it. Empty: not at all.`}
          />
          <InputField
            label="Out of service after unclean ends of"
            type="number"
            unit="users"
            placeholder="never"
            {...input('disable_after_unclean')}
            help="Different users in a row whose leases expired or were ended by others. Empty: never."
          />
        </div>
        {draft.value.cooldown_seconds.trim() !== '' && (
          <ChoiceField
            label="It rests"
            name="cooldown_after"
            {...input('cooldown_after')}
            choices={[
              { value: 'always', label: 'After each lease', help: 'However it has ended.' },
              { value: 'unclean', label: 'After unclean ends', help: 'Not when its holder has released it.' },
            ]}
          />
        )}
        {isOn(draft.value.cooldown_seconds) || draft.value.after_use === 'clean' ? (
          <p class="note">Such a pool evicts nothing: the token of an evicted lease could not be granted.</p>
        ) : null}
        <aside class="in-words">
          <h3>In words</h3>
          <p>{policyInWords(spoken(draft.value)).join(' ')}</p>
          {pool && <p class="note">Leases that are open keep the time they were promised.</p>}
        </aside>
        {isElsewhere && problem.code !== 'pool_exists' && <Problem>{problem.message}</Problem>}
        <DialogFoot>
          <button type="submit" class="button primary" aria-disabled={action.isBusy.value}>
            {pool ? 'Change pool' : 'Create pool'}
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

/** What a smaller size ends: nothing that is held. */
function surplusInWords({ counts }: Pool, size: number | undefined): string {
  const surplus = counts.total - Number(size);
  if (!(surplus > 0)) return 'A smaller size deletes free tokens at once, and held ones at the end of their leases.';
  const free = Math.min(surplus, counts.available);
  const later = surplus - free;
  const atOnce = `${count(free, 'free token')} ${free === 1 ? 'is' : 'are'} deleted at once`;
  return later === 0
    ? `${atOnce}.`
    : `${atOnce}, ${number(later)} held at the end of ${later === 1 ? 'its lease' : 'their leases'}.`;
}

const isOn = (typed: string): boolean => Number(numberIn(typed) ?? 0) > 0;

/** Shows "2 min" beside "120". */
function inWords(seconds: string): string {
  const value = Number(numberIn(seconds));
  return value >= 60 ? `${duration(value)}. ` : '';
}

/** What `valueOf` answers for each field, under the name of the field. */
const eachField = (valueOf: (field: Field) => unknown): object =>
  Object.fromEntries(fields.map((field) => [field, valueOf(field)]));

const newDraft = (kind: Pool['kind'], name = ''): Draft =>
  ({ name, kind, ...eachField((field) => FIELDS[field][kind]) }) as Draft;

const draftOf = (pool: Pool): Draft =>
  ({ name: pool.name, kind: pool.kind, ...eachField((field) => asTyped(pool[field])) }) as Draft;

function asTyped(value: Policy[Field]): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return String(value ?? '');
}

/** Omits empty fields, except those in which empty means no limit. */
function policyOf(draft: Draft): Partial<Policy> {
  const { idle_ttl_seconds, ...policy } = eachField((field) => valueIn(draft, field)) as Policy;
  return draft.kind === 'elastic' ? { ...policy, idle_ttl_seconds } : policy;
}

/** Undefined for a number that was left empty. */
function valueIn(draft: Draft, field: Field): Policy[Field] | undefined {
  const typed = draft[field];
  switch (FIELDS[field].as) {
    case 'number':
      return numberIn(typed);
    case 'limit':
      return numberIn(typed) ?? null;
    case 'flag':
      return typed === 'yes';
    case 'word':
      return typed as Policy[Field];
  }
}

const newPool = (draft: Draft): Parameters<typeof api.createPool>[0] => ({
  name: draft.name.trim(),
  kind: draft.kind,
  ...policyOf(draft),
});

/** Only the changed fields, so that two people who change different rules at once do not undo each other's change. */
function changeOf(pool: Pool, draft: Draft): Partial<Policy> {
  const wanted = Object.entries(policyOf(draft));
  return Object.fromEntries(wanted.filter(([key, value]) => pool[key as Field] !== value));
}

/** The draft as a policy for the summary, even while it is invalid: what is no number is 0. */
function spoken(draft: Draft): Policy & Pick<Pool, 'kind'> {
  const policy = eachField((field) => {
    const value = valueIn(draft, field);
    if (FIELDS[field].as === 'number') return Number(value) || 0;
    return FIELDS[field].as === 'limit' && value !== null ? Number(value) || 0 : value;
  }) as Policy;
  return { ...policy, kind: draft.kind, ...(draft.kind !== 'elastic' && { idle_ttl_seconds: null }) };
}
