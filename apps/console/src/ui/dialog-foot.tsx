// How a dialog ends: without anything done, or by the one button that does it.

import type { ComponentChildren } from 'preact';
import { useLeave } from './dialog.js';

interface Props {
  /** What leaving does: "Cancel", "Stop", "Close". */
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
