// What a client that was made for one OpenAPI document would miss in a later one. What a request may hold must not
// become less, what an answer may hold must not become more; but fields and words may be added to answers.
// Of no tool that npm has is this seen whole: openapi-diff overlooks enums, nulls, security and required parameters.

import { isDeepStrictEqual } from 'node:util';

interface Schema extends Readonly<Record<string, unknown>> {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
type Security = readonly Readonly<Record<string, unknown>>[];

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

interface Response {
  readonly content?: Content;
  readonly headers?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
  readonly security?: Security;
}

export interface OpenApiDocument {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
  readonly security?: Security;
}

/** Whether a version may break what an earlier one has promised (https://semver.org, 4 and 8). */
export function mayBreak(earlier: string, later: string): boolean {
  const [was = 0, wasMinor = 0] = earlier.split('.').map(Number);
  const [is = 0, isMinor = 0] = later.split('.').map(Number);
  return is > was || (is === 0 && was === 0 && isMinor > wasMinor);
}

/** Each in words, with its place; none when every client goes on working. */
export function breakingChanges(before: OpenApiDocument, after: OpenApiDocument): string[] {
  const found: string[] = [];

  for (const [path, methods] of Object.entries(before.paths)) {
    for (const [method, was] of Object.entries(methods)) {
      const at = `${method.toUpperCase()} ${path}`;
      const is = after.paths[path]?.[method];
      if (is) compareOperations(at, was, is);
      else found.push(`${at} is gone`);
    }
  }
  const names = after.components?.schemas ?? {};
  for (const name of Object.keys(before.components?.schemas ?? {})) {
    if (!(name in names)) found.push(`the name ${name} is gone, and with it the type of clients`);
  }
  return [...new Set(found)];

  function compareOperations(at: string, was: Operation, is: Operation): void {
    if (was.operationId !== is.operationId) {
      found.push(`${at}: ${was.operationId} is ${is.operationId} now, and so is the method of clients`);
    }
    compareSecurity(at, was.security ?? before.security ?? [], is.security ?? after.security ?? []);
    compareParameters(at, was.parameters ?? [], is.parameters ?? []);
    const body = { was: was.requestBody, is: is.requestBody };
    if (body.is?.required && !body.was?.required) found.push(`${at}: a body must be given`);
    if (body.was) compareContents(`${at}, the body`, body.was.content, body.is?.content ?? {}, 'request');
    for (const [status, response] of Object.entries(was.responses)) {
      const now = is.responses[status];
      if (!now) found.push(`${at}: ${status} is gone`);
      else compareResponses(`${at} ${status}`, resolved(before, response), resolved(after, now));
    }
  }

  /** Each way in that there was must still be one. */
  function compareSecurity(at: string, was: Security, is: Security): void {
    const ways = is.length === 0 ? [{}] : is;
    for (const way of was.length === 0 ? [{}] : was) {
      const isOpen = ways.some((now) => Object.keys(now).every((scheme) => scheme in way));
      if (!isOpen) found.push(`${at}: ${Object.keys(way).join(' and ') || 'nothing'} does not let in any more`);
    }
  }

  function compareParameters(at: string, was: readonly Parameter[], is: readonly Parameter[]): void {
    const nameOf = (parameter: Parameter): string => `${parameter.in} ${parameter.name}`;
    const earlier = new Map(was.map((one) => resolved(before, one)).map((one) => [nameOf(one), one]));
    const later = new Map(is.map((one) => resolved(after, one)).map((one) => [nameOf(one), one]));
    for (const [name, { schema = {} }] of earlier) {
      const now = later.get(name);
      if (!now) found.push(`${at}: ${name} is not taken any more`);
      else compare(`${at}, ${name}`, schema, now.schema ?? {}, 'request');
    }
    for (const [name, { required }] of later) {
      if (required && !earlier.get(name)?.required) found.push(`${at}: ${name} must be given`);
    }
  }

  function compareResponses(at: string, was: Response, is: Response): void {
    compareContents(at, was.content ?? {}, is.content ?? {}, 'answer');
    for (const [name, header] of Object.entries(was.headers ?? {})) {
      const now = is.headers?.[name];
      if (!now) found.push(`${at}: the header ${name} is gone`);
      else
        compare(`${at}, ${name}`, resolved(before, header).schema ?? {}, resolved(after, now).schema ?? {}, 'answer');
    }
  }

  function compareContents(at: string, was: Content, is: Content, of: Direction): void {
    for (const [type, { schema = {} }] of Object.entries(was)) {
      if (is[type]) compare(at, schema, is[type].schema ?? {}, of);
      else found.push(`${at}: ${type} is gone`);
    }
  }

  function compare(at: string, was: Schema, is: Schema, of: Direction): void {
    const earlier = alternatives(before, was);
    const later = alternatives(after, is);
    found.push(...(of === 'request' ? unmet(at, later, earlier, of) : unmet(at, earlier, later, of)));
  }

  /** What is wrong where a value of `used` must always be one of `promised`. */
  function unmet(at: string, promised: Place[], used: Place[], of: Direction): string[] {
    return used.flatMap((use) => {
      const fitting = promised.filter(({ schema }) => isOfType(use.schema.type, schema.type));
      const [least] = fitting.map((promise) => misfits(at, promise, use, of)).sort((a, b) => a.length - b.length);
      const type = String(use.schema.type ?? 'anything');
      return least ?? [of === 'request' ? `${at}: ${type} is not taken any more` : `${at}: may be ${type} now`];
    });
  }

  function misfits(at: string, promise: Place, use: Place, of: Direction): string[] {
    const { schema: wide } = promise;
    const { schema: narrow } = use;
    const faults: string[] = [];
    const fields = { wide: wide.properties ?? {}, narrow: narrow.properties ?? {} };
    for (const [name, field] of Object.entries(fields.narrow)) {
      const counterpart = fields.wide[name];
      const within = `${at}.${name}`;
      if (counterpart) faults.push(...unmet(within, promise.of(counterpart), use.of(field), of));
      else if (wide.additionalProperties === false) faults.push(`${within} is not taken any more`);
    }
    for (const name of Object.keys(fields.wide)) {
      if (of === 'answer' && !(name in fields.narrow)) faults.push(`${at}.${name} is gone`);
    }
    for (const name of wide.required ?? []) {
      if (narrow.required?.includes(name) || (of === 'answer' && !(name in fields.narrow))) continue;
      faults.push(of === 'request' ? `${at}.${name} must be given` : `${at}.${name} may be missing`);
    }
    if (wide.items) faults.push(...unmet(`${at}[]`, promise.of(wide.items), use.of(narrow.items ?? {}), of));
    if (typeof wide.additionalProperties === 'object') {
      const { additionalProperties: others = {} } = narrow;
      const used = others === false ? [] : use.of(others === true ? {} : others);
      faults.push(...unmet(`${at}.*`, promise.of(wide.additionalProperties), used, of));
    }
    if (wide.additionalProperties === false && narrow.additionalProperties !== false) {
      faults.push(`${at}: other fields are ${of === 'request' ? 'not taken any more' : 'there now'}`);
    }
    for (const word of wordsLost(wide, narrow, of)) faults.push(`${at}: ${word}`);
    for (const [keyword, bound] of Object.entries(wide)) {
      if (!isKept(keyword, bound, narrow[keyword])) faults.push(`${at}: ${keyword} is another`);
    }
    return faults;
  }
}

type Direction = 'request' | 'answer';

/** A schema in its document, where its references lead. */
interface Place {
  readonly schema: Schema;
  of(schema: Schema): Place[];
}

/** What a reference leads to, with what stands beside the reference. */
function resolved<T extends object>(document: OpenApiDocument, node: T): T {
  const { $ref, ...beside } = node as T & { $ref?: string };
  if ($ref === undefined) return node;
  const names = $ref.split('/').slice(1);
  const target = names.reduce<unknown>((within, name) => (within as Record<string, unknown>)[name], document);
  return { ...resolved(document, target as T), ...beside };
}

/** One for each type that a value may have. */
function alternatives(document: OpenApiDocument, node: Schema): Place[] {
  const schema = resolved(document, node);
  const { anyOf, oneOf, type, ...others } = schema;
  const several = anyOf ?? oneOf;
  if (several) return several.flatMap((one) => alternatives(document, { ...others, ...one }));
  if (typeof type === 'object') return type.flatMap((one) => alternatives(document, { ...others, type: one }));
  return [{ schema, of: (inner) => alternatives(document, inner) }];
}

const isOfType = (narrow: unknown, wide: unknown): boolean =>
  wide === undefined || narrow === wide || (narrow === 'integer' && wide === 'number');

/** Clients name words in their code: those that are gone are missed in answers, too. */
function wordsLost(wide: Schema, narrow: Schema, of: Direction): string[] {
  const [was, is] = of === 'request' ? [narrow, wide] : [wide, narrow];
  if (was.enum === undefined) return of === 'request' && is.enum ? ['only some words are taken'] : [];
  if (is.enum === undefined) return of === 'answer' ? ['may be any word now'] : [];
  return was.enum.filter((word) => !is.enum?.includes(word)).map((word) => `${JSON.stringify(word)} is gone`);
}

const LOWER = /^(minimum|exclusiveMinimum|minLength|minItems|minProperties)$/;
const UPPER = /^(maximum|exclusiveMaximum|maxLength|maxItems|maxProperties)$/;
/** These are compared otherwise, or bind nobody. */
const OTHERS =
  /^(type|properties|required|items|additionalProperties|enum|title|description|examples?|default|deprecated|x-.*)$/;

/** Whether what `use` says is within what the promise says by the same keyword; an unknown one must stay as it is. */
function isKept(keyword: string, promise: unknown, use: unknown): boolean {
  if (OTHERS.test(keyword)) return true;
  if (LOWER.test(keyword)) return use !== undefined && (use as number) >= (promise as number);
  if (UPPER.test(keyword)) return use !== undefined && (use as number) <= (promise as number);
  return isDeepStrictEqual(promise, use);
}
