// What an import will change: the things of a file against the tokens of the pool.

import type { GivenThing } from '../api.js';
import type { TokenState } from '../live/pool-state.js';
import { differencesOf } from '../words.js';

type Named = Pick<TokenState, 'id' | 'name' | 'attributes' | 'lease'>;

export interface Difference {
  readonly added: readonly GivenThing[];
  /** Each with the words for what differs: "os 14 → 15". */
  readonly changed: readonly { readonly thing: GivenThing; readonly words: string }[];
  /** Without a difference that can be seen. A secret may differ: the page does not know those of the pool. */
  readonly unchanged: readonly GivenThing[];
  /** The tokens of the pool that the file leaves out. */
  readonly left: readonly Named[];
}

export function differenceOf(things: readonly GivenThing[], tokens: readonly Named[]): Difference {
  const byName = new Map(tokens.map((token) => [token.name, token]));
  const [added, changed, unchanged]: [GivenThing[], { thing: GivenThing; words: string }[], GivenThing[]] = [
    [],
    [],
    [],
  ];
  for (const thing of things) {
    const token = byName.get(thing.name);
    if (token === undefined) {
      added.push(thing);
      continue;
    }
    byName.delete(thing.name);
    // Attributes that are left out stay.
    const words = differencesOf(token.attributes, thing.attributes ?? token.attributes).join(', ');
    if (words === '') unchanged.push(thing);
    else changed.push({ thing, words });
  }
  return { added, changed, unchanged, left: [...byName.values()] };
}
