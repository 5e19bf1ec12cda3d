// A link within the console that does not reload the page.

import type { ComponentChildren } from 'preact';
import { go, hrefOf } from '../location.js';

interface Props {
  /** A path below /console. */
  readonly to: string;
  readonly class?: string;
  readonly title?: string;
  readonly current?: boolean;
  readonly children: ComponentChildren;
}

export function Link({ to, class: className, title, current = false, children }: Props) {
  const follow = (event: MouseEvent): void => {
    // A modifier key opens another tab or window, as with any link.
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={hrefOf(to)} class={className} title={title} aria-current={current ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  );
}
