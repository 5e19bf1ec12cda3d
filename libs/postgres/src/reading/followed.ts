// An event as a statement gives it that looked for one more than it gives (`bounded` in schema/fragments.ts).

import type { OwnedEvent } from '@app/tokens';

/** An event, and whether another one follows that was looked for. */
export type Followed = OwnedEvent & { is_followed: true | null };

export const ofFollowed = ({ is_followed: _, ...event }: Followed): OwnedEvent => event;
