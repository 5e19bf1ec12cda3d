// A message about the whole page, above its content.

import type { ComponentChildren } from 'preact';
import { Icon } from './ui/icon.js';

interface Props {
  readonly kind?: 'bad' | 'warning';
  readonly children: ComponentChildren;
}

export function Banner({ kind = 'bad', children }: Props) {
  return (
    <div class={`banner ${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
      <Icon name="alert" />
      <div class="grow">{children}</div>
    </div>
  );
}
