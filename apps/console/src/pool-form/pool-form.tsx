// The form that creates or changes a pool. It explains each rule beside its field, and sums up the policy in sentences.

import { useSignal } from '@preact/signals';
import { api, type Policy, type Pool } from '../api.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { ChoiceField, InputField, problemOf } from '../ui/field.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import { duration, number, numberIn, policyInWords } from '../words.js';
import './pool-form.css';

interface Props {
  /** The pool to change; without it the form creates one. */
  readonly pool?: Pool;
  readonly onDone: (pool: Pool) => void;
  readonly onClose: () => void;
}

/** The fields as typed. */
interface Draft {
  readonly name: string;
  readonly kind: Pool['kind'];
  readonly size: string;
  readonly ttl: string;
  readonly renewable: 'yes' | 'no';
  readonly maxLifetime: string;
  readonly idleTtl: string;
  readonly onExhausted: Policy['on_exhausted'];
  readonly authority: Policy['release_authority'];
  readonly evict: Policy['evict'];
  readonly protect: string;
  readonly maxPerUser: string;
  readonly maxPerKey: string;
}

const FREE_FOR_ALL = { evict: 'oldest', protect: '', maxPerUser: '', maxPerKey: '' } as const;

const NEW: Readonly<Record<Pool['kind'], Draft>> = {
  fixed: {
    name: '',
    kind: 'fixed',
    size: '100',
    ttl: '120',
    renewable: 'no',
    maxLifetime: '',
    idleTtl: '',
    onExhausted: 'evict_oldest',
    authority: 'anyone',
    ...FREE_FOR_ALL,
  },
  elastic: {
    name: '',
    kind: 'elastic',
    size: '10',
    ttl: '60',
    renewable: 'yes',
    maxLifetime: '',
    idleTtl: '300',
    onExhausted: 'reject',
    authority: 'anyone',
    ...FREE_FOR_ALL,
  },
};

const FIELDS = [
  'name',
  'size',
  'ttl_seconds',
  'renewable',
  'max_lifetime_seconds',
  'idle_ttl_seconds',
  'on_exhausted',
  'release_authority',
  'evict',
  'protect_seconds',
  'max_per_user',
  'max_per_key',
];

export function PoolForm({ pool, onDone, onClose }: Props) {
  const action = useAction();
  const draft = useSignal<Draft>(pool ? draftOf(pool) : NEW.fixed);
  const set = (change: Partial<Draft>): void => {
    draft.value = { ...draft.value, ...change };
  };
  const { name, kind, size, ttl, renewable, maxLifetime, idleTtl, onExhausted, authority } = draft.value;
  const { evict, protect, maxPerUser, maxPerKey } = draft.value;
  const problem = action.problem.value;
  const isElsewhere = problem !== null && !FIELDS.some((field) => problemOf(problem, field));

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    let done: Pool | undefined;
    const worked = await action.run(async () => {
      done = pool
        ? await api.changePool(pool.name, changeOf(pool, draft.value))
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
            onValue={(value) => (draft.value = { ...NEW[value], name })}
            choices={[
              { value: 'fixed', label: 'Fixed', help: 'All tokens are made now and stay: seats, devices, numbers.' },
              {
                value: 'elastic',
                label: 'Elastic',
                help: 'Tokens are made on request, up to a limit, and may go again.',
              },
            ]}
          />
        )}
        <div class="form-columns">
          <InputField
            label={kind === 'fixed' ? 'Tokens' : 'Tokens at most'}
            type="number"
            value={size}
            onValue={(value) => set({ size: value })}
            problem={problemOf(problem, 'size')}
            help={
              pool
                ? `Now ${number(pool.size)}. A pool only grows.`
                : 'How many can be held at the same time. It only grows.'
            }
          />
          <InputField
            label="Length of a lease"
            type="number"
            unit="seconds"
            value={ttl}
            onValue={(value) => set({ ttl: value })}
            problem={problemOf(problem, 'ttl_seconds')}
            help={`${inWords(ttl)}Then the token is free again, whatever its user does. Requests may ask for less.`}
          />
        </div>
        <ChoiceField
          label="When no token is free"
          name="on_exhausted"
          value={onExhausted}
          onValue={(value) => set({ onExhausted: value })}
          problem={problemOf(problem, 'on_exhausted')}
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
        {onExhausted === 'evict_oldest' && (
          <>
            <ChoiceField
              label="Whose lease is evicted"
              name="evict"
              value={evict}
              onValue={(value) => set({ evict: value })}
              problem={problemOf(problem, 'evict')}
              choices={[
                { value: 'oldest', label: 'The oldest', help: 'Who has held a token the longest loses it.' },
                {
                  value: 'over_share_first',
                  label: 'That of whoever holds the most',
                  help: 'His oldest. One user who takes all that he can get flushes only himself.',
                },
              ]}
            />
            <InputField
              label="Protect a lease for its first"
              type="number"
              unit="seconds"
              placeholder="not at all"
              value={protect}
              onValue={(value) => set({ protect: value })}
              problem={problemOf(problem, 'protect_seconds')}
              help={`${inWords(protect)}While it is the turn of a younger one, requests are refused. Empty: any may be evicted.`}
            />
          </>
        )}
        <div class="form-columns">
          <InputField
            label="Leases a user at most"
            type="number"
            placeholder="no limit"
            value={maxPerUser}
            onValue={(value) => set({ maxPerUser: value })}
            problem={problemOf(problem, 'max_per_user')}
            help="Open at a time. One more is refused. Empty: no limit."
          />
          <InputField
            label="Leases an API key at most"
            type="number"
            placeholder="no limit"
            value={maxPerKey}
            onValue={(value) => set({ maxPerKey: value })}
            problem={problemOf(problem, 'max_per_key')}
            help="Of all users who came with the key. Empty: no limit."
          />
        </div>
        <ChoiceField
          label="Keeping alive"
          name="renewable"
          value={renewable}
          onValue={(value) => set({ renewable: value })}
          problem={problemOf(problem, 'renewable')}
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
            value={maxLifetime}
            onValue={(value) => set({ maxLifetime: value })}
            problem={problemOf(problem, 'max_lifetime_seconds')}
            help={`${inWords(maxLifetime)}However often it is kept alive. Empty: no limit.`}
          />
          {kind === 'elastic' && (
            <InputField
              label="Delete a free token after"
              type="number"
              unit="seconds"
              placeholder="never"
              value={idleTtl}
              onValue={(value) => set({ idleTtl: value })}
              problem={problemOf(problem, 'idle_ttl_seconds')}
              help={`${inWords(idleTtl)}So that a pool that was busy shrinks. Empty: never.`}
            />
          )}
        </div>
        <ChoiceField
          label="Who may release and keep alive"
          name="release_authority"
          value={authority}
          onValue={(value) => set({ authority: value })}
          problem={problemOf(problem, 'release_authority')}
          choices={[
            { value: 'anyone', label: 'Whoever knows the token', help: 'Simple: the id of the token will do.' },
            {
              value: 'holder',
              label: 'Only its holder',
              help: 'The handle of the lease must be shown, which only the one it was granted to ever gets.',
            },
          ]}
        />
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

/** Shows "2 min" beside "120". */
function inWords(seconds: string): string {
  const value = Number(numberIn(seconds));
  return value >= 60 ? `${duration(value)}. ` : '';
}

const draftOf = (pool: Pool): Draft => ({
  name: pool.name,
  kind: pool.kind,
  size: String(pool.size),
  ttl: String(pool.ttl_seconds),
  renewable: pool.renewable ? 'yes' : 'no',
  maxLifetime: String(pool.max_lifetime_seconds ?? ''),
  idleTtl: String(pool.idle_ttl_seconds ?? ''),
  onExhausted: pool.on_exhausted,
  authority: pool.release_authority,
  evict: pool.evict,
  protect: String(pool.protect_seconds ?? ''),
  maxPerUser: String(pool.max_per_user ?? ''),
  maxPerKey: String(pool.max_per_key ?? ''),
});

/** Omits empty fields, except those in which empty means no limit. */
function policyOf(draft: Draft): Partial<Policy> {
  const [size, ttl] = [numberIn(draft.size), numberIn(draft.ttl)];
  return {
    ...(size !== undefined && { size }),
    ...(ttl !== undefined && { ttl_seconds: ttl }),
    renewable: draft.renewable === 'yes',
    max_lifetime_seconds: numberIn(draft.maxLifetime) ?? null,
    ...(draft.kind === 'elastic' && { idle_ttl_seconds: numberIn(draft.idleTtl) ?? null }),
    on_exhausted: draft.onExhausted,
    release_authority: draft.authority,
    evict: draft.evict,
    protect_seconds: numberIn(draft.protect) ?? null,
    max_per_user: numberIn(draft.maxPerUser) ?? null,
    max_per_key: numberIn(draft.maxPerKey) ?? null,
  };
}

const newPool = (draft: Draft): Parameters<typeof api.createPool>[0] => ({
  name: draft.name.trim(),
  kind: draft.kind,
  ...policyOf(draft),
});

/** Only the changed fields, so that two people who change different rules at once do not undo each other's change. */
function changeOf(pool: Pool, draft: Draft): Partial<Policy> {
  const wanted = Object.entries(policyOf(draft));
  return Object.fromEntries(wanted.filter(([key, value]) => pool[key as keyof Policy] !== value));
}

/** The draft as a policy for the summary, even while it is invalid. */
function spoken(draft: Draft): Policy & Pick<Pool, 'kind'> {
  const value = (text: string): number => Number(numberIn(text)) || 0;
  const orNone = (text: string): number | null => (text.trim() === '' ? null : value(text));
  return {
    kind: draft.kind,
    size: value(draft.size),
    ttl_seconds: value(draft.ttl),
    renewable: draft.renewable === 'yes',
    max_lifetime_seconds: orNone(draft.maxLifetime),
    idle_ttl_seconds: draft.kind === 'fixed' ? null : orNone(draft.idleTtl),
    on_exhausted: draft.onExhausted,
    release_authority: draft.authority,
    evict: draft.evict,
    protect_seconds: orNone(draft.protect),
    max_per_user: orNone(draft.maxPerUser),
    max_per_key: orNone(draft.maxPerKey),
  };
}
