// Checks bodies and queries against the decorators of their class (fields.ts). Nest's ValidationPipe is no choice: it
// copies what it checks and so loses keys of `metadata`, lets arrays through, and takes several times as long. The pipe
// looks the rules up once; class-validator's own functions would do that for every request.

import { Injectable, type ArgumentMetadata, type PipeTransform, type Type } from '@nestjs/common';
import { getMetadataStorage, type MetadataStorage, type ValidationArguments } from 'class-validator';
import { unknownField } from './declared-input.guard.js';
import type { FieldContext, ItemsContext } from './fields.js';
import { HttpProblem } from './problem.js';

/** The rule of a field. */
interface Rule extends FieldContext {
  readonly isMet: (value: unknown) => boolean;
  /** The detail of the refusal. */
  readonly words: (value: unknown) => string;
}

type Rules = ReadonlyMap<string, Rule>;

@Injectable()
export class CheckedPipe implements PipeTransform {
  readonly #rules = new Map<Type<object>, Rules>();

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || metatype === undefined) return value;
    return this.#checked(value, metatype as Type<Record<string, unknown>>, type === 'body' ? 'the body' : 'the query');
  }

  /** @param path what stands before the names of fields in a refusal */
  #checked<T extends Record<string, unknown>>(given: unknown, type: Type<T>, where: string, path = ''): T {
    const rules = this.#rules.get(type) ?? this.#learn(type);
    const checked: Record<string, unknown> = new type();
    for (const [name, value] of Object.entries(mustBeObject(given, where))) {
      const rule = rules.get(name);
      if (rule && !rule.isMap) checked[name] = value;
      else if (!addEntry(checked, rules, name, value)) throw unknownField(name, where);
    }
    for (const [name, { isMet, words, code = 'invalid_request', normal, items }] of rules) {
      const value = checked[name];
      if (!isMet(value)) throw new HttpProblem(code, `${path}${words(value)}`);
      if (normal && typeof value === 'string') checked[name] = normal(value);
      if (items) checked[name] = this.#checkedItems(value as unknown[], items, `${path}${name}`);
    }
    return checked as T;
  }

  #checkedItems(given: unknown[], { type, key }: ItemsContext, path: string): unknown[] {
    const items = given.map((item, place) => {
      const at = `${path}[${place}]`;
      return this.#checked(item, type as Type<Record<string, unknown>>, at, `${at}.`);
    });
    const counts = new Map<unknown, number>();
    for (const { [key]: value } of items) counts.set(value, (counts.get(value) ?? 0) + 1);
    const twice = [...counts].filter(([, count]) => count > 1).map(([value]) => JSON.stringify(value));
    if (twice.length === 0) return items;
    const why = `${path} must have each ${key} once; more than once are ${twice.join(', ')}`;
    throw new HttpProblem('invalid_request', why);
  }

  #learn(type: Type<object>): Rules {
    const storage = getMetadataStorage();
    const marks = storage.getTargetValidationMetadatas(type, '', false, false);
    const rules = new Map(
      marks.map(({ propertyName: property, constraintCls, validateIf, message, context }): [string, Rule] => {
        const [constraint] = storage.getTargetValidatorConstraints(constraintCls);
        const { instance } = constraint as ConstraintMetadata;
        const isMet = (value: unknown): boolean =>
          validateIf?.({}, value) === false || instance.validate(value) === true;
        const words = (value: unknown): string => (message as Message)({ property, value } as ValidationArguments);
        return [property, { ...(context as FieldContext), isMet, words }];
      }),
    );
    this.#rules.set(type, rules);
    return rules;
  }
}

/** Adds an entry to the map of whose field the name is `field.KEY`. @returns whether there is such a field */
function addEntry(checked: Record<string, unknown>, rules: Rules, name: string, value: unknown): boolean {
  const dot = name.indexOf('.');
  const field = name.slice(0, Math.max(0, dot));
  if (!rules.get(field)?.isMap) return false;
  const entries = (checked[field] ??= Object.create(null)) as Record<string, unknown>;
  entries[name.slice(dot + 1)] = value;
  return true;
}

type Message = (of: ValidationArguments) => string;
type ConstraintMetadata = ReturnType<MetadataStorage['getTargetValidatorConstraints']>[number];

function mustBeObject(value: unknown = {}, where: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new HttpProblem('invalid_request', `${where} must be a JSON object`);
}
