// The bodies and queries of the token routes.

import {
  CONDITIONS,
  TOKEN_STATUSES,
  type Attributes,
  type AttributeTexts,
  type Condition,
  type Metadata,
  type SecretValue,
  type Selector,
} from '@app/tokens';
import {
  AttributesField,
  AttributeTextsField,
  BooleanField,
  CursorField,
  DigitsField,
  FlagField,
  NameField,
  InstantField,
  MetadataField,
  NoteField,
  NumberField,
  PoolNameField,
  SecondsField,
  SecretField,
  SelectorField,
  UuidField,
  WholeNumberField,
  WordField,
} from '../http/fields.js';
import { COUNT, MAX_COUNT, MAX_WAIT_SECONDS } from '../line/ticket.requests.js';

const POOL = { optional: true, description: 'Name of the pool; `default` when left out', example: 'default' };
const TTL = {
  optional: true,
  description: 'Length of the lease; capped to the `ttl_seconds` of the pool, which is also what counts when left out',
  example: 30,
};
const MAX_PAGE = 1000;
const MAX_FENCE = Number.MAX_SAFE_INTEGER;

export class AllocateBody {
  @UuidField({ optional: true, description: 'Who will hold the token; made up when left out' })
  user_id?: string;

  @NameField({
    optional: true,
    description:
      'Who will hold the token, as people and programs name themselves; instead of `user_id`, which follows from it',
    example: 'ci-4711',
  })
  holder?: string;

  @PoolNameField(POOL)
  pool?: string;

  @UuidField({ optional: true, description: 'Only this token; refused while it is held' })
  token_id?: string;

  @NameField({
    optional: true,
    description: 'Only the token of this name, instead of `token_id`',
    example: '+49 30 901820',
  })
  name?: string;

  @SelectorField({
    optional: true,
    description:
      'Only a token with these attributes, instead of `token_id` and `name`: each equal to the value, or to one of a list; null: it ' +
      'has no such attribute',
    example: { country: 'de', os: ['14', '15'], sim: null },
  })
  select?: Selector;

  @SecondsField(TTL)
  ttl_seconds?: number;

  @MetadataField({ optional: true, description: 'Kept with the `activated` event', example: { desk: 7 } })
  metadata?: Metadata;

  @WholeNumberField(1, MAX_COUNT, COUNT)
  count?: number;

  @NumberField(0, MAX_WAIT_SECONDS, {
    optional: true,
    description:
      'For how many seconds the request may wait for its turn, in a pool with `max_waiting`; 202 with the ticket when they are over. ' +
      'Left out, it does not wait',
    example: 30,
  })
  wait_seconds?: number;
}

export class LeaseClaimBody {
  @UuidField({ optional: true, description: 'Must be that of the open lease' })
  lease_id?: string;

  @UuidField({ optional: true, description: 'Must be that of the open lease' })
  user_id?: string;

  @WholeNumberField(1, MAX_FENCE, { optional: true, description: 'Must be that of the open lease', example: 101 })
  fence?: number;
}

export class ReleaseBody extends LeaseClaimBody {
  @BooleanField({
    optional: true,
    description:
      'Takes the scope `operate`: ends the lease also where the pool has `release_authority: holder` and no `lease_id` is given, ' +
      'for the reason `revoked`. What is given beside it must match all the same',
    example: false,
  })
  force?: boolean;

  @NoteField({
    description:
      'Why it ends; kept as `note` in the metadata of the `released` event, and why a `broken` token is disabled',
    example: 'The desk is closed',
  })
  note?: string;

  @WordField(CONDITIONS, 'Condition', {
    optional: true,
    description:
      'How the token is now: `dirty` must be cleaned, `broken` is disabled. After a cleaning, `ok` makes it clean, and is what ' +
      'counts when left out',
  })
  condition?: Condition;
}

export class KeepAliveBody extends LeaseClaimBody {
  @SecondsField({
    ...TTL,
    description:
      'From now on; capped to the `ttl_seconds` of the pool. What would end the lease earlier leaves its end as it was',
  })
  ttl_seconds?: number;
}

export class PoolBody {
  @PoolNameField(POOL)
  pool?: string;
}

export class CreateTokenBody extends PoolBody {
  @NameField({
    optional: true,
    description: 'In a listed pool, and only there: unique among its tokens; in NFC',
    example: '+49 30 901820',
  })
  name?: string;

  @AttributesField({
    optional: true,
    description: 'Beside `name`: texts, numbers, true or false, shown to all who may read',
    example: { country: 'de', sms: true },
  })
  attributes?: Attributes;

  @SecretField({
    optional: true,
    nullable: true,
    description: 'Beside `name`: given to the holder and to nobody else, kept encrypted',
    example: { pin: '0000' },
  })
  secret?: SecretValue | null;
}

export class PoolQuery {
  @PoolNameField(POOL)
  pool?: string;
}

export class AsOfQuery {
  @InstantField({
    optional: true,
    description: 'The instant of which to answer, not in the future; now when left out',
    example: '2026-11-21T09:30:00Z',
  })
  as_of?: string;
}

export class DeleteQuery {
  @FlagField({ optional: true, description: 'Whether a lease is ended first; a held token is refused otherwise' })
  force?: 'true' | 'false';

  @WordField(['now', 'when_free'], 'When', {
    optional: true,
    description:
      '`now` when left out. `when_free`: a held token is deleted at the end of its lease, instead of `force`',
  })
  when?: 'now' | 'when_free';
}

export class PageQuery {
  @DigitsField(1, MAX_PAGE, { optional: true, description: 'Entries on a page; 100 when left out', example: 100 })
  limit?: string;

  @CursorField()
  cursor?: string;
}

export class TokensQuery {
  @PoolNameField(POOL)
  pool?: string;

  @UuidField({ optional: true, description: 'Only tokens that this user holds' })
  user_id?: string;

  @NameField({ optional: true, description: 'Only tokens that are held under this name', example: 'ci-4711' })
  holder?: string;

  @NameField({
    optional: true,
    description: 'Only the token of this name; only listed pools have one',
    example: '+49 30 901820',
  })
  name?: string;

  @AttributeTextsField({
    optional: true,
    description:
      'Only tokens with all of these attributes, each as `attribute.KEY=VALUE`. A value is found as text, and as the number or ' +
      'boolean of that spelling',
    example: { 'attribute.country': 'de' },
  })
  attribute?: AttributeTexts;

  @DigitsField(1, MAX_PAGE, { optional: true, description: 'Tokens on a page; 1000 when left out', example: 1000 })
  limit?: string;

  @CursorField()
  cursor?: string;
}

export const STATUSES = ['all', ...TOKEN_STATUSES] as const;

export class AnyTokensQuery extends TokensQuery {
  @WordField(STATUSES, 'StatusFilter', { optional: true, description: '`all` when left out' }, 'invalid_status')
  status?: (typeof STATUSES)[number];
}
