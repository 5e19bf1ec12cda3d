// The actions on a token. An error appears below the button that caused it.

import { useSignal } from '@preact/signals';
import { api, type Claim, type Pool } from '../api.js';
import type { Lease, TokenState } from '../live/pool-state.js';
import { renewLease } from '../my-leases.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { ChoiceField, InputField, problemOf } from '../ui/field.js';
import { UserId } from '../ui/id.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import { duration, nameOf, numberIn } from '../words.js';

interface Props {
  readonly pool: Pool;
  readonly token: TokenState;
  /** The open lease. */
  readonly lease: Lease | null;
  /** The handle of that lease, if this tab allocated it. */
  readonly handle: string | null;
  /** Whether the reader may change the things of this pool. */
  readonly mayList: boolean;
  /** Whether the reader may take a token out of service. */
  readonly mayOperate: boolean;
  /** The token will be deleted when its lease ends. */
  readonly onDraining: () => void;
}

export function TokenActions({ pool, token, lease, handle, mayList, mayOperate, onDraining }: Props) {
  const { id } = token;
  const action = useAction();
  const typedHandle = useSignal('');
  const length = useSignal('');
  const isDeleting = useSignal(false);
  const isRevoking = useSignal(false);
  const isReporting = useSignal(false);
  const isDisabling = useSignal(false);
  const wantsHandle = lease !== null && pool.release_authority === 'holder' && handle === null;

  /** Names the lease that the reader sees, so that a release never ends its successor. */
  const claim = (): Claim => {
    const lease_id = handle ?? typedHandle.value.trim();
    return lease_id === '' ? { fence: lease!.fence } : { lease_id };
  };
  const release = () => action.run(() => api.release(id, claim()));
  const keepAlive = () =>
    action.run(async () => {
      const ttl = numberIn(length.value);
      const { expires_at } = await api.keepAlive(id, {
        ...(lease!.userId !== null && { user_id: lease!.userId }),
        ...claim(),
        ...(ttl !== undefined && { ttl_seconds: ttl }),
      });
      renewLease(pool.name, lease!.fence, expires_at);
    });

  const mayDelete = pool.kind === 'elastic' || (pool.kind === 'listed' && mayList);
  const mayDisable = mayOperate && token.disabled === null;
  if (lease === null && !mayDelete && !mayDisable) return null;
  const problem = action.problem.value;
  return (
    <section class="token-actions" aria-label="Actions">
      {wantsHandle && (
        <InputField
          label="Handle of the lease"
          mono
          value={typedHandle.value}
          onValue={(value) => (typedHandle.value = value)}
          problem={problem?.code === 'lease_handle_required' ? problem.message : problemOf(problem, 'lease_id')}
          help="In this pool only the holder may release and keep alive."
        />
      )}
      <div class="buttons">
        {lease !== null && (
          <button type="button" class="button" aria-disabled={action.isBusy.value} onClick={() => void release()}>
            Release
          </button>
        )}
        {lease !== null && (
          <button type="button" class="button" onClick={() => (isReporting.value = true)}>
            Report…
          </button>
        )}
        {lease !== null && pool.renewable && (
          <div class="with-input">
            <button type="button" class="button" aria-disabled={action.isBusy.value} onClick={() => void keepAlive()}>
              Keep alive
            </button>
            <input
              inputMode="decimal"
              aria-label="Seconds to keep it alive for"
              placeholder={`${pool.ttl_seconds} s`}
              value={length.value}
              onInput={({ currentTarget }) => (length.value = currentTarget.value)}
            />
          </div>
        )}
        {lease !== null && (pool.kind !== 'listed' || mayList) && (
          <button type="button" class="button danger-quiet" onClick={() => (isRevoking.value = true)}>
            Revoke…
          </button>
        )}
        {mayDisable && (
          <button type="button" class="button danger-quiet" onClick={() => (isDisabling.value = true)}>
            Disable…
          </button>
        )}
        {mayDelete && (
          <button type="button" class="button danger-quiet" onClick={() => (isDeleting.value = true)}>
            Delete…
          </button>
        )}
      </div>
      {lease !== null && !pool.renewable && (
        <p class="note">Leases of this pool cannot be kept alive: they end after {duration(pool.ttl_seconds)}.</p>
      )}
      {problem !== null && !(wantsHandle && problem.code === 'lease_handle_required') && (
        <Problem onClose={action.forget}>{problem.message}</Problem>
      )}
      {isRevoking.value && lease !== null && (
        <RevokeDialog token={token} lease={lease} onClose={() => (isRevoking.value = false)} />
      )}
      {isReporting.value && lease !== null && (
        <ReportDialog token={token} claim={claim} onClose={() => (isReporting.value = false)} />
      )}
      {isDisabling.value && <DisableDialog token={token} lease={lease} onClose={() => (isDisabling.value = false)} />}
      {isDeleting.value && (
        <DeleteDialog
          token={token}
          lease={lease}
          onDraining={pool.kind === 'listed' ? onDraining : null}
          onClose={() => (isDeleting.value = false)}
        />
      )}
    </section>
  );
}

interface RevokeProps {
  readonly token: TokenState;
  readonly lease: Lease;
  readonly onClose: () => void;
}

function RevokeDialog({ token, lease, onClose }: RevokeProps) {
  const action = useAction();
  const note = useSignal('');
  // The fence names the lease that the reader sees, so that a successor keeps the token.
  const revoke = async (): Promise<void> => {
    const claim = { fence: lease.fence, force: true, ...(note.value.trim() !== '' && { note: note.value.trim() }) };
    if (await action.run(() => api.release(token.id, claim))) onClose();
  };
  const problem = action.problem.value;
  const ofNote = problemOf(problem, 'note');
  return (
    <Dialog
      title={`Revoke the lease of ${nameOf(token)}`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={problem}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void revoke();
        }}
      >
        <p>
          <Who lease={lease} /> holds it and <strong>loses it at once</strong>. The token is free then.
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
            Revoke
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

interface ReportProps {
  readonly token: TokenState;
  /** Names the lease. */
  readonly claim: () => Claim;
  readonly onClose: () => void;
}

type Condition = NonNullable<Claim['condition']>;

/** Releases a lease, and says what state the token is in. */
function ReportDialog({ token, claim, onClose }: ReportProps) {
  const action = useAction();
  const condition = useSignal<Condition>(token.lease?.isCleaning ? 'ok' : 'dirty');
  const note = useSignal('');
  const report = async (event: Event): Promise<void> => {
    event.preventDefault();
    const said = { condition: condition.value, ...(note.value.trim() !== '' && { note: note.value.trim() }) };
    if (await action.run(() => api.release(token.id, { ...claim(), ...said }))) onClose();
  };
  const problem = action.problem.value;
  const ofNote = problemOf(problem, 'note');
  return (
    <Dialog
      title={`Release ${nameOf(token)} with a report`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={problem}
    >
      <form class="form" onSubmit={(event) => void report(event)}>
        <ChoiceField
          label="The token is"
          name="condition"
          value={condition.value}
          onValue={(value) => (condition.value = value)}
          choices={[
            { value: 'ok', label: 'All right', help: 'The next user may have it.' },
            { value: 'dirty', label: 'Dirty', help: 'Nobody gets it until somebody has cleaned it.' },
            { value: 'broken', label: 'Broken', help: 'It is out of service until somebody enables it.' },
          ]}
        />
        <InputField
          label="Note"
          value={note.value}
          onValue={(value) => (note.value = value)}
          problem={ofNote}
          help="What is wrong with it. It stays with the event."
        />
        {problem && ofNote === null && <Problem>{problem.message}</Problem>}
        <DialogFoot>
          <button type="submit" class="button primary" aria-disabled={action.isBusy.value}>
            Release
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

interface DisableProps {
  readonly token: TokenState;
  readonly lease: Lease | null;
  readonly onClose: () => void;
}

function DisableDialog({ token, lease, onClose }: DisableProps) {
  const action = useAction();
  const reason = useSignal('');
  const disable = async (when: 'now' | 'when_free'): Promise<void> => {
    if (await action.run(() => api.disable(token.id, reason.value.trim(), when))) onClose();
  };
  const problem = action.problem.value;
  const ofReason = problemOf(problem, 'reason');
  return (
    <Dialog
      title={`Take ${nameOf(token)} out of service`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={problem}
    >
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void disable('now');
        }}
      >
        <p>
          Nobody gets it until somebody enables it again.
          {lease !== null && (
            <>
              {' '}
              <Who lease={lease} /> holds it, and <strong>loses it at once</strong> or keeps it to the end of the lease.
            </>
          )}
        </p>
        <InputField
          label="Reason"
          value={reason.value}
          onValue={(value) => (reason.value = value)}
          problem={ofReason}
          help="Everybody who looks at the token sees it."
        />
        {problem && ofReason === null && <Problem>{problem.message}</Problem>}
        <DialogFoot>
          {lease !== null && (
            <button
              type="button"
              class="button"
              aria-disabled={action.isBusy.value}
              onClick={() => void disable('when_free')}
            >
              Disable when free
            </button>
          )}
          <button type="submit" class="button danger" aria-disabled={action.isBusy.value}>
            {lease === null ? 'Disable' : 'End the lease and disable'}
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

const Who = ({ lease: { userId, holder } }: { readonly lease: Lease }) =>
  userId === null ? (
    <>Somebody</>
  ) : (
    <>
      User <UserId id={userId} holder={holder} />
    </>
  );

interface DeleteProps {
  readonly token: TokenState;
  readonly lease: Lease | null;
  /** Null where a held token can only be deleted at once. */
  readonly onDraining: (() => void) | null;
  readonly onClose: () => void;
}

function DeleteDialog({ token, lease, onDraining, onClose }: DeleteProps) {
  const action = useAction();
  // The request forces the deletion only after the dialog has shown who loses the token.
  const remove = async (): Promise<void> => {
    if (await action.run(() => api.delete(token.id, lease !== null))) onClose();
  };
  const removeWhenFree = async (): Promise<void> => {
    const worked = await action.run(async () => {
      const { deleted } = await api.deleteWhenFree(token.id);
      if (!deleted) onDraining?.();
    });
    if (worked) onClose();
  };
  return (
    <Dialog
      title={`Delete token ${nameOf(token)}`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={action.problem.value}
    >
      <p>
        {lease === null ? (
          'The token is free. It goes, and its past stays readable.'
        ) : (
          <>
            <Who lease={lease} /> holds it and <strong>loses it at once</strong>. The token goes, and its past stays
            readable.
            {onDraining && ' Deleted when free, it goes at the end of its lease, and nobody gets it after that.'}
          </>
        )}
      </p>
      {action.problem.value && <Problem>{action.problem.value.message}</Problem>}
      <DialogFoot>
        {lease !== null && onDraining && (
          <button
            type="button"
            class="button"
            aria-disabled={action.isBusy.value}
            onClick={() => void removeWhenFree()}
          >
            Delete when free
          </button>
        )}
        <button type="button" class="button danger" aria-disabled={action.isBusy.value} onClick={() => void remove()}>
          {lease === null ? 'Delete' : 'End the lease and delete'}
        </button>
      </DialogFoot>
    </Dialog>
  );
}
