// The answers of the token routes, for the OpenAPI document only: the routes send the readers' views unchanged.

import { ApiProperty, ApiSchema, OmitType, type ApiPropertyOptions } from '@nestjs/swagger';
import {
  DELETE_REASONS,
  DISABLE_REASONS,
  END_REASONS,
  EVENT_KINDS,
  GRANT_REASONS,
  LEAVE_REASONS,
  SOIL_REASONS,
  TOKEN_STATUSES,
  type Attributes,
  type EndReason,
  type EventPage,
  type EventView,
  type HistoryPage,
  type Metadata,
  type SecretValue,
  type TokenDetailsView,
  type TokenEventKind,
  type TokenPage,
  type TokenStatus,
  type StatusAfter,
  type TokenView,
  type UseView,
} from '@app/tokens';
import { TIME } from '../openapi/time.js';

export const POOL = { description: 'Name of the pool.', example: 'default' };
export const FENCE = { type: 'integer', minimum: 1, example: 101 } as const;
export const UUID = { format: 'uuid', example: '6d1c0f5e-0b7b-4c59-9d3e-2f2f2a0f5c11' };
export const HOLDER = {
  type: String,
  nullable: true,
  description:
    'The name that the user gave instead of an id; null when it gave the id, and where the user is not shown.',
  example: 'ci-4711',
} as const;
export const NAME = {
  type: String,
  nullable: true,
  description: 'The name of what the token stands for; null in pools that are not listed.',
  example: '+49 30 901820',
} as const;
export const ATTRIBUTES = {
  type: 'object',
  additionalProperties: { oneOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] },
  nullable: true,
  description: 'What its pool knows of it, as text, numbers and booleans; null in pools that are not listed.',
  example: { country: 'de', sms: true },
} satisfies ApiPropertyOptions;
export const SECRET = {
  type: 'object',
  additionalProperties: true,
  nullable: true,
  description: 'What only the holder is told; null when the token has no secret, and when its lease is over.',
  example: { pin: '0000' },
} as const;
export const CURSOR = { type: String, nullable: true, description: '`cursor` of the next page; null on the last one.' };

const REASONS = [
  ...new Set([
    ...GRANT_REASONS,
    'claimed',
    ...END_REASONS,
    ...DELETE_REASONS,
    ...LEAVE_REASONS,
    ...SOIL_REASONS,
    ...DISABLE_REASONS,
  ]),
];

@ApiSchema({ name: 'Token' })
export class Token implements TokenView {
  @ApiProperty(UUID)
  readonly id: string;

  @ApiProperty(POOL)
  readonly pool: string;

  @ApiProperty(NAME)
  readonly name: string | null;

  @ApiProperty(ATTRIBUTES)
  readonly attributes: Attributes | null;

  @ApiProperty({
    enum: TOKEN_STATUSES,
    enumName: 'TokenStatus',
    description:
      '`available` is what can be granted now. Only in pools that keep tokens back between two users: `cooling` until ' +
      '`available_at`, `dirty` until somebody cleans it, `cleaning` meanwhile, and `disabled`.',
  })
  readonly status: TokenStatus;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  readonly active_user_id: string | null;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty({ ...TIME, nullable: true })
  readonly last_activated_at: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'When the lease ends, if nothing happens before.' })
  readonly expires_at: string | null;

  @ApiProperty({ ...FENCE, nullable: true, description: 'The number of the open lease in its pool.' })
  readonly fence: number | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description:
      'Of the open lease: what was given as `metadata` when it was allocated; null when nothing was, or when it is not shown.',
    example: { desk: 7 },
  })
  readonly lease_metadata: Metadata | null;

  @ApiProperty({
    type: Boolean,
    nullable: true,
    description:
      'Whether it is deleted when its lease ends: it is held, and was taken out of its listed pool, or the pool has more tokens ' +
      'than its size, which was made smaller, and not enough others go before. Null for `as_of`.',
  })
  readonly draining: boolean | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'Until when it rests, if it is `cooling`.' })
  readonly available_at: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Why it is out of service; null while it is in service. A held token is disabled when its lease ends.',
    example: 'The battery is swollen',
  })
  readonly disabled_reason: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'Since when it is out of service.' })
  readonly disabled_at: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Who has disabled it, as `actor` of an event; null also where that is not shown.',
    example: 'system',
  })
  readonly disabled_by: string | null;
}

@ApiSchema({ name: 'CurrentUser' })
export class CurrentUser {
  @ApiProperty(UUID)
  readonly user_id: string;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty(TIME)
  readonly activated_at: string;

  @ApiProperty(TIME)
  readonly expires_at: string;
}

@ApiSchema({ name: 'TokenUse' })
export class TokenUse implements UseView {
  @ApiProperty(UUID)
  readonly user_id: string;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty(FENCE)
  readonly fence: number;

  @ApiProperty(TIME)
  readonly started_at: string;

  @ApiProperty({ ...TIME, nullable: true, description: 'Null while the lease is open.' })
  readonly ended_at: string | null;

  @ApiProperty({ enum: END_REASONS, enumName: 'EndReason', nullable: true })
  readonly end_reason: EndReason | null;
}

@ApiSchema({ name: 'TokenDetails' })
export class TokenDetails extends Token implements TokenDetailsView {
  @ApiProperty({ type: CurrentUser, nullable: true })
  readonly current_user: CurrentUser | null;

  @ApiProperty({ type: [TokenUse], description: 'The latest 20 uses, newest first.' })
  readonly history: TokenUse[];

  @ApiProperty({
    required: false,
    format: 'date-time',
    description: 'The instant of which all of it is, where one was asked for.',
  })
  readonly as_of?: string;
}

@ApiSchema({ name: 'TokenEvent' })
export class TokenEvent implements EventView {
  @ApiProperty({ description: 'Unique among all events.' })
  readonly id: string;

  @ApiProperty(POOL)
  readonly pool: string;

  @ApiProperty({ type: 'integer', minimum: 1, description: '1, 2, 3 … in its pool, without gaps.' })
  readonly seq: number;

  @ApiProperty({ ...UUID, type: String, nullable: true, description: 'Null for what happened to the pool itself.' })
  readonly token_id: string | null;

  @ApiProperty({ enum: EVENT_KINDS, enumName: 'TokenEventKind' })
  readonly event: TokenEventKind;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  readonly user_id: string | null;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty({ ...FENCE, nullable: true })
  readonly fence: number | null;

  @ApiProperty({ enum: REASONS, enumName: 'EventReason', nullable: true })
  readonly reason: EventView['reason'];

  @ApiProperty({ ...TIME, description: 'When it happened; of `expired`, the deadline of the lease.' })
  readonly occurred_at: string;

  @ApiProperty({ ...TIME, description: 'When it was written down.' })
  readonly recorded_at: string;

  @ApiProperty({ ...TIME, nullable: true, description: 'Of `activated` and `renewed`: the deadline from then on.' })
  readonly expires_at: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Who did it: the id of an API key, `open` where none is asked for, or `system` (what the clock decides).',
    example: 'open',
  })
  readonly actor: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Of the request by which it was done.' })
  readonly request_id: string | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'What was given when it was allocated, or the `note` and the `condition` of its release, with `user_id` and `reason` of the event beside it: ' +
      'they win over its own. ' +
      'Of `generated` in a listed pool: `name` and `attributes`; of `described`: `before` and `after`, each with what changed of ' +
      'them and of `draining`, and `secret: changed`; of `selected_eviction`: what was selected, as `select`. ' +
      'Of `policy_changed`: `before` and `after`, each with the fields of the policy that changed; of `pool_opened`: `kind` and the ' +
      'policy `after` it; of `pool_deleted`: `kind` and the policy `before`. ' +
      'Of `released` and `expired`: `available_at`, if the token rests until then; of `soiled`: `clean_by`; of `disabled`: why, as ' +
      '`note`, and `when_free` if it is held until its lease ends; of `enabled`: the `note`. ' +
      'Of the line: `ticket_id`, also with what was given when it was offered; of `queued`: `place`, `position`, `count`, `select` ' +
      'and `not_later_than`, and of `promised` the new one.',
  })
  readonly metadata: Metadata;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description:
      'Of `activated`: exactly what was given as `metadata` when it was allocated; null when nothing was, or when it is not shown.',
    example: { desk: 7 },
  })
  readonly lease_metadata: Metadata | null;
}

@ApiSchema({ name: 'TokenList' })
export class TokenList implements TokenPage {
  @ApiProperty({ type: [Token] })
  readonly tokens: Token[];

  @ApiProperty(CURSOR)
  readonly next_cursor: string | null;
}

@ApiSchema({ name: 'TokenEventList' })
export class TokenEventList implements EventPage {
  @ApiProperty(UUID)
  readonly token_id: string;

  @ApiProperty({ type: [TokenEvent], description: 'Newest first.' })
  readonly events: TokenEvent[];

  @ApiProperty(CURSOR)
  readonly next_cursor: string | null;
}

@ApiSchema({ name: 'TokenHistory' })
export class TokenHistory implements HistoryPage {
  @ApiProperty(UUID)
  readonly token_id: string;

  @ApiProperty({ type: [TokenUse], description: 'Newest first.' })
  readonly history: TokenUse[];

  @ApiProperty(CURSOR)
  readonly next_cursor: string | null;
}

@ApiSchema({ name: 'EvictedLease' })
export class EvictedLease {
  @ApiProperty(UUID)
  readonly user_id: string;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty(FENCE)
  readonly fence: number;

  @ApiProperty(TIME)
  readonly activated_at: string;
}

@ApiSchema({ name: 'Grant' })
export class GrantAnswer {
  @ApiProperty(UUID)
  readonly token_id: string;

  @ApiProperty(NAME)
  readonly name: string | null;

  @ApiProperty(ATTRIBUTES)
  readonly attributes: Attributes | null;

  @ApiProperty(SECRET)
  readonly secret: SecretValue | null;

  @ApiProperty(UUID)
  readonly user_id: string;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty(POOL)
  readonly pool: string;

  @ApiProperty({ enum: ['active'], enumName: 'GrantStatus' })
  readonly status: 'active';

  @ApiProperty({ ...UUID, description: 'Handle of the lease; shown here and nowhere else.' })
  readonly lease_id: string;

  @ApiProperty({ ...FENCE, description: 'The number of the lease in its pool: a higher one is a later grant.' })
  readonly fence: number;

  @ApiProperty(TIME)
  readonly activated_at: string;

  @ApiProperty(TIME)
  readonly expires_at: string;

  @ApiProperty({
    type: EvictedLease,
    nullable: true,
    description: 'The lease that had to go; null when a token was free.',
  })
  readonly evicted: EvictedLease | null;

  @ApiProperty({
    type: () => [GrantAnswer],
    required: false,
    description: 'With a `count` of more than 1: all grants. The fields beside it are those of the first.',
  })
  readonly grants?: GrantAnswer[];
}

@ApiSchema({ name: 'CleaningGrant' })
export class CleaningGrant extends OmitType(GrantAnswer, ['status', 'grants'] as const) {
  @ApiProperty({ enum: ['cleaning'], enumName: 'CleaningStatus' })
  readonly status: 'cleaning';

  @ApiProperty({ enum: ['clean'], enumName: 'Purpose' })
  readonly purpose: 'clean';
}

@ApiSchema({ name: 'Renewal' })
export class RenewalAnswer {
  @ApiProperty(UUID)
  readonly token_id: string;

  @ApiProperty(UUID)
  readonly user_id: string;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty(FENCE)
  readonly fence: number;

  @ApiProperty({ ...TIME, description: 'From when the new time counts.' })
  readonly renewed_at: string;

  @ApiProperty(TIME)
  readonly expires_at: string;
}

@ApiSchema({ name: 'Release' })
export class ReleaseAnswer {
  @ApiProperty({ enum: [true] })
  readonly ok: true;

  @ApiProperty(UUID)
  readonly token_id: string;

  @ApiProperty({
    enum: ['available', 'cooling', 'dirty', 'disabled', 'deleted'],
    enumName: 'ReleaseStatus',
    description:
      'The status of the token from now on. `deleted` if it waited for the end of its lease to be deleted, or its pool shrinks.',
  })
  readonly status: StatusAfter;
}

@ApiSchema({ name: 'ReleasedCount' })
export class ReleasedCount {
  @ApiProperty({ type: 'integer', minimum: 0, description: 'Leases that were ended.', example: 3 })
  readonly released: number;
}

@ApiSchema({ name: 'Deletion' })
export class DeletionAnswer {
  @ApiProperty({ description: 'Whether it is deleted; with `when=when_free` not while it is held.', example: true })
  readonly deleted: boolean;

  @ApiProperty({ required: false, enum: [true], description: 'It is held, and deleted at the end of its lease.' })
  readonly draining?: true;

  @ApiProperty(UUID)
  readonly token_id: string;
}
