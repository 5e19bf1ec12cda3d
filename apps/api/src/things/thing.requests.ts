// The bodies of the routes of things.

import type { Attributes, SecretValue } from '@app/tokens';
import { AttributesField, ItemsField, NameField, SecretField, WordField } from '../http/fields.js';

/** The most things in one request, whose body may be larger than others (json-body.ts). */
export const MAX_THINGS = 1000;

const SECRET = {
  optional: true,
  nullable: true,
  description: 'Given to the holder and to nobody else, kept encrypted; null removes it, and left out it stays',
  example: { pin: '0000' },
};
const ATTRIBUTES = {
  optional: true,
  description: 'Texts, numbers, true or false, shown to all who may read; left out they stay',
  example: { country: 'de', sms: true },
};
const NAME = { description: 'Unique among the tokens of the pool; in NFC', example: '+49 30 901820' };

export class ChangeTokenBody {
  @NameField({ ...NAME, optional: true })
  name?: string;

  @AttributesField(ATTRIBUTES)
  attributes?: Attributes;

  @SecretField(SECRET)
  secret?: SecretValue | null;
}

export class ThingBody {
  @NameField(NAME)
  name: string;

  @AttributesField({ ...ATTRIBUTES, description: `${ATTRIBUTES.description}, and a new token has none` })
  attributes?: Attributes;

  @SecretField(SECRET)
  secret?: SecretValue | null;
}

const MISSING = ['keep', 'delete_when_free'] as const;

export class ImportBody {
  @ItemsField(ThingBody, MAX_THINGS, 'name', { description: 'The tokens to put in or to change' })
  tokens: ThingBody[];

  @WordField(MISSING, 'MissingTokens', {
    optional: true,
    description:
      'What happens to the tokens of the pool that the list does not have: `keep` when left out. `delete_when_free` deletes free ones ' +
      'at once, and held ones at the end of their leases',
  })
  missing?: (typeof MISSING)[number];
}
