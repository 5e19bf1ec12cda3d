// The filter of a pool's tokens.

import { isHeld, NOT_READY, statusOf, type Lease, type TokenState } from '../live/pool-state.js';

/** `out`: neither held by a user nor free. */
export const SHOWN = ['all', 'held', 'free', 'out', 'mine'] as const;
export type Shown = (typeof SHOWN)[number];

export interface Filter {
  readonly shown: Shown;
  /** A part of the id of a token, of its name, of one of its attributes, or of its holder. */
  readonly text: string;
  /** Attributes that a token must have, with their values as text. */
  readonly attributes: readonly (readonly [key: string, value: string])[];
}

export const isEmpty = ({ shown, text, attributes }: Filter): boolean =>
  shown === 'all' && text === '' && attributes.length === 0;

/** Whether a part of a text, in small letters, is in the user's id or name. */
export const isOf = ({ userId, holder }: Pick<Lease, 'userId' | 'holder'>, part: string): boolean =>
  userId?.includes(part) === true || holder?.toLowerCase().includes(part) === true;

/** @param mine the fences of the leases that this tab allocated */
export function matcher({ shown, text, attributes }: Filter, now: number, mine: ReadonlySet<number>) {
  const part = text.trim().toLowerCase();
  return (token: TokenState): boolean => {
    const held = isHeld(token, now);
    if (shown === 'held' && !(held && !token.lease!.isCleaning)) return false;
    if (shown === 'free' && statusOf(token, now) !== 'available') return false;
    if (shown === 'out' && !(NOT_READY as readonly string[]).includes(statusOf(token, now))) return false;
    if (shown === 'mine' && !(held && mine.has(token.lease!.fence))) return false;
    if (!attributes.every(([key, value]) => String(token.attributes[key] ?? '') === value)) return false;
    return part === '' || token.id.includes(part) || token.words.includes(part) || (held && isOf(token.lease!, part));
  };
}
