// The bodies of the routes between two users.

import type { Metadata, Selector } from '@app/tokens';
import {
  LineField,
  MetadataField,
  NameField,
  NoteField,
  NumberField,
  SelectorField,
  UuidField,
  WordField,
} from '../http/fields.js';
import { MAX_WAIT_SECONDS } from '../line/ticket.requests.js';

const MOST_CHARACTERS = 200;

export class DisableBody {
  @LineField(1, MOST_CHARACTERS, {
    description: 'Why it is out of service; shown as `disabled_reason`',
    example: 'The battery is swollen',
  })
  reason: string;

  @WordField(['now', 'when_free'], 'When', {
    optional: true,
    description: '`now` when left out: the lease of a held token ends. `when_free`: it is disabled when its lease ends',
  })
  when?: 'now' | 'when_free';
}

export class EnableBody {
  @NoteField({ description: 'What was done; kept as `note` in the metadata of the event', example: 'New battery' })
  note?: string;
}

export class CleanBody {
  @UuidField({ optional: true, description: 'Who cleans it; made up when left out' })
  user_id?: string;

  @NameField({
    optional: true,
    description: 'Who cleans it, as people and programs name themselves; instead of `user_id`, which follows from it',
    example: 'janitor-1',
  })
  holder?: string;

  @SelectorField({
    optional: true,
    description: 'Only a token with these attributes, as for `POST /api/tokens/allocate`',
    example: { country: 'de' },
  })
  select?: Selector;

  @NumberField(0, MAX_WAIT_SECONDS, {
    optional: true,
    description: 'For how many seconds the request may wait until a token is dirty; 0 when left out',
    example: 30,
  })
  wait_seconds?: number;

  @MetadataField({ optional: true, description: 'Kept with the `activated` event', example: { image: 'v2' } })
  metadata?: Metadata;
}
