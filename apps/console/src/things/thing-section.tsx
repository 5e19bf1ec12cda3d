// The thing that a token stands for: its attributes, and what may be changed of it.

import { useSignal } from '@preact/signals';
import type { Pool } from '../api.js';
import type { TokenState } from '../live/pool-state.js';
import { SecretDialog } from './secret-dialog.js';
import { ThingDialog } from './thing-dialog.js';
import './things.css';

interface Props {
  readonly pool: Pool;
  readonly token: TokenState;
  /** Whether the reader may change the things of this pool. */
  readonly mayList: boolean;
  readonly say: (words: string) => void;
}

export function ThingSection({ pool, token, mayList, say }: Props) {
  const dialog = useSignal<'edit' | 'secret' | null>(null);
  const close = (): void => void (dialog.value = null);
  const attributes = Object.entries(token.attributes);
  return (
    <section class="thing" aria-label="Attributes">
      {attributes.length === 0 ? (
        <p class="note">It has no attributes.</p>
      ) : (
        <dl class="pairs">
          {attributes.map(([key, value]) => (
            <div key={key}>
              <dt>{key}</dt>
              <dd>{String(value)}</dd>
            </div>
          ))}
        </dl>
      )}
      {mayList && (
        <div class="buttons">
          <button type="button" class="button small" onClick={() => (dialog.value = 'edit')}>
            Edit…
          </button>
          <button type="button" class="button small" onClick={() => (dialog.value = 'secret')}>
            Change the secret…
          </button>
        </div>
      )}
      {dialog.value === 'edit' && <ThingDialog pool={pool} token={token} say={say} onClose={close} />}
      {dialog.value === 'secret' && <SecretDialog token={token} onClose={close} />}
    </section>
  );
}
