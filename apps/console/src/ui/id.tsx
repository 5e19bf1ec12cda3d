// Ids that people can tell apart: the first part, a small picture made of all of it, the whole on hover.

import { shortId } from '../words.js';
import { CopyButton } from './copy-button.js';

interface Props {
  readonly id: string;
  readonly copy?: boolean;
}

export function UserId({ id, copy = false }: Props) {
  return (
    <span class="id" title={`user ${id}`}>
      <span class="face" aria-hidden="true" style={{ '--hue': String(hueOf(id)) }} />
      <code>{shortId(id)}</code>
      {copy && <CopyButton text={id} what="the user id" />}
    </span>
  );
}

/** The same id always has the same colour. */
function hueOf(id: string): number {
  let sum = 0;
  for (let i = 0; i < id.length; i++) sum = (sum * 31 + id.charCodeAt(i)) % 360;
  return sum;
}
