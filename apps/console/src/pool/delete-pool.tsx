// Deletes a pool, after a confirmation that shows what ends with it.

import { api, type Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { go } from '../location.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { Problem } from '../ui/problem.js';
import { seconds } from '../ui/tick.js';
import { useAction } from '../ui/use-action.js';
import { count } from '../words.js';

interface Props {
  readonly pool: Pool;
  readonly live: LivePool;
  readonly onClose: () => void;
}

export function DeletePoolDialog({ pool, live, onClose }: Props) {
  const action = useAction();
  void seconds.value;
  const { held, total } = live.present();
  // The request forces the deletion only after the dialog has shown that somebody loses a token.
  const remove = async (): Promise<void> => {
    if (await action.run(() => api.deletePool(pool.name, held > 0))) go('/');
  };
  return (
    <Dialog title={`Delete ${pool.name}`} onClose={onClose} isBusy={action.isBusy.value} refusal={action.problem.value}>
      <p>
        {held > 0 && (
          <>
            This ends <strong>{count(held, 'lease')}</strong> at once: who holds {held === 1 ? 'it' : 'one of them'}{' '}
            loses the token without being asked.{' '}
          </>
        )}
        The pool and its {count(total, 'token')} go. Every request to the pool is refused from then on. Its events stay
        readable, and a pool of the same name goes on with them.
      </p>
      {action.problem.value && <Problem>{action.problem.value.message}</Problem>}
      <DialogFoot>
        <button type="button" class="button danger" aria-disabled={action.isBusy.value} onClick={() => void remove()}>
          {held === 0 ? 'Delete the pool' : `End ${count(held, 'lease')} and delete the pool`}
        </button>
      </DialogFoot>
    </Dialog>
  );
}
