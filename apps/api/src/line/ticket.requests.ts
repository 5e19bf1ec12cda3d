// The bodies and queries of the routes of the line.

import type { Metadata, Selector } from '@app/tokens';
import {
  CursorField,
  DigitsField,
  MetadataField,
  NameField,
  NoteField,
  NumberField,
  PoolNameField,
  SecondsField,
  SelectorField,
  UuidField,
  WholeNumberField,
} from '../http/fields.js';

export const MAX_WAIT_SECONDS = 60;
export const MAX_COUNT = 100;

export const COUNT = {
  optional: true,
  description: 'How many tokens, all at once or none; 1 when left out',
  example: 1,
};

export class CreateTicketBody {
  @PoolNameField({ optional: true, description: 'Name of the pool; `default` when left out', example: 'default' })
  pool?: string;

  @UuidField({ optional: true, description: 'Who will hold the tokens; made up when left out' })
  user_id?: string;

  @NameField({
    optional: true,
    description:
      'Who will hold the tokens, as people and programs name themselves; instead of `user_id`, which follows from it',
    example: 'ci-4711',
  })
  holder?: string;

  @SecondsField({
    optional: true,
    description:
      'Length of the lease; capped to the `ttl_seconds` of the pool, which is also what counts when left out',
    example: 30,
  })
  ttl_seconds?: number;

  @WholeNumberField(1, MAX_COUNT, COUNT)
  count?: number;

  @SelectorField({
    optional: true,
    description: 'Only tokens with these attributes, as for `POST /api/tokens/allocate`',
    example: { country: 'de' },
  })
  select?: Selector;

  @MetadataField({ optional: true, description: 'Kept with the `activated` events', example: { desk: 7 } })
  metadata?: Metadata;
}

export class ClaimTicketBody {
  @NumberField(0, MAX_WAIT_SECONDS, {
    optional: true,
    description: 'For how many seconds the request may wait for the turn of the ticket; 0 when left out',
    example: 30,
  })
  wait_seconds?: number;
}

export class CancelTicketQuery {
  @NoteField({
    description: 'Why the place is given back; kept as `note` in the metadata of the event',
    example: 'The build was stopped',
  })
  note?: string;
}

export class LineQuery {
  @DigitsField(1, 1000, { optional: true, description: 'Tickets on a page; 100 when left out', example: 100 })
  limit?: string;

  @CursorField()
  cursor?: string;
}
