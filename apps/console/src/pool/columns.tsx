// The columns of the list of tokens: what each shows, and by what it sorts.

import type { ComponentChildren } from 'preact';
import { isHeld, statusOf, type Lease, type Status, type TokenState } from '../live/pool-state.js';
import { choose } from '../location.js';
import { UserId } from '../ui/id.js';
import { Time, TimeLeft, TimePassed } from '../ui/time.js';
import { number } from '../words.js';
import { natural, type SortBy } from './order.js';
import { StatusBadge } from './status-badge.js';

export interface Column {
  /** Its name in the address. */
  readonly key: string;
  readonly title: string;
  readonly class?: string;
  readonly sortBy: SortBy;
  /** Whether what it sorts by stays the same until a thing changes. */
  readonly isStill: boolean;
  /** @param lease null while the token is free */
  readonly cell: (token: TokenState, lease: Lease | null, at: At) => ComponentChildren;
}

export interface At {
  readonly now: number;
  readonly fullMs: number;
  readonly isNext: boolean;
}

/** More attributes than these are in the panel of a token. */
const MOST_ATTRIBUTES = 8;

const leaseOf = (token: TokenState, now: number): Lease | null => (isHeld(token, now) ? token.lease : null);

export const NAME: Omit<Column, 'cell'> = {
  key: 'name',
  title: 'Token',
  sortBy: ({ name, id }) => (name === null ? id : natural(name)),
  isStill: true,
};

/** What needs somebody first. */
const ORDER: readonly Status[] = ['disabled', 'dirty', 'cleaning', 'cooling', 'active', 'available'];

export const STATE: Column = {
  key: 'state',
  title: 'State',
  sortBy: (token, now) => ORDER.indexOf(statusOf(token, now)),
  isStill: false,
  cell: (token, _, { isNext, now }) => (
    <>
      <StatusBadge status={statusOf(token, now)} />
      {isNext && <span class="badge next">next out</span>}
      {token.isDraining && <span class="badge deleted">leaving</span>}
    </>
  ),
};

export const USER: Column = {
  key: 'user',
  title: 'User',
  sortBy: (token, now) => {
    const lease = leaseOf(token, now);
    return lease === null ? null : natural(lease.holder ?? lease.userId ?? '');
  },
  isStill: false,
  cell: (_, lease) => lease && <UserId id={lease.userId} holder={lease.holder} />,
};

export const LEFT: Column = {
  key: 'left',
  title: 'Time left',
  sortBy: (token, now) => leaseOf(token, now)?.expiresAt ?? null,
  isStill: false,
  cell: (_, lease, { now, fullMs }) =>
    lease && (
      <span class="left">
        <span class="left-bar" aria-hidden="true">
          <span style={{ width: `${Math.min((lease.expiresAt - now) / fullMs, 1) * 100}%` }} />
        </span>
        <TimeLeft until={lease.expiresAt} />
      </span>
    ),
};

export const OF_LEASE: readonly Column[] = [
  {
    key: 'held',
    title: 'Held for',
    class: 'wide',
    sortBy: (token, now) => {
      const lease = leaseOf(token, now);
      return lease === null ? null : -lease.activatedAt;
    },
    isStill: false,
    cell: (_, lease) => lease && <TimePassed since={lease.activatedAt} />,
  },
  {
    key: 'since',
    title: 'Since',
    class: 'wide',
    sortBy: (token, now) => leaseOf(token, now)?.activatedAt ?? null,
    isStill: false,
    cell: (_, lease) => lease && <Time at={new Date(lease.activatedAt).toISOString()} />,
  },
  {
    key: 'fence',
    title: 'Fence',
    class: 'wide number',
    sortBy: (token, now) => leaseOf(token, now)?.fence ?? null,
    isStill: false,
    cell: (_, lease) => lease && number(lease.fence),
  },
];

const ofAttribute = (key: string): Column => ({
  key: filterOf(key),
  title: key,
  sortBy: ({ attributes: { [key]: value } }) => {
    if (value === undefined) return null;
    return typeof value === 'number' ? value : natural(String(value));
  },
  isStill: true,
  cell: ({ attributes: { [key]: value } }) =>
    value !== undefined && (
      <button
        type="button"
        class="value"
        title={`Show only tokens whose ${key} is ${value}`}
        onClick={() => choose({ [filterOf(key)]: String(value) })}
      >
        {String(value)}
      </button>
    ),
});

/** The parameter of the address that filters by an attribute: as in the API. */
export const filterOf = (key: string): string => `attribute.${key}`;

/** A column for each attribute, those of the most tokens first. */
export function ofAttributes(tokens: readonly TokenState[]): Column[] {
  const counts = new Map<string, number>();
  for (const { attributes } of tokens) {
    for (const key of Object.keys(attributes)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const keys = [...counts].sort(([, a], [, b]) => b - a).map(([key]) => key);
  return keys.slice(0, MOST_ATTRIBUTES).map(ofAttribute);
}
