// Replaces or removes the secret of a thing. The dialog never shows the one that is there.

import { useSignal } from '@preact/signals';
import { api, type Secret } from '../api.js';
import type { TokenState } from '../live/pool-state.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import { nameOf } from '../words.js';
import { PairsField, valuesIn, type Pair } from './pairs.js';

interface Props {
  readonly token: TokenState;
  readonly onClose: () => void;
}

export function SecretDialog({ token, onClose }: Props) {
  const action = useAction();
  const pairs = useSignal<readonly Pair[]>([{ key: '', value: '', type: 'text' }]);
  const ownProblem = useSignal<string | null>(null);
  const put = async (secret: Secret | null): Promise<void> => {
    if (await action.run(() => api.change(token.id, { secret }))) onClose();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    try {
      const secret = valuesIn(pairs.value);
      ownProblem.value = Object.keys(secret).length === 0 ? 'enter at least one value' : null;
      if (ownProblem.value === null) void put(secret);
    } catch (error) {
      ownProblem.value = (error as RangeError).message;
    }
  };
  const problem = action.problem.value;
  return (
    <Dialog
      title={`Change the secret of ${nameOf(token)}`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={ownProblem.value ?? problem}
    >
      <form class="form" noValidate onSubmit={submit}>
        <PairsField
          label="Secret"
          pairs={pairs.value}
          onPairs={(changed) => (pairs.value = changed)}
          problem={ownProblem.value}
          help="It replaces the one that is there, which nobody but a holder is shown. Who holds the thing now can ask for the new one."
        />
        {problem && <Problem>{problem.message}</Problem>}
        <DialogFoot>
          <button
            type="button"
            class="button danger-quiet"
            aria-disabled={action.isBusy.value}
            onClick={() => void put(null)}
          >
            Remove the secret
          </button>
          <button type="submit" class="button primary" aria-disabled={action.isBusy.value}>
            Change the secret
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
