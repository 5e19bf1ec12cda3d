// How a dialog ends: without anything done, or by the one button that does it.

import type { ComponentChildren } from 'preact';

interface Props {
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function DialogFoot({ onClose, children }: Props) {
  return (
    <footer class="dialog-foot">
      <button type="button" class="button" onClick={onClose}>
        Cancel
      </button>
      {children}
    </footer>
  );
}
