// Ids that people can distinguish: the first digits, a small picture derived from the whole id, and the whole id on
// hover.

import { shownUser } from '../hidden-user.js';
import { shortId, SOMEBODY } from '../words.js';
import { CopyButton } from './copy-button.js';

interface Props {
  /** Null or the API's placeholder: the id of a user that this key may not see. */
  readonly id: string | null;
  /** The name that the user gave instead of its id; the page shows that, and the id on hover. */
  readonly holder?: string | null;
  readonly copy?: boolean;
}

export function UserId({ id: received, holder = null, copy = false }: Props) {
  const id = shownUser(received);
  if (id === null)
    return <span title="Only the key of a lease and keys that may operate see its user">{SOMEBODY}</span>;
  return (
    <span class="id" title={`user ${id}`}>
      <span class="face" aria-hidden="true" style={{ '--hue': String(hueOf(id)) }} />
      {holder === null ? <code>{shortId(id)}</code> : <span class="holder-name">{holder}</span>}
      {copy && <CopyButton text={holder ?? id} what={holder === null ? 'the user id' : 'the name of the holder'} />}
    </span>
  );
}

interface TokenProps {
  readonly id: string;
  /** The name of the thing; null where there is none, or it is unknown. */
  readonly name: string | null;
}

/** What people call a token: its name, in a listed pool; elsewhere the first digits of its id. */
export const TokenName = ({ id, name }: TokenProps) =>
  name === null ? <code>{shortId(id)}</code> : <span class="token-name">{name}</span>;

/** Deterministic: the same id always gets the same colour. */
function hueOf(id: string): number {
  let sum = 0;
  for (let i = 0; i < id.length; i++) sum = (sum * 31 + id.charCodeAt(i)) % 360;
  return sum;
}
