// The bodies of the routes of things.

import { nameOf, whyNotAttributes, whyNotMetadata, type Attributes, type SecretValue } from '@app/tokens';
import { AttributesField, field, SecretField, NameField, WordField, whyNotName } from '../http/fields.js';

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
  @ThingsField()
  tokens: ThingBody[];

  @WordField(MISSING, 'MissingTokens', {
    optional: true,
    description:
      'What happens to the tokens of the pool that the list does not have: `keep` when left out. `delete_when_free` deletes free ones ' +
      'at once, and held ones at the end of their leases',
  })
  missing?: (typeof MISSING)[number];
}

function ThingsField(): PropertyDecorator {
  const options = { description: `At most ${MAX_THINGS} tokens, each name once` };
  return field(options, { type: [ThingBody], maxItems: MAX_THINGS } as never, whyNotThings);
}

/** The first broken rule, with its place in the list; of names that are there twice all. */
function whyNotThings(value: unknown): string | null {
  if (!Array.isArray(value) || value.length > MAX_THINGS) return `must be a list of at most ${MAX_THINGS} tokens`;
  const names = new Map<string, number>();
  for (const [place, thing] of value.entries()) {
    const why = whyNotThing(thing);
    if (why !== null) return `[${place}]${why}`;
    const name = nameOf((thing as ThingBody).name) as string;
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  const twice = [...names].filter(([, count]) => count > 1).map(([name]) => JSON.stringify(name));
  return twice.length === 0 ? null : `must have each name once; more than once are ${twice.join(', ')}`;
}

/** No refusal shows a value, because it may be secret. */
function whyNotThing(thing: unknown): string | null {
  if (typeof thing !== 'object' || thing === null || Array.isArray(thing)) return ' must be a JSON object';
  const { name, attributes, secret, ...others } = thing as Record<string, unknown>;
  if (Object.keys(others).length > 0) return ' must have no fields but name, attributes and secret';
  const ofName = whyNotName(name);
  if (ofName !== null) return `.name ${ofName}`;
  const ofAttributes = attributes === undefined ? null : whyNotAttributes(attributes);
  if (ofAttributes !== null) return `.attributes${ofAttributes.startsWith('.') ? '' : ' '}${ofAttributes}`;
  const ofSecret = secret === undefined || secret === null ? null : whyNotMetadata(secret);
  return ofSecret === null ? null : `.secret ${ofSecret}`;
}
