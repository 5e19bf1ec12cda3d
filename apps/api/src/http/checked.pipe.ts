// Checks bodies and queries against the marks on their class (fields.ts). Not Nest's ValidationPipe: that one
// copies what it checks (and loses keys of `metadata` on the way), lets arrays through, and takes several times as long.

import { Injectable, type ArgumentMetadata, type PipeTransform, type Type } from '@nestjs/common';
import { getMetadataStorage, validateSync, type ValidationError, type ValidatorOptions } from 'class-validator';
import { unknownField } from './declared-input.guard.js';
import type { FieldContext } from './fields.js';
import { HttpProblem } from './problem.js';

const OPTIONS: ValidatorOptions = { forbidUnknownValues: false };

/** What is known of a class once and for all. */
interface Shape {
  readonly fields: ReadonlySet<string>;
  readonly uuids: readonly string[];
  readonly mayBeEmpty: boolean;
}

@Injectable()
export class CheckedPipe implements PipeTransform {
  readonly #shapes = new Map<Type<object>, Shape>();

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || metatype === undefined) return value;
    return this.#checked(value, metatype as Type<Record<string, unknown>>, type === 'body' ? 'the body' : 'the query');
  }

  #checked<T extends Record<string, unknown>>(value: unknown, type: Type<T>, where: string): T {
    const shape = this.#shapes.get(type) ?? this.#learn(type);
    const checked: Record<string, unknown> = new type();
    if (value === undefined && shape.mayBeEmpty) return checked as T;
    for (const [name, given] of Object.entries(mustBeObject(value, where))) {
      if (!shape.fields.has(name)) throw unknownField(name, where);
      checked[name] = given;
    }
    const [error] = validateSync(checked, OPTIONS);
    if (error) throw refusal(error);
    for (const name of shape.uuids) {
      const uuid = checked[name];
      // The same id in capitals is the same id.
      if (typeof uuid === 'string') checked[name] = uuid.toLowerCase();
    }
    return checked as T;
  }

  #learn(type: Type<object>): Shape {
    const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
    const uuids = rules.filter(({ context }) => (context as FieldContext | undefined)?.isUuid);
    const shape = {
      fields: new Set(rules.map(({ propertyName }) => propertyName)),
      uuids: uuids.map(({ propertyName }) => propertyName),
      mayBeEmpty: validateSync(new type(), OPTIONS).length === 0,
    };
    this.#shapes.set(type, shape);
    return shape;
  }
}

function mustBeObject(value: unknown = {}, where: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new HttpProblem('invalid_request', `${where} must be a JSON object`);
}

function refusal({ constraints, contexts }: ValidationError): HttpProblem {
  const { code = 'invalid_request' } = (contexts?.rule ?? {}) as FieldContext;
  return new HttpProblem(code, constraints?.rule ?? 'a field is not as it must be');
}
