// Asks for the API key when the service refuses a request without one.

import { useSignal } from '@preact/signals';
import { declineKey, givenKey, useKey } from '../key.js';
import { Dialog } from './dialog.js';
import { DialogFoot } from './dialog-foot.js';
import { Field } from './field.js';

const REFUSED = 'The service does not accept the key that was given: it is wrong, expired or revoked.';

export function KeyDialog() {
  const text = useSignal('');
  const problem = useSignal(givenKey.peek() === null ? null : { words: REFUSED });
  const give = (): void => {
    const given = text.value.trim();
    if (/^tp_[\x21-\x7e]+$/.test(given)) useKey(given);
    else problem.value = { words: 'A key begins with tp_ and has no spaces.' };
  };
  return (
    <Dialog title="API key" onClose={declineKey} refusal={problem.value}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          give();
        }}
      >
        <Field
          label="Key"
          help="This service answers only who has a key. It is kept in this tab until you close it, and sent to this service alone."
          problem={problem.value?.words ?? null}
        >
          {({ id, describedBy, isInvalid }) => (
            <div class="input">
              <input
                id={id}
                class="mono"
                type="password"
                value={text.value}
                autocomplete="off"
                spellcheck={false}
                aria-describedby={describedBy}
                aria-invalid={isInvalid}
                onInput={({ currentTarget }) => (text.value = currentTarget.value)}
              />
            </div>
          )}
        </Field>
        <DialogFoot>
          <button type="submit" class="button primary">
            Use this key
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
