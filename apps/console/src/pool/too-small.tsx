// A warning about leases that were evicted younger than a minute: the pool is too small for its users.

import type { Pool } from '../api.js';
import { Banner } from '../banner.js';
import type { Summary } from '../live/event-log.js';
import { count, duration } from '../words.js';

interface Props {
  readonly pool: Pool;
  readonly summary: Summary;
  readonly period: string;
  readonly onChange: () => void;
}

export function TooSmall({ pool, summary: { youngEvictions, youngest }, period, onChange }: Props) {
  if (youngEvictions === 0) return null;
  const were = youngEvictions === 1 ? 'was' : 'were';
  return (
    <Banner kind="warning">
      <strong>This pool is too small for its users.</strong> In the last {period}, {count(youngEvictions, 'lease')}{' '}
      younger than a minute {were} evicted to serve somebody else
      {youngest !== null && <>, the youngest after {duration(youngest / 1000)}</>}. {count(pool.size, 'token')}{' '}
      {pool.size === 1 ? 'does' : 'do'} not suffice.{' '}
      <button type="button" class="link" onClick={onChange}>
        Make it larger
      </button>
    </Banner>
  );
}
