// The marks on the fields of requests: each is a rule, its words, and its entry in the OpenAPI document in one.

import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { instantOf, MAX_METADATA_BYTES, MAX_TTL_SECONDS, POOL_NAME, whyNotMetadata } from '@app/tokens';
import { ValidateBy, type ValidationArguments } from 'class-validator';
import { isUuid } from '../uuid.js';
import type { ProblemCode } from './problem.js';

export interface FieldOptions {
  readonly description: string;
  readonly example?: unknown;
  /** May be left out; null is something else. */
  readonly optional?: boolean;
  readonly nullable?: boolean;
}

/** What else the pipe must know of a field. */
export interface FieldContext {
  /** Of the refusal; `invalid_request` without. */
  readonly code?: ProblemCode;
  /** How a value that is allowed is handed on: one form for all that mean the same. */
  readonly normal?: (value: string) => string | null;
}

/** Says why a value is refused, or null when it is not. */
type Rule = (value: unknown) => string | null;

const must = (words: string, isMet: (value: unknown) => boolean): Rule => {
  return (value) => (isMet(value) ? null : `must ${words}`);
};

export const UuidField = (options: FieldOptions): PropertyDecorator =>
  field(options, { type: 'string', format: 'uuid' }, must('be a UUID', isUuid), {
    // The same id in capitals is the same id.
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
    // A number here is OpenAPI 3.1; the library's types know only 3.0.
    { type: 'number', exclusiveMinimum: 0 as never, maximum: most },
    must(
      `be a number of seconds of more than 0 and at most ${most}`,
      (value) => typeof value === 'number' && value > 0 && value <= most,
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

/** The length counts characters (code points). What PostgreSQL cannot keep is refused. */
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

/** Words without a repeat: one at least, and so many at most. */
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

/** A time to come, perhaps. What the pipe hands on is in UTC, with microseconds. */
export const TimeField = (options: FieldOptions): PropertyDecorator =>
  instantField(9, 'be a time such as 2027-01-01T00:00:00Z', options);

/** An instant of the past or present, as the answers write it. */
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

/** Where a page begins: opaque to callers; what it must be says the reader. An empty one is the beginning, as for `PlaceField`. */
export const CursorField = (): PropertyDecorator =>
  field(
    { optional: true, description: '`next_cursor` of the page before; the beginning when left out or empty' },
    { type: 'string', maxLength: 200 },
    must('be the next_cursor of the page before', (value) => typeof value === 'string' && value.length <= 200),
  );

/** In a query everything is a string: digits stay digits until the route makes a number of them. */
export const DigitsField = (least: number, most: number, options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: least, maximum: most },
    must(
      `be a whole number from ${least} to ${most}, given once`,
      (value) => typeof value === 'string' && /^(0|[1-9]\d{0,15})$/.test(value) && +value >= least && +value <= most,
    ),
  );

/** A seq after which a feed begins. Some readers send an empty position as long as they have none. */
export const SeqField = (options: FieldOptions): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    must('be the seq of an event or 0, given once', (value) => value === '' || isSeq(value)),
  );

/** The same, or from now on. */
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

function field(
  { description, example, optional = false, nullable = false }: FieldOptions,
  schema: ApiPropertyOptions,
  whyNot: Rule,
  context: FieldContext = {},
): PropertyDecorator {
  const message = ({ property, value }: ValidationArguments): string =>
    value === undefined ? `${property} must be given` : `${property} ${whyNot(value)}`;
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
