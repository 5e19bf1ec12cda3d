// What the routes of pools take.

import {
  MAX_POOL_SIZE,
  POOL_NAME,
  type Evict,
  type OnExhausted,
  type PoolKind,
  type ReleaseAuthority,
} from '@app/tokens';
import {
  BooleanField,
  DigitsField,
  PoolNameField,
  SecondsField,
  SeqField,
  TextField,
  WholeNumberField,
  WordField,
} from '../http/fields.js';

export const POOL_KINDS: readonly PoolKind[] = ['fixed', 'elastic'];
export const ON_EXHAUSTED: readonly OnExhausted[] = ['evict_oldest', 'reject'];
export const RELEASE_AUTHORITIES: readonly ReleaseAuthority[] = ['anyone', 'holder'];

export const EVICT: readonly Evict[] = ['oldest', 'over_share_first'];

export class ChangePoolBody {
  @WholeNumberField(1, MAX_POOL_SIZE, {
    optional: true,
    description: 'Tokens of a fixed pool; the most that an elastic one may have. It only grows',
    example: 100,
  })
  size?: number;

  @SecondsField({ optional: true, description: 'Length of a lease, and the most that may be asked for', example: 120 })
  ttl_seconds?: number;

  @BooleanField({ optional: true, description: 'Whether a lease can be kept alive', example: false })
  renewable?: boolean;

  @SecondsField({
    optional: true,
    nullable: true,
    description: 'No lease gets older, however often it is kept alive; null: no limit',
    example: null,
  })
  max_lifetime_seconds?: number | null;

  @SecondsField({
    optional: true,
    nullable: true,
    description: 'After how long a free token of an elastic pool is deleted; null: never',
    example: null,
  })
  idle_ttl_seconds?: number | null;

  @WordField(ON_EXHAUSTED, 'OnExhausted', { optional: true, description: 'What happens when no token is free' })
  on_exhausted?: OnExhausted;

  @WordField(RELEASE_AUTHORITIES, 'ReleaseAuthority', {
    optional: true,
    description: 'Who may release and renew: whoever knows the token, or only who has the `lease_id`',
  })
  release_authority?: ReleaseAuthority;

  @WholeNumberField(1, MAX_POOL_SIZE, {
    optional: true,
    nullable: true,
    description: 'Open leases that a user may hold; one more is refused with 429 `quota_exceeded`. null: no limit',
    example: null,
  })
  max_per_user?: number | null;

  @WholeNumberField(1, MAX_POOL_SIZE, {
    optional: true,
    nullable: true,
    description: 'The same for the leases that were taken with one API key, whoever their users are. null: no limit',
    example: null,
  })
  max_per_key?: number | null;

  @SecondsField({
    optional: true,
    nullable: true,
    description:
      'A lease younger than this is never evicted: while it is the turn of such a one, a full pool answers 409 ' +
      '`pool_exhausted`. null: any may be evicted. Counts only with `on_exhausted: evict_oldest`',
    example: null,
  })
  protect_seconds?: number | null;

  @WordField(EVICT, 'Evict', {
    optional: true,
    description:
      'Whose lease a full pool evicts: the oldest of all, or the oldest of the user who holds the most. ' +
      'Counts only with `on_exhausted: evict_oldest`',
  })
  evict?: Evict;
}

export class CreatePoolBody extends ChangePoolBody {
  @PoolNameField({ description: `Matches ${POOL_NAME.source}`, example: 'desks' })
  name: string;

  @WordField(POOL_KINDS, 'PoolKind', { description: 'Whether tokens are made once, or on request' })
  kind: PoolKind;
}

export class FeedQuery {
  @SeqField({
    optional: true,
    description: 'The `seq` after which to begin; 0 when left out or empty',
    example: 0,
  })
  after?: string;

  @DigitsField(1, 1000, { optional: true, description: 'Events on a page; 100 when left out', example: 100 })
  limit?: string;

  @TextField(64, {
    optional: true,
    description: 'Only what this key did; `open` or `system` for what none did',
    example: 'open',
  })
  actor?: string;

  @TextField(128, { optional: true, description: 'Only what this request did', example: 'import-7' })
  request_id?: string;
}
