// Adds a thing to a listed pool, or changes the name and the attributes of one.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { api, type Pool, type ThingChange } from '../api.js';
import type { TokenState } from '../live/pool-state.js';
import { Dialog } from '../ui/dialog.js';
import { DialogFoot } from '../ui/dialog-foot.js';
import { InputField, problemOf } from '../ui/field.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import { differencesOf } from '../words.js';
import { PairsField, pairsOf, valuesIn, type Pair } from './pairs.js';

interface Props {
  readonly pool: Pool;
  /** The token to change; without it the dialog adds one. */
  readonly token?: TokenState;
  /** Announces the result to screen readers. */
  readonly say: (words: string) => void;
  readonly onClose: () => void;
}

export function ThingDialog({ pool, token, say, onClose }: Props) {
  const action = useAction();
  // Others may change the thing meanwhile. The form sends only what differs from what it began with.
  const opened = useRef(token && { name: token.name ?? '', attributes: token.attributes }).current;
  const name = useSignal(opened?.name ?? '');
  const attributes = useSignal<readonly Pair[]>(pairsOf(opened?.attributes ?? {}));
  const secret = useSignal<readonly Pair[]>([]);
  const ownProblem = useSignal<{ readonly field: string; readonly words: string } | null>(null);
  const problem = action.problem.value;
  const problemAt = (field: string): string | null =>
    ownProblem.value?.field === field ? ownProblem.value.words : problemOf(problem, field);
  const ofName = problem?.code === 'token_exists' ? problem.message : problemAt('name');
  const isElsewhere = problem !== null && ofName === null && !problemAt('attributes') && !problemAt('secret');

  const given = (field: 'attributes' | 'secret', pairs: readonly Pair[]): ReturnType<typeof valuesIn> | null => {
    try {
      return valuesIn(pairs);
    } catch (error) {
      ownProblem.value = { field, words: (error as RangeError).message };
      return null;
    }
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    ownProblem.value = null;
    const values = given('attributes', attributes.value);
    const ofSecret = given('secret', secret.value);
    if (values === null || ofSecret === null) return;
    const worked = await action.run(async () => {
      if (opened === undefined) {
        const hasSecret = Object.keys(ofSecret).length > 0;
        await api.add(pool.name, { name: name.value, attributes: values, ...(hasSecret && { secret: ofSecret }) });
        return say(`${name.value} added`);
      }
      const change: ThingChange = {
        ...(name.value !== opened.name && { name: name.value }),
        ...(differencesOf(opened.attributes, values).length > 0 && { attributes: values }),
      };
      if (Object.keys(change).length > 0) await api.change(token!.id, change);
      say(`${name.value} changed`);
    });
    if (worked) onClose();
  };

  return (
    <Dialog
      title={opened ? `Change ${opened.name}` : `Add to ${pool.name}`}
      onClose={onClose}
      isBusy={action.isBusy.value}
      refusal={ownProblem.value ?? problem}
    >
      <form class="form" noValidate onSubmit={(event) => void submit(event)}>
        <InputField
          label="Name"
          value={name.value}
          onValue={(value) => (name.value = value)}
          problem={ofName}
          help="What people call the thing: a phone number, a device, an account. Once in the pool."
        />
        <PairsField
          label="Attributes"
          isTyped
          pairs={attributes.value}
          onPairs={(pairs) => (attributes.value = pairs)}
          problem={problemAt('attributes')}
          help="Shown to everybody who may read. Requests may select by them."
        />
        {!opened && (
          <PairsField
            label="Secret"
            pairs={secret.value}
            onPairs={(pairs) => (secret.value = pairs)}
            problem={problemAt('secret')}
            help="Shown to who holds the thing, and to nobody else: a password, a PIN."
          />
        )}
        {isElsewhere && <Problem>{problem.message}</Problem>}
        <DialogFoot>
          <button type="submit" class="button primary" aria-disabled={action.isBusy.value}>
            {opened ? 'Change' : 'Add'}
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
