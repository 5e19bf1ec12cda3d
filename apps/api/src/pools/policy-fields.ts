// The fields of a policy in bodies and answers: turns the domain's table of fields into decorators.

import { ApiProperty } from '@nestjs/swagger';
import { policyFields, type PolicyField } from '@app/tokens';
import { BooleanField, SecondsField, WholeNumberField, WordField } from '../http/fields.js';

type Class<T> = new () => T;

/** Makes a class with the properties of `base`, then one for each policy field. `Policy` is the type of the latter. */
export function withPolicy<Policy, Base extends object = object>(
  decorate: (field: PolicyField) => PropertyDecorator,
  base: Class<object> = Object,
): Class<Base & Policy> {
  const WithPolicy = class extends base {};
  for (const field of policyFields) decorate(field)(WithPolicy.prototype, field.wire);
  return WithPolicy as Class<Base & Policy>;
}

/** Decorates a field of a body, in which each field is optional. */
export function requested(field: PolicyField): PropertyDecorator {
  const { description, nullable, defaults } = field;
  const options = { optional: true, nullable, description, example: defaults.fixed };
  switch (field.type) {
    case 'whole':
      return WholeNumberField(field.least, field.most, options);
    case 'seconds':
      return SecondsField(options, field.most);
    case 'boolean':
      return BooleanField(options);
    case 'word':
      return WordField(field.words, schemaName(field), { optional: true, description });
  }
}

export function answered(field: PolicyField): PropertyDecorator {
  const { nullable, defaults } = field;
  const example = defaults.fixed;
  switch (field.type) {
    case 'whole':
      return ApiProperty({ type: 'integer', ...(nullable ? { nullable } : { minimum: field.least, example }) });
    case 'seconds':
      return ApiProperty({ type: 'number', ...(nullable ? { nullable } : { example }) });
    case 'boolean':
      return ApiProperty({ type: 'boolean' });
    case 'word':
      return ApiProperty({ enum: [...field.words], enumName: schemaName(field) });
  }
}

const schemaName = ({ name }: PolicyField): string => name.charAt(0).toUpperCase() + name.slice(1);
