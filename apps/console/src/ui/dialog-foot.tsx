// The foot of a dialog: one button that leaves it, and one that does its work.

import type { ComponentChildren } from 'preact';
import { useLeave } from './dialog.js';

interface Props {
  /** The label of the button that leaves: "Cancel", "Stop", "Close". */
  readonly leave?: string;
  readonly children?: ComponentChildren;
}

export function DialogFoot({ leave = 'Cancel', children }: Props) {
  return (
    <footer class="dialog-foot">
      <button type="button" class="button" onClick={useLeave()}>
        {leave}
      </button>
      {children}
    </footer>
  );
}
