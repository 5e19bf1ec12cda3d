// Shows the service's own message of an error, beside the control that caused it.

import type { ComponentChildren } from 'preact';
import { Icon } from './icon.js';

interface Props {
  readonly children: ComponentChildren;
  readonly onClose?: () => void;
}

export function Problem({ children, onClose }: Props) {
  return (
    <div class="problem" role="alert" tabIndex={-1}>
      <Icon name="alert" />
      <div class="grow">{children}</div>
      {onClose && (
        <button type="button" class="icon-button small" onClick={onClose}>
          <Icon name="close" />
          <span class="unseen">Dismiss</span>
        </button>
      )}
    </div>
  );
}
