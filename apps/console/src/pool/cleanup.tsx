// Ends all leases of a pool, after a confirmation that shows their number.

import { api, type Pool } from '../api.js';
import type { LivePool } from '../live/live-pool.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { Problem } from '../ui/problem.js';
import { seconds } from '../ui/tick.js';
import { useAction } from '../ui/use-action.js';
import { count } from '../words.js';

interface Props {
  readonly pool: Pool;
  readonly live: LivePool;
  readonly say: (words: string) => void;
  readonly onClose: () => void;
}

export function CleanupDialog({ pool, live, say, onClose }: Props) {
  const action = useAction();
  void seconds.value;
  const { held } = live.present();
  const cleanUp = async (): Promise<void> => {
    const worked = await action.run(async () => {
      const { released } = await api.cleanup(pool.name);
      say(released === 0 ? 'No lease was open' : `${count(released, 'lease')} ended`);
    });
    if (worked) onClose();
  };
  return (
    <Dialog
      title={`Clean up ${pool.name}`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={action.problem.value}
    >
      <p>
        {held === 0 ? (
          'No token of this pool is held at the moment.'
        ) : (
          <>
            This ends <strong>{count(held, 'lease')}</strong> at once. Who holds {held === 1 ? 'it' : 'one of them'}{' '}
            loses the token without being asked, and the audit says “cleanup”. It cannot be taken back.
          </>
        )}
      </p>
      {action.problem.value && <Problem>{action.problem.value.message}</Problem>}
      <DialogFoot>
        <button
          type="button"
          class="button danger"
          disabled={held === 0}
          aria-disabled={action.isBusy.value}
          onClick={() => void cleanUp()}
        >
          End {count(held, 'lease')}
        </button>
      </DialogFoot>
    </Dialog>
  );
}
