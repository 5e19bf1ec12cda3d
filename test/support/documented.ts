// Holds answers against openapi.json: status, media type, error code, headers, and every field; one that is not in it
// is a mistake as much as one that is missing.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

/** Whatever came; `expect` judges it. */
export type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

interface Documented {
  readonly headers?: Record<string, unknown>;
  readonly content?: Record<string, { readonly examples?: Record<string, unknown> }>;
}

interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, Documented>;
}

export const openapi = JSON.parse(readFileSync(join(__dirname, '../../openapi.json'), 'utf8')) as {
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
};

/** What is no part of the API; an unknown path below them is answered like any other. */
const BESIDE_THE_API = /^\/(docs(\/.*)?|metrics|openapi(-3\.0)?\.json)$/;
/** Headers of ours, which tell something; the others are HTTP's own. */
const HEADERS = ['x-request-id', 'retry-after', 'idempotency-replayed', 'www-authenticate'];

const PROBLEM_TYPE = 'application/problem+json';
const PROBLEM = ['components', 'schemas', 'Problem'];

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addSchema(closed(openapi) as object, 'openapi');

/** Fields that the document does not tell of count as mistakes. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  return 'properties' in copy && 'type' in copy ? { unevaluatedProperties: false, ...copy } : copy;
}

/** @throws Error that says what in the answer the document does not tell of */
export function mustBeDocumented(method: string, path: string, answer: Answer): void {
  const [template, operation] = operationOf(method, path.replace(/\?.*/, ''));
  const mistake = operation
    ? mistakeOf(['paths', template, method === 'HEAD' ? 'get' : method.toLowerCase()], operation, method, answer)
    : mistakeBeside(method, path, answer);
  if (mistake === null) return;
  const { status, body } = answer;
  throw new Error(`${method} ${path} answered ${status} ${JSON.stringify(body)}, but openapi.json ${mistake}`);
}

function mistakeOf(place: string[], { responses }: Operation, method: string, answer: Answer): string | null {
  const { status, headers, body } = answer;
  const documented = responses[status];
  if (!documented) return `knows no ${status}`;
  const strange = HEADERS.find((name) => headers.has(name) && !documented.headers?.[name]);
  if (strange !== undefined) return `knows no header ${strange} of ${status}`;
  const type = mediaTypeOf(answer);
  const content = documented.content?.[type];
  if (!content) return `knows no ${type || 'empty answer'} of ${status}`;
  if (method === 'HEAD') return body === '' ? null : 'allows no body';
  const { error } = body as { error?: string };
  if (content.examples && !(String(error) in content.examples)) return `knows no error ${error} of ${status}`;
  return misfit([...place, 'responses', String(status), 'content', type, 'schema'], body);
}

/** Where there is no operation, it is a page, a refusal, or what HTTP itself asks for. */
function mistakeBeside(method: string, path: string, answer: Answer): string | null {
  if (mediaTypeOf(answer) === PROBLEM_TYPE) return method === 'HEAD' ? null : misfit(PROBLEM, answer.body);
  if (method === 'OPTIONS' && answer.status === 204) return null;
  return BESIDE_THE_API.test(path) && answer.status === 200 ? null : 'knows no such route';
}

/** An answer that was given before there was a route: to what is no HTTP, or did not arrive. */
export function mustBeProblem({ body }: Answer): void {
  const mistake = misfit(PROBLEM, body);
  if (mistake !== null) throw new Error(`answered ${JSON.stringify(body)}, but openapi.json ${mistake}`);
}

/** As `openapi.json` has it under that name, and nothing beside it. */
export function mustBeA(schema: string, value: unknown): void {
  const mistake = misfit(['components', 'schemas', schema], value);
  if (mistake !== null) throw new Error(`${JSON.stringify(value)} is no ${schema}: openapi.json ${mistake}`);
}

function misfit(place: string[], body: Json): string | null {
  const pointer = place.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent);
  const validate = ajv.getSchema(`openapi#/${pointer.join('/')}`);
  return validate?.(body) === true ? null : `does not fit: ${JSON.stringify(validate?.errors)}`;
}

const mediaTypeOf = ({ headers }: Answer): string => (headers.get('content-type') ?? '').replace(/;.*/, '');

/** As routers do, a path in so many words before one with a parameter; HEAD is served by GET. */
function operationOf(method: string, path: string): [string, Operation?] {
  const name = method === 'HEAD' ? 'get' : method.toLowerCase();
  const found = Object.keys(openapi.paths)
    .filter((template) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path))
    .sort((a, b) => a.split('{').length - b.split('{').length)
    .find((template) => openapi.paths[template]?.[name]);
  return found === undefined ? [path] : [found, openapi.paths[found]?.[name]];
}
