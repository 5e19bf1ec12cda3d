// Decorators for the fields of requests. Each holds a rule, the words of its refusal, and the OpenAPI schema.

import { applyDecorators, type Type } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import {
  ATTRIBUTE_KEY,
  holderOf,
  instantOf,
  MAX_ATTRIBUTES,
  MAX_HOLDER_CHARACTERS,
  MAX_METADATA_BYTES,
  MAX_THING_BYTES,
  MAX_TTL_SECONDS,
  NO_CONTROL_CHARACTERS,
  POOL_NAME,
  whyNotAttributes,
  whyNotMetadata,
  whyNotSelector,
} from '@app/tokens';
import { ValidateBy, type ValidationArguments } from 'class-validator';
import { isUuid } from '../uuid.js';
import type { ProblemCode } from './problem.js';

export interface FieldOptions {
  readonly description: string;
  readonly example?: unknown;
  /** Whether the field may be absent; null is not the same. */
  readonly optional?: boolean;
  readonly nullable?: boolean;
}

/** What else the pipe needs for a field. */
export interface FieldContext {
  /** The code of the refusal; `invalid_request` without it. */
  readonly code?: ProblemCode;
  /** Gives the one form for all spellings of an allowed value. */
  readonly normal?: (value: string) => string | null;
  /** The field is a map: `field.KEY` in the request is its entry KEY. The pipe gathers them. */
  readonly isMap?: true;
  /** The field is a list. The pipe checks each item against the decorators of its class. */
  readonly items?: ItemsContext;
}

export interface ItemsContext {
  readonly type: Type<object>;
  /** The field in which the items must differ. */
  readonly key: string;
}

/** @returns why it refuses the value, or null when the value is allowed */
type Rule = (value: unknown) => string | null;

const must = (words: string, isMet: (value: unknown) => boolean): Rule => {
  return (value) => (isMet(value) ? null : `must ${words}`);
};

const VALUES = [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }];

export const UuidField = (options: FieldOptions): PropertyDecorator =>
  field(options, { type: 'string', format: 'uuid' }, must('be a UUID', isUuid), {
    // RFC 9562: UUIDs are case-insensitive on input.
    normal: (value) => value.toLowerCase(),
  });

export const PoolNameField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'string', pattern: POOL_NAME.source },
    must(`match ${POOL_NAME.source}`, (value) => typeof value === 'string' && POOL_NAME.test(value)),
  );

export const SecondsField = (options: FieldOptions, most = MAX_TTL_SECONDS): PropertyDecorator =>
  field(
    options,
    // OpenAPI 3.1 has a number here; the library's types know only 3.0.
    { type: 'number', exclusiveMinimum: 0 as never, maximum: most },
    must(
      `be a number of seconds of more than 0 and at most ${most}`,
      (value) => typeof value === 'number' && value > 0 && value <= most,
    ),
  );

export const NumberField = (least: number, most: number, options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'number', minimum: least, maximum: most },
    must(
      `be a number from ${least} to ${most}`,
      (value) => typeof value === 'number' && value >= least && value <= most,
    ),
  );

export const WholeNumberField = (least: number, most: number, options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: least, maximum: most },
    must(
      `be a whole number from ${least} to ${most}`,
      (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    ),
  );

export const BooleanField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'boolean' },
    must('be true or false', (value) => typeof value === 'boolean'),
  );

export const MetadataField = (options: FieldOptions): PropertyDecorator =>
  field(
    { ...options, description: `${options.description}; at most ${MAX_METADATA_BYTES} bytes of JSON` },
    { type: 'object', additionalProperties: true },
    whyNotMetadata,
  );

/** The length counts code points. Refuses text that PostgreSQL cannot store. */
export const TextField = (most: number, options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'string', minLength: 1, maxLength: most },
    must(
      `be a string of 1 to ${most} characters, without U+0000 or half of a surrogate pair`,
      (value) =>
        typeof value === 'string' &&
        value !== '' &&
        [...value].length <= most &&
        value.isWellFormed() &&
        !value.includes('\0'),
    ),
  );

/** The name of a holder or of a token. The pipe gives it in NFC. */
export const NameField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'string', minLength: 1, maxLength: MAX_HOLDER_CHARACTERS, pattern: NO_CONTROL_CHARACTERS.source },
    must(
      `be a name of 1 to ${MAX_HOLDER_CHARACTERS} characters, without control characters or half of a surrogate pair`,
      (value) => typeof value === 'string' && holderOf(value) !== null,
    ),
    { normal: holderOf },
  );

export const AttributesField = (options: FieldOptions): PropertyDecorator =>
  field(
    {
      ...options,
      description: `${options.description}; at most ${MAX_ATTRIBUTES}, and ${MAX_THING_BYTES} bytes of JSON`,
    },
    { type: 'object', additionalProperties: { oneOf: VALUES }, maxProperties: MAX_ATTRIBUTES },
    whyNotAttributes,
  );

/** The refusal shows no value, because it is secret. */
export const SecretField = (options: FieldOptions): PropertyDecorator =>
  field(
    { ...options, description: `${options.description}; at most ${MAX_THING_BYTES} bytes of JSON` },
    { type: 'object', additionalProperties: true },
    whyNotMetadata,
  );

export const SelectorField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    {
      type: 'object',
      additionalProperties: {
        oneOf: [...VALUES, { type: 'array', items: { oneOf: VALUES }, minItems: 1 }],
        nullable: true,
      },
      maxProperties: MAX_ATTRIBUTES,
    },
    whyNotSelector,
  );

/** How OpenAPI says that each entry of an object is a parameter of its own. */
const AS_ENTRIES = { style: 'form', explode: true };

/** Attributes to search by, each as `attribute.KEY=VALUE` in the query. */
export const AttributeTextsField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: MAX_ATTRIBUTES,
      ...AS_ENTRIES,
    },
    must(
      `be given as attribute.KEY=VALUE: at most ${MAX_ATTRIBUTES} keys that match ${ATTRIBUTE_KEY.source}, each given ` +
        'once, and values without U+0000 or half of a surrogate pair',
      (value) => {
        const entries = Object.entries(value as object);
        return (
          entries.length <= MAX_ATTRIBUTES &&
          entries.every(
            ([key, text]) =>
              ATTRIBUTE_KEY.test(key) && typeof text === 'string' && text.isWellFormed() && !text.includes('\0'),
          )
        );
      },
    ),
    { isMap: true },
  );

/** One line, its length in code points. Refuses what a terminal or a log would not show as it is. */
export const LineField = (least: number, most: number, options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'string', minLength: least, maxLength: most, pattern: NO_CONTROL_CHARACTERS.source },
    must(
      `be a string of ${least} to ${most} characters, without control characters or half of a surrogate pair`,
      (value) =>
        typeof value === 'string' &&
        isBetween(least, [...value].length, most) &&
        value.isWellFormed() &&
        NO_CONTROL_CHARACTERS.test(value),
    ),
  );

/** Why a lease ends, for those who read the audit. */
export const NoteField = (options: Omit<FieldOptions, 'optional'>): PropertyDecorator =>
  LineField(0, 200, { optional: true, ...options });

const isBetween = (least: number, value: number, most: number): boolean => value >= least && value <= most;

export const WordField = (
  words: readonly string[],
  enumName: string,
  options: FieldOptions,
  code?: ProblemCode,
): PropertyDecorator =>
  field(
    options,
    { enum: [...words], enumName },
    must(`be one of ${words.join(', ')}`, (value) => words.includes(value as string)),
    { code },
  );

/** A list of 1 to `most` different words. */
export const ListField = (
  items: { readonly type: 'string'; readonly pattern: string } | { readonly enum: string[]; readonly enumName: string },
  most: number,
  isAllowed: (word: string) => boolean,
  options: FieldOptions,
): PropertyDecorator => {
  const what = 'enum' in items ? `of ${items.enum.join(', ')}` : `that match ${items.pattern}`;
  const schema = 'enum' in items ? { ...items, isArray: true } : { type: 'array', items };
  return field(
    options,
    { ...schema, minItems: 1, maxItems: most, uniqueItems: true } as ApiPropertyOptions,
    must(
      `be a list of 1 to ${most} strings ${what}, each once`,
      (value) =>
        Array.isArray(value) &&
        value.length >= 1 &&
        value.length <= most &&
        new Set(value).size === value.length &&
        value.every((word) => typeof word === 'string' && isAllowed(word)),
    ),
  );
};

/** A list of at most `most` objects, which differ in the field `key`. */
export const ItemsField = <T extends object>(
  type: Type<T>,
  most: number,
  key: string & keyof T,
  { description, example }: FieldOptions,
): PropertyDecorator =>
  field(
    { description: `${description}: at most ${most}, each ${key} once`, example },
    { type: [type], maxItems: most },
    must(`be a list of at most ${most}`, (value) => Array.isArray(value) && value.length <= most),
    { items: { type, key } },
  );

/** An instant that may lie in the future. The pipe gives it in UTC with microseconds. */
export const TimeField = (options: FieldOptions): PropertyDecorator =>
  instantField(9, 'be a time such as 2027-01-01T00:00:00Z', options);

/** An instant of the past or present, in the form of the answers. */
export const InstantField = (options: FieldOptions): PropertyDecorator =>
  instantField(6, 'be an instant in RFC 3339, such as 2026-11-21T09:30:00Z, given once', options);

function instantField(mostDecimals: number, words: string, options: FieldOptions): PropertyDecorator {
  const normal = (value: unknown): string | null => (typeof value === 'string' ? instantOf(value, mostDecimals) : null);
  return field(
    options,
    { type: 'string', format: 'date-time' },
    must(words, (value) => normal(value) !== null),
    { normal },
  );
}

/** A cursor, opaque to callers; the reader checks it. An empty one is the beginning, as for `PlaceField`. */
export const CursorField = (): PropertyDecorator =>
  field(
    { optional: true, description: '`next_cursor` of the page before; the beginning when left out or empty' },
    { type: 'string', maxLength: 200 },
    must('be the next_cursor of the page before', (value) => typeof value === 'string' && value.length <= 200),
  );

/** Digits of a query, which has only strings; the route makes a number of them. */
export const DigitsField = (least: number, most: number, options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: least, maximum: most },
    must(
      `be a whole number from ${least} to ${most}, given once`,
      (value) => typeof value === 'string' && /^(0|[1-9]\d{0,15})$/.test(value) && +value >= least && +value <= most,
    ),
  );

/** The seq after which a feed begins. It may be empty: some readers send that until they have a position. */
export const SeqField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    must('be the seq of an event or 0, given once', (value) => value === '' || isSeq(value)),
  );

/** A seq as for `SeqField`, or `latest`. */
export const PlaceField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'string', pattern: '^(latest|0|[1-9][0-9]{0,15})?$' },
    must(
      'be the seq of an event, 0 or `latest`, given once',
      (value) => value === '' || value === 'latest' || isSeq(value),
    ),
  );

export const isSeq = (value: unknown): value is string =>
  typeof value === 'string' && /^(0|[1-9]\d{0,15})$/.test(value) && Number(value) <= Number.MAX_SAFE_INTEGER;

export const FlagField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'boolean' },
    must('be true or false, given once', (value) => value === 'true' || value === 'false'),
  );

/** A reason that begins with a dot or a bracket is that of a place within the value. */
const placed = (place: string, why: string): string => `${place}${/^[.[]/.test(why) ? '' : ' '}${why}`;

export function field(
  { description, example, optional = false, nullable = false }: FieldOptions,
  schema: ApiPropertyOptions,
  whyNot: Rule,
  context: FieldContext = {},
): PropertyDecorator {
  const message = ({ property, value }: ValidationArguments): string =>
    value === undefined ? `${property} must be given` : placed(property, whyNot(value) as string);
  const property = { ...schema, description, example, required: !optional, ...(nullable && { nullable }) };
  return applyDecorators(
    ApiProperty(property as ApiPropertyOptions),
    ValidateBy(
      { name: 'rule', validator: { validate: (value) => whyNot(value) === null } },
      {
        message,
        context,
        validateIf: (_, value) => !(optional && value === undefined) && !(nullable && value === null),
      },
    ),
  );
}
