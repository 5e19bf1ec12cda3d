// The secret of a thing, for the holder of its lease. It is asked for when the reader wants to see it, and forgotten
// when they have seen it: no storage, address or list of this page contains it.

import { useSignal } from '@preact/signals';
import { api, ApiError, type Secret } from '../api.js';
import { CopyButton } from '../ui/copy-button.js';
import { Problem } from '../ui/problem.js';
import { useAction } from '../ui/use-action.js';
import './things.css';

export function SecretOfLease({ leaseId }: { readonly leaseId: string }) {
  const action = useAction();
  const shown = useSignal<Secret | null>(null);
  const show = () =>
    action.run(async () => {
      const { valid, secret } = await api.verify(leaseId);
      if (!valid || !secret) throw new ApiError('token_not_active', 'the lease is over, or has no secret');
      shown.value = secret;
    });
  return (
    <div class="secret">
      <div class="secret-line">
        <span class="note">secret</span> {shown.value === null && <span aria-hidden="true">••••••••</span>}
        <button
          type="button"
          class="button small"
          aria-expanded={shown.value !== null}
          aria-disabled={action.isBusy.value}
          onClick={() => (shown.value === null ? void show() : (shown.value = null))}
        >
          {shown.value === null ? 'Show the secret' : 'Hide the secret'}
        </button>
      </div>
      {shown.value !== null && (
        <dl class="pairs">
          {Object.entries(shown.value).map(([key, value]) => {
            const text = typeof value === 'string' ? value : JSON.stringify(value);
            return (
              <div key={key}>
                <dt>{key}</dt>
                <dd>
                  <code>{text}</code> <CopyButton text={text} what={key} />
                </dd>
              </div>
            );
          })}
        </dl>
      )}
      {action.problem.value && <Problem onClose={action.forget}>{action.problem.value.message}</Problem>}
    </div>
  );
}
