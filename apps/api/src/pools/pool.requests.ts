// The bodies and queries of the pool routes.

import { POOL_KINDS, POOL_NAME, type PoolKind, type WirePolicy } from '@app/tokens';
import { DigitsField, FlagField, PoolNameField, SeqField, TextField, WordField } from '../http/fields.js';
import { requested, withPolicy } from './policy-fields.js';

export class ChangePoolBody extends withPolicy<Partial<WirePolicy>>(requested) {}

export class CreatePoolBody extends ChangePoolBody {
  @PoolNameField({ description: `Matches ${POOL_NAME.source}`, example: 'desks' })
  name: string;

  @WordField(POOL_KINDS, 'PoolKind', { description: 'Whether tokens are made once, or on request' })
  kind: PoolKind;
}

export class DeletePoolQuery {
  @FlagField({
    optional: true,
    description: 'Whether open leases are ended first; a pool with some is refused otherwise',
  })
  force?: 'true' | 'false';
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
