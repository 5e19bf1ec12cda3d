// Copies a text to the clipboard, and confirms it.

import { useSignal } from '@preact/signals';
import { Icon } from './icon.js';

interface Props {
  readonly text: string;
  /** Names the text for the label: "the handle". */
  readonly what: string;
}

export function CopyButton({ text, what }: Props) {
  const outcome = useSignal<'copied' | 'failed' | null>(null);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      outcome.value = 'copied';
    } catch {
      // Only secure pages have a clipboard; elsewhere the reader can select the text.
      outcome.value = 'failed';
    }
    setTimeout(() => (outcome.value = null), 2_000);
  };
  const words = { copied: `Copied ${what}`, failed: `The browser does not let ${what} be copied` };
  return (
    <button type="button" class="icon-button small" title={`Copy ${what}`} onClick={() => void copy()}>
      <Icon name={outcome.value === 'copied' ? 'check' : outcome.value === 'failed' ? 'alert' : 'copy'} />
      <span class="unseen">Copy {what}</span>
      <span class="unseen" role="status">
        {outcome.value && words[outcome.value]}
      </span>
    </button>
  );
}
