// What a token is, in a word and a colour.

import type { Status } from '../live/pool-state.js';
import { STATUS_WORDS } from '../words.js';

/** The class of each status: its colour, and on the board its pattern. */
export const STATUS_CLASS: Readonly<Record<Status, string>> = {
  available: 'free',
  active: 'held',
  cleaning: 'cleaning',
  cooling: 'cooling',
  dirty: 'dirty',
  disabled: 'disabled',
};

export const StatusBadge = ({ status }: { readonly status: Status }) => (
  <span class={`badge ${STATUS_CLASS[status]}`}>{STATUS_WORDS[status]}</span>
);
