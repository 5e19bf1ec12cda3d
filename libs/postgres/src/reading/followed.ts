// An event in a statement's result that also tells whether another one follows (`bounded` in schema/fragments.ts).

import type { OwnedEvent } from '@app/tokens';

/** An event, and whether the query has found another one after it. */
export type Followed = OwnedEvent & { is_followed: true | null };

export const ofFollowed = ({ is_followed: _, ...event }: Followed): OwnedEvent => event;
