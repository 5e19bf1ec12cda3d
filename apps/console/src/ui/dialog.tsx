// A modal question or form: the browser's own dialog element, which traps the focus. It asks before it discards input,
// and stays open while its request is under way.

import { createContext, type ComponentChildren } from 'preact';
import { useSignal } from '@preact/signals';
import { useContext, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from './icon.js';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly wide?: boolean;
  /** A request is under way. The dialog then stays open, because nothing can recall the request. */
  readonly isBusy?: boolean;
  /** Stops the work; set when leaving a busy dialog can do so. */
  readonly onStop?: () => void;
  /** The work is done, so that closing the dialog loses no input. */
  readonly isDone?: boolean;
  /** A new value other than null moves the focus to the first refused field. */
  readonly refusal?: unknown;
  readonly children: ComponentChildren;
}

const Leave = createContext<() => void>(() => undefined);

/** Closes the surrounding dialog, as Escape does. */
export const useLeave = (): (() => void) => useContext(Leave);

const FIELD = 'form :is(input:not([type="radio"]), textarea)';
const REFUSED = '.field:has(.field-problem) :is(input, textarea), .problem';

/** The dialog is open while it is rendered. */
export function Dialog({ title, onClose, wide = false, isBusy, onStop, isDone, refusal = null, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isPressedOutside = useRef(false);
  const isDirty = useRef(false);
  const editing = useRef<Element | null>(null);
  const isAsking = useSignal(false);
  const heading = useId();
  useLayoutEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    // A form focuses its first field, a question its harmless answer.
    dialog.current?.querySelector<HTMLElement>(`${FIELD}, .dialog-foot button`)?.focus();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  useLayoutEffect(() => {
    if (refusal === null) return;
    const first = dialog.current?.querySelector<HTMLElement>(REFUSED);
    first?.focus({ preventScroll: true });
    (first?.closest('.field') ?? first)?.scrollIntoView({ block: 'center' });
  }, [refusal]);

  const leave = (): void => {
    if (isBusy === true) onStop?.();
    else if (isDirty.current && isDone !== true) ask();
    else onClose();
  };
  const ask = (): void => {
    if (isAsking.peek()) return;
    editing.current = document.activeElement;
    isAsking.value = true;
  };
  const stay = (): void => {
    isAsking.value = false;
    if (editing.current instanceof HTMLElement) editing.current.focus();
  };
  return (
    <dialog
      ref={dialog}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={heading}
      onInput={() => (isDirty.current = true)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        if (isAsking.peek()) stay();
        else leave();
      }}
      onCancel={(event) => {
        event.preventDefault();
        leave();
      }}
      onClose={onClose}
      onPointerDown={({ target }) => (isPressedOutside.current = target === dialog.current)}
      onClick={({ target }) => {
        // Selecting text with the mouse may end on the backdrop; that click must not close the dialog.
        if (target === dialog.current && isPressedOutside.current) leave();
      }}
    >
      <Leave.Provider value={leave}>
        <div class="dialog-body">
          <header class="dialog-head">
            <h2 id={heading}>{title}</h2>
            <button type="button" class="icon-button" onClick={leave}>
              <Icon name="close" />
              <span class="unseen">Close</span>
            </button>
          </header>
          {children}
          {isAsking.value && <Question onStay={stay} onDiscard={onClose} />}
        </div>
      </Leave.Provider>
    </dialog>
  );
}

function Question({ onStay, onDiscard }: { readonly onStay: () => void; readonly onDiscard: () => void }) {
  const stay = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => stay.current?.focus(), []);
  return (
    <div class="problem" role="alert">
      <Icon name="alert" />
      <div class="grow">
        <p>What you typed will be lost.</p>
        <div class="buttons">
          <button ref={stay} type="button" class="button small" onClick={onStay}>
            Go on editing
          </button>
          <button type="button" class="button small danger" onClick={onDiscard}>
            Discard
          </button>
        </div>
      </div>
    </div>
  );
}
