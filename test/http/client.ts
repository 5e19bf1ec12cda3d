// Asks the app, and holds every answer against openapi.json: status, content type and each field.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { Test } from 'supertest';

/** Whatever came; `expect` judges it. */
export type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

interface Operation {
  readonly responses: Record<string, { readonly content?: Record<string, unknown> }>;
}

export const openapi = JSON.parse(readFileSync(join(__dirname, '../../openapi.json'), 'utf8')) as {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
};

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

export type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

export function clientOf({ url }: { readonly url: string }): Ask {
  return async (method, path, body, headers = {}) => {
    const request = new Test(url, method, path).set(headers).ok(() => true);
    if (body !== undefined) {
      // As it is: a string may be what no library would write.
      request.set({ 'content-type': 'application/json', ...headers });
      request.send(typeof body === 'string' ? body : JSON.stringify(body));
    }
    const response = await request;
    // None after HEAD, whatever the types say.
    const text = (response.text as string | undefined) ?? '';
    const answer = {
      status: response.status,
      headers: new Headers(response.headers),
      body: /json/.test(response.type) && text !== '' ? JSON.parse(text) : text,
    };
    mustBeDocumented(method, path.replace(/\?.*/, ''), answer);
    return answer;
  };
}

/** As `openapi.json` has it under that name, and nothing beside it. */
export function mustBeA(schema: string, value: unknown): void {
  const validate = ajv.getSchema(`openapi#/components/schemas/${schema}`);
  if (validate?.(value) !== true) {
    throw new Error(`not a ${schema}: ${JSON.stringify(value)}: ${JSON.stringify(validate?.errors)}`);
  }
}

function mustBeDocumented(method: string, path: string, { status, headers, body }: Answer): void {
  const [template, operation] = operationOf(method, path);
  if (!template || !operation) return;
  const type = (headers.get('content-type') ?? '').replace(/;.*/, '');
  const place = ['paths', template, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema'];
  const pointer = place.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent);
  if (!operation.responses[status]?.content?.[type]) {
    throw new Error(`${method} ${template} answered ${status} ${type}, of which openapi.json knows nothing`);
  }
  const validate = ajv.getSchema(`openapi#/${pointer.join('/')}`);
  if (validate?.(body) !== true) {
    const faults = JSON.stringify(validate?.errors);
    throw new Error(`${method} ${template} answered ${status} ${JSON.stringify(body)}: ${faults}`);
  }
}

/** As routers do, a path in so many words before one with a parameter. */
function operationOf(method: string, path: string): [string?, Operation?] {
  const found = Object.keys(openapi.paths)
    .filter((template) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path))
    .sort((a, b) => a.split('{').length - b.split('{').length)
    .find((template) => openapi.paths[template]?.[method.toLowerCase()]);
  return found === undefined ? [] : [found, openapi.paths[found]?.[method.toLowerCase()]];
}

const PROBLEM_FIELDS = ['detail', 'error', 'request_id', 'status', 'title', 'type'];

/** The answer is a problem document with all its fields, and tells nothing of the inside. */
export function expectProblem(answer: Answer, status: number, error: string): void {
  const { body, headers } = answer;
  expect({ status: answer.status, error: body.error, detail: body.detail }).toEqual({
    status,
    error,
    detail: expect.stringMatching(/\w/),
  });
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(Object.keys(body)).toEqual(expect.arrayContaining(PROBLEM_FIELDS));
  expect(body).toMatchObject({ status, title: expect.any(String), type: expect.stringMatching(/^urn:/) });
  expect(body.request_id).toBe(headers.get('x-request-id'));
  expect(JSON.stringify(body)).not.toMatch(/\\n +at |node_modules|\.[jt]s\b|SELECT|UPDATE|INSERT/);
}

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/;
export const A_UUID = expect.stringMatching(UUID);
export const A_TIME = expect.stringMatching(TIME);
